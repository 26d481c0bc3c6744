"""Sales that the till announced by transaction id only. Implemented by ``adapters/postgres``. Lock order: the till, then its sales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tillsync_server.domain.ids import AccountId, TillId

MAX_WAITING_SALES = 1_000
"""Limit of waiting sales for each till. A till above it sells faster than its allowance can read."""
ALLOWANCE_SHARE = 4
"""One of this many requests of the till's allowance may read a sale. The others are for customers and orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSale:
    """A claimed sale. ``attempt_count`` includes this attempt."""

    till_id: TillId
    transaction_id: int
    account_id: AccountId
    """The account whose webhook announced the sale."""
    revision: int
    attempt_count: int
    waited_seconds: float
    """Seconds since the first announcement."""


class SaleStore(Protocol):
    async def add(self, till_id: TillId, account_id: AccountId, transaction_ids: Sequence[int]) -> None:
        """Commits the sales and notifies all processes. A sale that already waits stays one sale, and is read after this call.

        Raises ResourceExhausted, and adds none, if more than MAX_WAITING_SALES of the till would wait.
        """
        ...

    async def claim(self, *, limit: int, lease_seconds: float) -> list[WaitingSale]:
        """Claims at most one sale of each till, the oldest. The next sale of a till is due ALLOWANCE_SHARE × 60 s / our requests a minute
        later.

        A sale that is neither done nor postponed can be claimed again after ``lease_seconds``.
        """
        ...

    async def seconds_until_due(self) -> float | None:
        """Seconds until :meth:`claim` may return a sale. 0 or less: now. None: no sale waits. An idle loop runs only this statement."""
        ...

    async def done(self, sale: WaitingSale) -> None:
        """Removes the sale. If it was announced again meanwhile, it stays and is due at once."""
        ...

    async def postpone(self, sale: WaitingSale, seconds: float) -> None:
        """The sale is read again after ``seconds``. The attempt counts."""
        ...

    async def pause(self, sale: WaitingSale, seconds: float) -> None:
        """No sale of the same till is read for ``seconds``. The attempt does not count."""
        ...
