"""The worker and its lanes on PostgreSQL, with a handler that records its runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.engine import UPDATED, EngineWorld, RecordingHandler
from support.fault_verdicts import FaultVerdicts
from support.waiting import NEVER_SECONDS, until
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.enums import Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.verdict import AccountProblem, Verdict
from tillsync_server.ports.handler import LaneRun, LaneWork, VerdictSink
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, ClaimResult, LeaseResult

pytestmark = pytest.mark.integration
QUICK = EngineSettings(poll_floor_seconds=0.2)


async def test_entries_of_many_accounts_run_once_each(world: EngineWorld) -> None:
    accounts = [f"shop-{number}" for number in range(10)]
    await world.add_accounts(*accounts)
    handler = RecordingHandler()
    async with world.running(handler):
        await asyncio.gather(*(world.hint_many(account, range(1, 101)) for account in accounts))
        await world.until_idle()
    assert len(handler.runs) == 1000
    assert handler.overlaps == 0
    [row] = await world.fetch("SELECT count(*) FROM entry_history WHERE state = 2")
    assert row["count"] == 1000


async def test_idle_system_issues_no_leases(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither polls nor notifications lease a lane without due work."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    statements, lease = 0, world.lanes.lease

    async def counted_lease(owner: str, **how: Any) -> LeaseResult:
        nonlocal statements
        leased = await lease(owner, **how)
        statements += 1
        return leased

    monkeypatch.setattr(world.lanes, "lease", counted_lease)
    async with world.running(handler, replace(QUICK, poll_floor_seconds=0.01)) as worker:
        await world.hint("shop-a", 1)
        await world.until_idle()
        leases = worker.counters.leases
        for _ in range(20):
            statements_before = statements
            world.notifications.lanes_ready()
            await until(lambda: statements > statements_before, world.work)  # noqa: B023 - the wait ends before the next round
        assert worker.counters.leases == leases == 1


@pytest.mark.catches("live-work-is-told-to-the-owner")
async def test_live_work_starts_while_bulk_work_runs(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1)
    claims, claim = 0, world.lanes.claim

    async def counted_claim(requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        nonlocal claims
        results = await claim(requests)
        claims += 1
        handler.changed.set()
        return results

    monkeypatch.setattr(world.lanes, "claim", counted_claim)
    async with world.running(handler, replace(QUICK, poll_floor_seconds=NEVER_SECONDS)):
        await world.hint("shop-a", 1, priority=Priority.BULK)
        # The claim has read all due entries. Only a notification makes the worker claim again.
        await handler.wait_for(lambda: handler.count(1) == 1 and claims == 1)
        await world.hint("shop-a", 2, priority=Priority.LIVE)
        await handler.wait_for(lambda: handler.count(2) == 1)
        assert not gate.is_set()
        gate.set()
        await world.until_idle()


@pytest.mark.catches("subjects-exclude-only-themselves")
async def test_stuck_subject_delays_no_other_subject(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with world.running(handler, QUICK):
        await world.hint_many("shop-a", range(1, 201))
        await world.hint_many("shop-b", [500])
        await handler.wait_for(lambda: len(handler.runs) == 201)

        async def others_are_completed() -> bool:
            return len(await world.fetch("SELECT 1 FROM entry")) == 1

        await until(others_are_completed, world.work)
        gate.set()
        await world.until_idle()


async def test_error_of_a_handler_is_charged_to_its_entry_and_stops_no_other(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")

    def decide(entry: ClaimedEntry) -> Verdict:
        if entry.subject_id == 13:
            raise RuntimeError("a fault of the handler")
        return UPDATED

    handler = RecordingHandler(decide)
    async with world.running(handler, QUICK):
        await world.hint("shop-a", 13)
        await world.hint("shop-b", 1)
        await world.until_idle()
    row = await world.live("shop-a", 13)
    assert row is not None
    assert (row["attempt_count"], row["outcome"]) == (1, Outcome.EPOS_FETCH_FAILED)
    assert "the service itself failed" in row["notes"]
    assert len(await world.finished("shop-b", 1)) == 1


async def test_entry_without_a_verdict_is_charged_after_another_of_its_run_was_completed(world: EngineWorld) -> None:
    """Two entries share a run. The first is completed during the run. The handler gives the second no verdict."""
    await world.add_accounts("shop-a")

    class VerdictForTheFirstOnly(FaultVerdicts):
        def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork:
            self.verdicts = verdicts
            return self

        async def run(self, entries: Sequence[ClaimedEntry]) -> None:
            self.verdicts.finish(entries[0], UPDATED)
            await world.until_finished("shop-a", entries[0].subject_id)

        async def close(self) -> None:
            return None

    await world.hint_many("shop-a", [1, 2])
    async with world.running(VerdictForTheFirstOnly(), QUICK):
        await world.until_idle()
    [charged] = await world.fetch("SELECT * FROM entry")
    assert (charged["attempt_count"], charged["outcome"]) == (1, int(Outcome.EPOS_FETCH_FAILED))


@pytest.mark.catches("hints-raise-the-revision")
async def test_hint_during_the_run_causes_another_run(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with world.running(handler, QUICK):
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.hint("shop-a", 1)
        gate.set()
        await handler.wait_for(lambda: handler.count(1) == 2)
        await world.until_idle()
    assert handler.overlaps == 0
    assert len(await world.finished("shop-a", 1)) == 1


async def test_failed_attempts_are_bounded(world: EngineWorld) -> None:
    """The entry is FAILED after eight charged attempts."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler(lambda entry: Verdict.retry(Outcome.WOO_NOT_UPDATED, "the shop answered 502"))
    settings = replace(QUICK, retry=RetryPolicy(max_attempts=8, base_seconds=0.0))
    async with world.running(handler, settings):
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 8)
        await world.until_idle()
    [row] = await world.finished("shop-a", 1)
    assert (row["state"], row["attempt_count"], handler.count(1)) == (5, 8, 8)


async def test_problem_of_a_side_pauses_the_lane_and_charges_no_attempt(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.SHOP, text="not reached: DNS")

    def decide(entry: ClaimedEntry) -> Verdict:
        if entry.account_id == "shop-a":
            return Verdict.paused(Outcome.WOO_NOT_UPDATED, problem, "not reached: DNS")
        return UPDATED

    handler = RecordingHandler(decide)
    async with world.running(handler, QUICK):
        await world.hint_many("shop-a", range(1, 51))
        await world.hint_many("shop-b", range(101, 151))
        paused = "SELECT 1 FROM lane WHERE account_id = 'shop-a' AND shop_probe_at > now() AND lease_owner IS NULL"
        await until(lambda: world.fetch(paused), world.work)
        await handler.wait_for(lambda: sum(entry.account_id == "shop-b" for entry in handler.runs) == 50)
    rows = await world.fetch("SELECT attempt_count, outcome FROM entry WHERE account_id = 'shop-a'")
    assert len(rows) == 50
    assert all(row["attempt_count"] == 0 for row in rows)
    assert sum(row["outcome"] is not None for row in rows) == 1, "only the entry that met the problem shows its outcome"


async def test_paused_lane_runs_one_probe_at_a_time_and_then_all_entries(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.SHOP, text="not reached: DNS")
    is_down = True

    def decide(entry: ClaimedEntry) -> Verdict:
        return Verdict.paused(Outcome.WOO_NOT_UPDATED, problem) if is_down else UPDATED

    handler = RecordingHandler(decide)
    settings = replace(QUICK, poll_floor_seconds=0.02, retry=RetryPolicy(base_seconds=0.01))
    async with world.running(handler, settings):
        await world.hint_many("shop-a", range(1, 51))
        await handler.wait_for(lambda: len(handler.runs) >= 53)
        probes_while_down = len(handler.runs) - 50
        assert probes_while_down >= 3
        is_down = False

        async def all_are_completed() -> bool:
            return not await world.fetch("SELECT 1 FROM entry LIMIT 1")

        await until(all_are_completed, world.work)
        await world.until_idle()
    [state] = await world.fetch("SELECT shop_reason, shop_probe_at FROM account_state")
    assert tuple(state) == (None, None)


async def test_graceful_stop_releases_the_lanes_at_once(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    handler.gate(1)
    settings = replace(QUICK, stop_grace_seconds=0.2)
    async with world.running(handler, settings):
        await world.hint_many("shop-a", range(1, 11))
        await handler.wait_for(lambda: len(handler.runs) == 10)
    [lane] = await world.fetch("SELECT lease_owner, next_run_at <= now() AS ready FROM lane")
    assert (lane["lease_owner"], lane["ready"]) == (None, True)
    successor = RecordingHandler()
    async with world.running(successor, QUICK):
        await successor.wait_for(lambda: successor.count(1) == 1)
        await world.until_idle()
    [row] = await world.finished("shop-a", 1)
    assert row["attempt_count"] == 1, "a stop charges no attempt"


@pytest.mark.catches("lapsed-leases-are-taken-over")
async def test_lapsed_lease_is_taken_over(world: EngineWorld) -> None:
    """A worker that vanished loses no entry."""
    await world.add_accounts("shop-a")
    await world.hint_many("shop-a", range(1, 6))
    await world.lanes.lease("vanished", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=0.3)
    handler = RecordingHandler()
    async with world.running(handler, QUICK) as worker:
        await handler.wait_for(lambda: len(handler.runs) == 5)
        await world.until_idle()
        assert worker.counters.lapsed_leases == 1
    [lane] = await world.fetch("SELECT lapses FROM lane")
    assert lane["lapses"] == 0


@pytest.mark.catches("crashing-entries-are-charged-first")
async def test_entries_of_a_lane_with_two_lapses_run_alone_and_are_charged_first(world: EngineWorld) -> None:
    """One of the entries may have crashed the process. The charge before the run limits its attempts."""
    await world.add_accounts("shop-a")
    await world.hint_many("shop-a", range(1, 6))
    await world.fetch("UPDATE lane SET lapses = 1, lease_owner = 'dead', lease_expires_at = now() RETURNING 1")
    handler = RecordingHandler()
    gate = handler.gate(1)
    async with world.running(handler, QUICK):
        await handler.wait_for(lambda: handler.count(1) == 1)
        charged = await world.live("shop-a", 1)
        assert charged is not None
        assert charged["attempt_count"] == 1
        assert len(handler.runs) == 1
        gate.set()
        await handler.wait_for(lambda: len(handler.runs) == 5)
        await world.until_idle()
    [row] = await world.finished("shop-a", 1)
    assert row["attempt_count"] == 1


@pytest.mark.catches("crashing-entries-are-charged-first")
async def test_crashing_entry_without_attempts_left_fails(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    await world.fetch("UPDATE entry SET attempt_count = 8 RETURNING 1")
    await world.fetch("UPDATE lane SET lapses = 2, lease_owner = 'dead', lease_expires_at = now() RETURNING 1")
    handler = RecordingHandler()
    async with world.running(handler, QUICK):
        await world.until_finished("shop-a", 1)
    assert handler.runs == []
    [row] = await world.finished("shop-a", 1)
    assert row["state"] == 5
    assert "the service stopped" in row["notes"]


async def test_two_workers_share_the_lanes_and_run_each_subject_alone(world: EngineWorld) -> None:
    accounts = [f"shop-{number}" for number in range(8)]
    await world.add_accounts(*accounts)
    handler = RecordingHandler()
    async with world.running(handler, QUICK), world.running(handler, QUICK):
        for _ in range(5):
            await asyncio.gather(*(world.hint_many(account, range(1, 51)) for account in accounts))
        await world.until_idle()
    assert handler.overlaps == 0
    assert {(entry.account_id, entry.subject_id) for entry in handler.runs} == {(a, s) for a in accounts for s in range(1, 51)}


async def test_long_bulk_lane_yields_to_waiting_accounts(world: EngineWorld) -> None:
    await world.add_accounts("deep", "other")
    handler = RecordingHandler()
    settings = replace(QUICK, lane_slots=1, live_reserved_slots=0, bulk_lease_seconds=0.0, claim_limit=20, reserved_in_flight=0)
    await world.hint_many("deep", range(1, 1001))
    await world.hint_many("other", [5000])
    async with world.running(handler, settings) as worker:
        await handler.wait_for(lambda: handler.count(5000) == 1)
        assert sum(entry.account_id == "deep" for entry in handler.runs) < 1000
        await world.until_idle()
        assert worker.counters.leases > 2


async def test_long_live_lane_yields_to_waiting_accounts(world: EngineWorld) -> None:
    await world.add_accounts("flooded", "other")
    handler = RecordingHandler()
    settings = replace(QUICK, lane_slots=1, live_reserved_slots=0, live_lease_seconds=0.0, claim_limit=20)
    await world.hint_many("flooded", range(1, 1001), Priority.LIVE)
    await world.hint_many("other", [5000], Priority.LIVE)
    async with world.running(handler, settings):
        await handler.wait_for(lambda: handler.count(5000) == 1)
        assert sum(entry.account_id == "flooded" for entry in handler.runs) < 1000
        await world.until_idle()
    assert handler.overlaps == 0
    assert len(handler.runs) == 1001, "a yielding lane runs no entry twice"
