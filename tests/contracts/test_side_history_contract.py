"""Number of times in a row that an entry opened a side's problem."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Protocol

import pytest
import pytest_asyncio
from fakes.side_history import FakeSideHistory
from support.engine import UPDATED, EngineWorld, claim_limits
from support.flow_world import order_entry, order_facts, till_account
from tillsync_server.adapters.postgres.engine.side_history import PostgresSideHistory
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.entry_decision import decide_entry
from tillsync_server.domain.enums import Outcome, ProblemReason, Side
from tillsync_server.domain.verdict import AccountProblem, Verdict
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, LaneLease, SideHistory

POLICY = RetryPolicy()


class Bench(Protocol):
    @property
    def history(self) -> SideHistory: ...

    async def entry(self) -> ClaimedEntry: ...

    async def opens(self, entry: ClaimedEntry, side: Side) -> None:
        """Lets the entry open the side's problem, and another entry close it."""
        ...


class SideHistoryContract:
    async def test_entry_without_an_opened_problem_has_count_zero(self, bench: Bench) -> None:
        assert await bench.history.times_opened(await bench.entry(), Side.SHOP) == 0

    async def test_repeatedly_opened_problems_of_an_entry_are_counted(self, bench: Bench) -> None:
        odd, good = await bench.entry(), await bench.entry()
        for times in (1, 2):
            await bench.opens(odd, Side.SHOP)
            assert await bench.history.times_opened(odd, Side.SHOP) == times
        assert await bench.history.times_opened(odd, Side.TILL) == 0
        assert await bench.history.times_opened(good, Side.SHOP) == 0


class InMemory:
    def __init__(self) -> None:
        self.history = FakeSideHistory()
        self._numbers = itertools.count(1)

    async def entry(self) -> ClaimedEntry:
        return order_entry(till_account(), order_facts(next(self._numbers)))

    async def opens(self, entry: ClaimedEntry, side: Side) -> None:
        key = entry.entry_id, side
        self.history.opened[key] = self.history.opened.get(key, 0) + 1


class OnPostgres:
    def __init__(self, world: EngineWorld, lease: LaneLease) -> None:
        self._world, self._lease = world, lease
        self.history = PostgresSideHistory(world.database)
        self._numbers = itertools.count(2)

    async def entry(self) -> ClaimedEntry:
        number = next(self._numbers)
        await self._world.hint("shop-a", number)
        [claimed] = await self._world.lanes.claim([ClaimRequest(self._lease, claim_limits(99))])
        return next(entry for entry in claimed.entries if entry.subject_id == number)

    async def opens(self, entry: ClaimedEntry, side: Side) -> None:
        problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=side, text="not reached")
        await self._complete(entry, Verdict.paused(Outcome.WOO_NOT_UPDATED, problem))
        await self._complete(await self.entry(), UPDATED, frozenset({side}))

    async def _complete(self, entry: ClaimedEntry, verdict: Verdict, mended: frozenset[Side] = frozenset()) -> None:
        decision = decide_entry(verdict, attempts_before=0, policy=POLICY)
        assert all(await self._world.lanes.complete([Completion(self._lease, entry, decision, 0.01, 60.0, mended)]))


class TestFakeSideHistory(SideHistoryContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.integration
class TestPostgresSideHistory(SideHistoryContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> AsyncIterator[Bench]:
        await world.add_accounts("shop-a")
        await world.hint("shop-a", 1)
        [lease] = (await world.lanes.lease("owner", limit=1, bulk_limit=1, probe_limit=0, lease_seconds=600)).leases
        yield OnPostgres(world, lease)
