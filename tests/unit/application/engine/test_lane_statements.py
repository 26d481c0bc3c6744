"""Statements shared by lanes report when no claim waits for the database any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from tillsync_server.application.engine.lane_statements import LaneStatements, WorkerCounters
from tillsync_server.application.engine.lease_signal import LeaseSignal
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import ClaimRequest, ClaimResult, LaneLease, LaneStore


class _Away:
    async def claim(self, requests: Sequence[ClaimRequest]) -> Sequence[ClaimResult]:
        raise ConnectionError("the database is away")


async def test_failed_claim_reports_that_no_claim_waits() -> None:
    """The worker leases no bulk lanes while claims wait for the database. It resumes only on this report."""
    reported: list[bool] = []

    class Signal(LeaseSignal):
        def database_caught_up(self) -> None:
            reported.append(statements.are_behind)

    statements = LaneStatements(cast(LaneStore, _Away()), WorkerCounters(), (OSError,), Signal())
    request = ClaimRequest(LaneLease(AccountId("shop-a"), "worker-1", 7, lapses=0, paused_sides={}), {}, ())
    with pytest.raises(ConnectionError):
        await statements.claim(request)
    await statements.stop()
    assert reported == [False]
