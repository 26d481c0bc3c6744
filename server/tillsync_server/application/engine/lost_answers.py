"""Releases lanes that an offer of this process may have leased, where the answer to the commit was lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import LaneStore

_LOG = structlog.get_logger(__name__)


class LostAnswers:
    """Each offer has an owner name of its own. So this class never releases a lease that a runner has or is about to get."""

    def __init__(self, store: LaneStore, *, lease_seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lost: dict[str, tuple[Sequence[AccountId], float]] = {}
        """By owner: the accounts, and the time until which to search for their leases.

        The database may commit after this process has stopped waiting for the answer. After the length of a lease another process leases
        the lane.
        """

    def note(self, owner: str, accounts: Sequence[AccountId]) -> None:
        self._lost[owner] = (accounts, self._clock() + self._lease_seconds)

    async def release(self) -> None:
        """To call every second or so. Raises what the store raises, and then keeps all accounts for the next call."""
        if not self._lost:
            return
        asked_at = self._clock()
        leases = await self._store.leases_of([(account, owner) for owner, (accounts, _) in self._lost.items() for account in accounts])
        if leases:
            _LOG.info("lost_answers_released", lanes=len(leases))
            await self._store.release(leases, clean=[False] * len(leases))
        found = {lease.owner for lease in leases}
        self._lost = {owner: lost for owner, lost in self._lost.items() if owner not in found and lost[1] > asked_at}
