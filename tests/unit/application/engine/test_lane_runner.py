"""``LaneRunner`` with a slow till or shop: no class of entries starves, and the process never exceeds its entry slots."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from fakes.clock import FakeClock
from support.fault_verdicts import FaultVerdicts
from support.flow_world import order_entry, order_facts, till_account
from support.waiting import NEVER_SECONDS
from tillsync_server.application.engine.lane_runner import LaneRunner, LaneServices
from tillsync_server.application.engine.lane_statements import LaneStatements, WorkerCounters
from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.application.engine.lease_renewal import LeaseRenewal
from tillsync_server.application.engine.leased_lane import LaneState, LeasedLane
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.slots import Probes, ProvenSides, Slots
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryKind, Outcome, Priority, Side
from tillsync_server.domain.ids import AccountId, WooCustomerId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.handler import LaneRun, LaneWork, VerdictSink
from tillsync_server.ports.lanes import (
    ClaimedEntry,
    ClaimRequest,
    ClaimResult,
    Completion,
    CompletionResult,
    LaneLease,
    LaneStore,
    PausedSide,
)

ACCOUNT = till_account("shop-1")
SETTINGS = EngineSettings(in_flight_limit=40, reserved_in_flight=5, poll_floor_seconds=NEVER_SECONDS)


def entries(work_class: WorkClass, count: int) -> list[ClaimedEntry]:
    priority = Priority.BULK if work_class.is_bulk else Priority.LIVE
    kind = EntryKind.ORDER_CUSTOMER if Side.SHOP not in work_class.sides else EntryKind.CUSTOMER
    numbers = range(1000 * work_class, 1000 * work_class + count)
    facts = [order_facts(number, email=f"{number}@example.test", woo_customer_id=WooCustomerId(number)) for number in numbers]
    return [replace(order_entry(ACCOUNT, each), kind=kind, priority=priority) for each in facts]


@dataclass
class Harness(FaultVerdicts):
    """In-memory lane store and entry handler. Due entries are claimed, and run until the test ends them."""

    slots: Slots = field(default_factory=lambda: Slots(lanes=1, live_reserved_lanes=0, entries=100_000))
    probes: Probes = field(default_factory=lambda: Probes(1))
    ill: dict[Side, PausedSide] = field(default_factory=dict)
    settings: EngineSettings = SETTINGS
    due: list[ClaimedEntry] = field(default_factory=list)
    runs: list[ClaimedEntry] = field(default_factory=list)
    verdicts: VerdictSink | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    brought: int = 0
    """Entries that claims have read."""

    # ports.lanes.LaneStore

    async def claim(self, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        return [ClaimResult(self._claimed(request), self.ill) for request in requests]

    def _claimed(self, request: ClaimRequest) -> list[ClaimedEntry]:
        left, found = Counter(request.limits), list[ClaimedEntry]()
        for entry in sorted(self.due, key=lambda entry: entry.work_class):
            if left[entry.work_class] and entry.entry_id not in request.in_flight:
                left[entry.work_class] -= 1
                found.append(entry)
        self.brought += len(found)
        return found

    async def complete(self, completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
        self.due = [entry for entry in self.due if entry.entry_id not in {each.entry.entry_id for each in completions}]
        for side in (side for each in completions for side in each.recovered):
            del self.ill[side]
        return [CompletionResult.DONE] * len(completions)

    # ports.handler.EntryHandler and LaneWork

    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork:
        self.verdicts = verdicts
        return self

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        self.runs += entries
        await self.ended.wait()

    async def close(self) -> None:
        return None

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        return ACCOUNT

    # the test

    def running(self) -> Counter[WorkClass]:
        return Counter(entry.work_class for entry in self.runs if entry in self.due)

    def end(self, count: int, work_class: WorkClass) -> None:
        assert self.verdicts is not None
        for entry in [entry for entry in self.runs if entry in self.due and entry.work_class is work_class][:count]:
            self.verdicts.finish(entry, Verdict.finished(Outcome.UPDATED))

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[LaneRunner]:
        clock, store = FakeClock(), cast(LaneStore, self)  # the runner calls no other method
        renewal = LeaseRenewal(store, lease_seconds=30.0, clock=clock)
        lease = LaneLease(ACCOUNT.account_id, "worker-1", 7, lapses=0, paused_sides=dict(self.ill))
        proven = ProvenSides()
        proven.note(ACCOUNT.account_id, set(Side) - self.ill.keys())
        lane = LeasedLane(lease, LeaseClock(self.settings, clock(), clock), self, renewal.renew_one)
        statements = LaneStatements(store, WorkerCounters(), (OSError,))
        runner = LaneRunner(LaneServices(self.settings, self, statements, self.slots, self.probes, proven), lane)
        task = asyncio.create_task(runner.run())
        yield runner
        lane.end(LaneState.STOPPING)
        self.ended.set()
        await task
        await statements.stop()


async def settled(harness: Harness) -> Counter[WorkClass]:
    """Returns the running entries once none starts or ends any more, in eight looks. A pause of this process falls into one of them."""
    seen, unchanged = (-1, -1), 0
    while unchanged < 8:
        await asyncio.sleep(0.01)
        before, seen = seen, (len(harness.runs), len(harness.due))
        unchanged = unchanged + 1 if before == seen else 0
    return harness.running()


@pytest.mark.catches("no-class-fills-the-lane")
@pytest.mark.parametrize("flood", WorkClass)
async def test_flooding_class_leaves_room_for_each_other_class(flood: WorkClass) -> None:
    harness = Harness(due=entries(flood, 200))
    async with harness.lane() as lane:
        assert await settled(harness) == {flood: 25}
        for other in set(WorkClass) - {flood}:
            harness.due += entries(other, 50)
        lane.wake()
        assert await settled(harness) == {flood: 25} | dict.fromkeys(set(WorkClass) - {flood}, 5)


async def test_orders_take_freed_places_first() -> None:
    harness = Harness(due=[each for work_class in WorkClass for each in entries(work_class, 200)])
    async with harness.lane():
        before = await settled(harness)
        assert sum(before.values()) == 40
        assert min(before.values()) == 5
        harness.end(3, WorkClass.ORDER)
        harness.end(3, WorkClass.BULK)
        after = await settled(harness)
        assert sum(after.values()) == 40
        assert after[WorkClass.BULK] == 5


@pytest.mark.parametrize("entry_slots", [1, 10, 35])
async def test_claim_of_all_classes_stays_within_the_process_slots(entry_slots: int) -> None:
    slots = Slots(lanes=1, live_reserved_lanes=0, entries=entry_slots)
    harness = Harness(slots=slots, due=[each for work_class in WorkClass for each in entries(work_class, 200)])
    async with harness.lane():
        running = await settled(harness)
        # without a free slot still one entry of each class, because a lane may wait long for others
        assert sum(running.values()) < entry_slots + len(WorkClass)
        assert slots.entries_taken == sum(running.values())


async def test_concurrent_claims_stay_within_the_process_slots() -> None:
    slots = Slots(lanes=4, live_reserved_lanes=0, entries=60)
    harnesses = [Harness(slots=slots, due=entries(WorkClass.ORDER, 200)) for _ in range(4)]
    async with harnesses[0].lane(), harnesses[1].lane(), harnesses[2].lane(), harnesses[3].lane():
        for harness in harnesses:
            await settled(harness)
        assert slots.entries_taken == sum(sum(harness.running().values()) for harness in harnesses) < 60 + 4
        assert sum(harness.brought for harness in harnesses) < 60 + 4, "what is read is taken: each row that is left costs as much as a run"
    assert slots.entries_taken == 0


@pytest.mark.catches("free-probe-slots-are-told")
async def test_waiting_lane_starts_its_probe_when_a_probe_slot_is_free() -> None:
    probes = Probes(1)
    first = Harness(probes=probes, ill={Side.SHOP: PausedSide(1, 0.0)}, due=entries(WorkClass.LIVE, 1))
    second = Harness(probes=probes, ill={Side.SHOP: PausedSide(1, 0.0)}, due=[*entries(WorkClass.LIVE, 1), *entries(WorkClass.ORDER, 1)])
    async with first.lane(), second.lane():
        assert await settled(first) == {WorkClass.LIVE: 1}
        assert await settled(second) == {WorkClass.ORDER: 1}
        first.end(1, WorkClass.LIVE)
        await settled(first)
        assert await settled(second) == {WorkClass.ORDER: 1, WorkClass.LIVE: 1}
