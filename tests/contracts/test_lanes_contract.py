"""A leased lane as the flows use it: the permit, the renewal, the settings, and one verdict per entry."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

import pytest
from fakes.clock import FakeClock
from fakes.lanes import FakeLane
from fakes.permit import FakePermit
from support.fault_verdicts import FaultVerdicts
from support.flow_world import order_entry, order_facts, till_account
from support.waiting import until
from tillsync_server.application.engine.lane_runner import LaneRunner, LaneServices
from tillsync_server.application.engine.lane_statements import LaneStatements, WorkerCounters
from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.application.engine.lease_renewal import LeaseRenewal
from tillsync_server.application.engine.leased_lane import LaneState, LeasedLane
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.slots import Probes, ProvenSides, Slots
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.errors import LeaseTooShort
from tillsync_server.domain.ids import AccountId, EntryId, WooCustomerId
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.handler import LaneRun, LaneWork, VerdictSink
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, ClaimResult, Completion, CompletionResult, LaneLease, LaneStore
from tillsync_server.ports.till import WritePermit

LEASE_SECONDS = 30.0
ACCOUNT = till_account("shop-1")
MATCHED = Verdict.finished(Outcome.MATCHED_EMAIL)


def an_entry(order_id: int = 1042) -> ClaimedEntry:
    """An entry of its own person, because the engine never runs two entries of one person at once."""
    return order_entry(ACCOUNT, order_facts(order_id, email=f"{order_id}@example.test", woo_customer_id=WooCustomerId(order_id)))


# ports.till.WritePermit


class PermitBench(Protocol):
    @property
    def permit(self) -> WritePermit: ...

    def seconds_left(self, seconds: float) -> None:
        """Sets the remaining seconds of the lease."""
        ...


class WritePermitContract:
    def test_a_write_must_end_two_seconds_before_the_lease(self, bench: PermitBench) -> None:
        bench.seconds_left(30.0)
        assert bench.permit.seconds_allowed(20) == 20
        bench.seconds_left(15.0)
        assert bench.permit.seconds_allowed(20) == pytest.approx(13)

    def test_lease_of_less_than_five_seconds_permits_no_write(self, bench: PermitBench) -> None:
        bench.seconds_left(5.0)
        assert bench.permit.seconds_allowed(20) == pytest.approx(3)
        for seconds in (4.99, 0.0, -400.0):
            bench.seconds_left(seconds)
            with pytest.raises(LeaseTooShort):
                bench.permit.seconds_allowed(1)


class _FakePermitBench:
    def __init__(self) -> None:
        self._left = math.inf
        self.permit = FakePermit(lambda: self._left)

    def seconds_left(self, seconds: float) -> None:
        self._left = seconds


class _FakeLaneBench:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self.permit = FakeLane(self._clock, ACCOUNT)

    def seconds_left(self, seconds: float) -> None:
        self.permit.lease_ends_at = self._clock() + seconds


class _LeaseClockBench:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self.permit = LeaseClock(EngineSettings(lease_seconds=LEASE_SECONDS), self._clock(), self._clock)

    def seconds_left(self, seconds: float) -> None:
        self._clock.advance(self.permit.seconds_left - seconds)


class TestFakePermit(WritePermitContract):
    @pytest.fixture
    def bench(self) -> PermitBench:
        return _FakePermitBench()


class TestFakeLaneAsPermit(WritePermitContract):
    @pytest.fixture
    def bench(self) -> PermitBench:
        return _FakeLaneBench()


class TestLeaseClock(WritePermitContract):
    @pytest.fixture
    def bench(self) -> PermitBench:
        return _LeaseClockBench()


# ports.handler.LaneRun


@dataclass
class Opened:
    lane: LaneRun
    verdicts: VerdictSink


class Bench(Protocol):
    clock: FakeClock
    account_now: Account

    def running(self, *entries: ClaimedEntry) -> AbstractAsyncContextManager[Opened]:
        """Runs the lane with these claimed entries until the end of the block."""
        ...

    def take_over(self) -> None:
        """Lets the lease expire and another process lease the lane."""
        ...

    async def verdicts(self) -> list[tuple[EntryId, Outcome]]:
        """The verdicts passed on for writing, in order."""
        ...


class LaneRunContract:
    async def test_owner_tag_has_owner_account_and_token(self, bench: Bench) -> None:
        async with bench.running() as opened:
            assert opened.lane.owner_tag == f"{opened.lane.lease.owner}:{opened.lane.lease.account_id}:{opened.lane.lease.token}"
            assert opened.lane.lease.account_id == ACCOUNT.account_id

    async def test_writes_are_permitted_while_the_lease_lasts(self, bench: Bench) -> None:
        async with bench.running() as opened:
            assert opened.lane.seconds_allowed(20) == 20
            bench.clock.advance(15)
            assert opened.lane.seconds_allowed(20) == pytest.approx(13)
            bench.clock.advance(10.5)
            with pytest.raises(LeaseTooShort):
                opened.lane.seconds_allowed(20)

    async def test_lease_is_renewed_after_half_of_it(self, bench: Bench) -> None:
        async with bench.running() as opened:
            bench.clock.advance(14)
            await opened.lane.renew_if_needed()
            assert opened.lane.seconds_allowed(60) == pytest.approx(LEASE_SECONDS - 14 - 2)
            bench.clock.advance(2)
            await opened.lane.renew_if_needed()
            assert opened.lane.seconds_allowed(60) == pytest.approx(LEASE_SECONDS - 2)

    async def test_expired_lease_is_renewed_if_no_other_process_leased_the_lane(self, bench: Bench) -> None:
        async with bench.running() as opened:
            bench.clock.advance(500)
            with pytest.raises(LeaseTooShort):
                opened.lane.seconds_allowed(1)
            await opened.lane.renew_if_needed()
            assert opened.lane.seconds_allowed(1) == 1

    async def test_lane_leased_by_another_process_permits_and_renews_nothing(self, bench: Bench) -> None:
        async with bench.running() as opened:
            bench.clock.advance(LEASE_SECONDS + 1)
            bench.take_over()
            for _ in range(2):
                with pytest.raises(LeaseTooShort):
                    await opened.lane.renew_if_needed()
            with pytest.raises(LeaseTooShort, match="another owner"):
                opened.lane.seconds_allowed(1)

    async def test_settings_are_at_least_as_new_as_the_entry(self, bench: Bench) -> None:
        async with bench.running() as opened:
            assert await opened.lane.account(an_entry()) == ACCOUNT
            bench.account_now = replace(ACCOUNT, config_version=3, name="renamed")
            entry = replace(an_entry(), config_version=3)
            assert await opened.lane.account(entry) == bench.account_now

    async def test_verdict_of_each_entry_is_written_once_in_order(self, bench: Bench) -> None:
        one, two = an_entry(1), an_entry(2)
        async with bench.running(one, two) as opened:
            opened.verdicts.finish(two, MATCHED)
            opened.verdicts.finish(one, Verdict.held(Outcome.DUPLICATE_EMAIL, "two customers"))
            assert await bench.verdicts() == [(two.entry_id, Outcome.MATCHED_EMAIL), (one.entry_id, Outcome.DUPLICATE_EMAIL)]

    async def test_second_verdict_and_verdict_of_a_foreign_entry_are_refused(self, bench: Bench) -> None:
        one = an_entry(1)
        async with bench.running(one) as opened:
            opened.verdicts.finish(one, MATCHED)
            for entry in (one, an_entry(3), replace(one)):
                with pytest.raises(ValueError, match="has its verdict already, or was never claimed here"):
                    opened.verdicts.finish(entry, MATCHED)
            assert await bench.verdicts() == [(one.entry_id, Outcome.MATCHED_EMAIL)]


@dataclass
class _Work(FaultVerdicts):
    """Exposes its lane, and runs until the test ends it."""

    opened: asyncio.Future[tuple[LaneRun, VerdictSink]]
    running: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork:
        self.opened.set_result((lane, verdicts))
        return self

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        self.running.set()
        await self.ended.wait()

    async def close(self) -> None:
        return None


class InMemory:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self._lane = FakeLane(self.clock, ACCOUNT, lease_seconds=LEASE_SECONDS)

    @property
    def account_now(self) -> Account:
        return self._lane.account_now

    @account_now.setter
    def account_now(self, account: Account) -> None:
        self._lane.account_now = account

    @asynccontextmanager
    async def running(self, *entries: ClaimedEntry) -> AsyncIterator[Opened]:
        work = _Work(asyncio.get_running_loop().create_future())
        opened = self._lane.open(work)
        task = asyncio.create_task(opened.run(entries))
        await work.running.wait()
        yield Opened(self._lane, self._lane)
        work.ended.set()
        await task
        await opened.close()

    def take_over(self) -> None:
        self._lane.taken_over = True

    async def verdicts(self) -> list[tuple[EntryId, Outcome]]:
        return [(entry_id, verdict.outcome) for entry_id, verdict in self._lane.finished.items()]


class InRunner:
    """A LaneRunner with an in-memory store."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.account_now = ACCOUNT
        self._taken_over = False
        self._claims: list[ClaimedEntry] = []
        self._written: list[Completion] = []
        self._settings = EngineSettings(lease_seconds=LEASE_SECONDS)

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        return self.account_now

    async def claim(self, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        claimed, self._claims = self._claims, []
        return [ClaimResult(claimed, {}) for _ in requests]

    async def complete(self, completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
        self._written += completions
        return [CompletionResult.DONE] * len(completions)

    async def renew(self, leases: Sequence[LaneLease], *, lease_seconds: float) -> list[bool | None]:
        return [not self._taken_over for _ in leases]

    @asynccontextmanager
    async def running(self, *entries: ClaimedEntry) -> AsyncIterator[Opened]:
        self._claims = list(entries) or [an_entry(99)]  # a lane without an entry ends
        work = _Work(asyncio.get_running_loop().create_future())
        lease = LaneLease(ACCOUNT.account_id, "worker-1", 7, lapses=0)
        store = cast(LaneStore, self)  # the test calls no other method
        renewal = LeaseRenewal(store, lease_seconds=LEASE_SECONDS, clock=self.clock)
        lane = LeasedLane(lease, LeaseClock(self._settings, self.clock(), self.clock), self, renewal.renew_one)
        statements = LaneStatements(store, WorkerCounters(), (OSError,))
        runner = LaneRunner(LaneServices(self._settings, work, statements, Slots(1, 0, 1000), Probes(1), ProvenSides()), lane)
        task = asyncio.create_task(runner.run())
        await work.running.wait()
        yield Opened(*await work.opened)
        lane.end(LaneState.STOPPING)
        work.ended.set()
        await task
        await statements.stop()

    def take_over(self) -> None:
        self._taken_over = True

    async def verdicts(self) -> list[tuple[EntryId, Outcome]]:
        await until(lambda: self._written)
        return [(each.entry.entry_id, each.decision.outcome) for each in self._written]


class TestFakeLane(LaneRunContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


class TestLaneRunner(LaneRunContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InRunner()
