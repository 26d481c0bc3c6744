"""Lanes that an offer of this process may have leased: the answer to the commit was lost. They are given back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import LaneStore

_LOG = structlog.get_logger(__name__)


class LostAnswers:
    """An offer has an owner's name of its own, so what is given back is never a lease that a runner has, or that is on its way to one."""

    def __init__(self, store: LaneStore, *, lease_seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._lost: dict[str, tuple[Sequence[AccountId], float]] = {}
        """By owner: the accounts, and until when to look. The database may commit after this process has given up the answer; after the
        length of a lease others take the lane over."""

    def note(self, owner: str, accounts: Sequence[AccountId]) -> None:
        self._lost[owner] = (accounts, self._clock() + self._lease_seconds)

    async def release(self) -> None:
        """To be called every now and then. Raises what the store raises; then nothing is forgotten."""
        if not self._lost:
            return
        asked_at = self._clock()
        leases = await self._store.leases_of([(account, owner) for owner, (accounts, _) in self._lost.items() for account in accounts])
        if leases:
            _LOG.info("lost_answers_released", lanes=len(leases))
            await self._store.release(leases, clean=[False] * len(leases))
        found = {lease.owner for lease in leases}
        self._lost = {owner: lost for owner, lost in self._lost.items() if owner not in found and lost[1] > asked_at}
