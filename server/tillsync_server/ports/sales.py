"""Sales of which the till named only the transaction. Implemented by ``adapters/postgres``. Lock order: the till, then its sales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tillsync_server.domain.ids import AccountId, TillId

MAX_WAITING_SALES = 1_000
"""Of one till. A till that sells more in the time in which so many are read tells of more than its allowance can answer."""
ALLOWANCE_SHARE = 4
"""One request of so many that the till's allowance holds may read a sale: the others are for customers and orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSale:
    """As it was claimed. ``attempt_count``: this attempt included."""

    till_id: TillId
    transaction_id: int
    account_id: AccountId
    """Whose webhook it was."""
    revision: int
    attempt_count: int
    waited_seconds: float
    """Since it was told first."""


class SaleStore(Protocol):
    async def add(self, till_id: TillId, account_id: AccountId, transaction_ids: Sequence[int]) -> None:
        """Committed, and announced to every process. A sale that waits already is kept as one, and read after this. ResourceExhausted, with
        nothing added, where more than MAX_WAITING_SALES of the till would wait."""
        ...

    async def claim(self, *, limit: int, lease_seconds: float) -> list[WaitingSale]:
        """At most one sale a till, the oldest, and no sooner than ALLOWANCE_SHARE × 60 s / our requests a minute after the till's
        last one. One that is neither done nor postponed is claimed again after ``lease_seconds``."""
        ...

    async def seconds_until_due(self) -> float | None:
        """Until :meth:`claim` may return something; 0 or less: now. None: no sale waits. The one statement of an idle loop."""
        ...

    async def done(self, sale: WaitingSale) -> None:
        """It waits no more; one that was told again meanwhile is due at once."""
        ...

    async def postpone(self, sale: WaitingSale, seconds: float) -> None:
        """It is read again in so many seconds; the attempt counts."""
        ...

    async def pause(self, sale: WaitingSale, seconds: float) -> None:
        """No sale of its till is read for so long. The attempt does not count."""
        ...
