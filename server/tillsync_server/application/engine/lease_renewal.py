"""Renews the leases of this process in time, and ends the lanes that another session has leased."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import structlog

from tillsync_server.application.engine.leased_lane import LaneState, LeasedLane
from tillsync_server.ports.lanes import LaneStore

_LOG = structlog.get_logger(__name__)


class LeaseRenewal:
    def __init__(self, store: LaneStore, *, lease_seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._clock = clock

    async def renew_due(self, lanes: Iterable[LeasedLane]) -> None:
        due = [lane for lane in lanes if lane.clock.wants_renewal]
        if due:
            await self._renew(due)

    async def renew_one(self, lane: LeasedLane) -> None:
        await self._renew([lane])

    async def _renew(self, lanes: Sequence[LeasedLane]) -> None:
        asked_at = self._clock()
        renewed = await self._store.renew([lane.lease for lane in lanes], lease_seconds=self._lease_seconds)
        for lane, is_ours in zip(lanes, renewed, strict=True):
            if is_ours:
                lane.clock.renewed(asked_at)
            elif is_ours is None:  # the next turn tries again; with too little of the lease left nothing is sent
                _LOG.warning("lane_locked", account_id=lane.lease.account_id)
            else:
                _LOG.warning("lease_lost", account_id=lane.lease.account_id)
                lane.end(LaneState.LOST)
