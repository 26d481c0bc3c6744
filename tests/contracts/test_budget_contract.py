"""The till's request allowance as its clients meet it. How much it allows is PostgreSQL's alone: tests/integration/test_till_budget.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pytest
from fakes.budget import FakeTillBudget
from fakes.clock import FakeClock
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.till_budget import PostgresTillBudget
from tillsync_server.domain.errors import Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.vocabulary import Side
from tillsync_server.ports.tills import TillBudget

TILL, OTHER = TillId("till-a"), TillId("till-b")
PER_MINUTE = 6000


class Bench(Protocol):
    def budget(self) -> TillBudget:
        """As one more process has it."""
        ...

    async def pauses_end(self) -> None: ...

    async def clock(self) -> float:
        """Seconds of the clock that pauses are measured by."""
        ...


class TillBudgetContract:
    async def test_a_take_within_the_allowance_goes_soon(self, bench: Bench) -> None:
        assert 0.0 <= await bench.budget().take(TILL, 1, per_minute=PER_MINUTE) < 1.0

    async def test_a_pause_stops_everybody_and_ends_by_itself(self, bench: Bench) -> None:
        here, elsewhere = bench.budget(), bench.budget()
        await here.take(TILL, 1, per_minute=PER_MINUTE)
        began = await bench.clock()
        await here.pause(TILL, 120)
        await here.pause(TILL, 5)  # a shorter one does not end the longer
        with pytest.raises(Throttled) as refused:
            await elsewhere.take(TILL, 1, per_minute=PER_MINUTE)
        assert refused.value.side is Side.TILL
        assert refused.value.retry_after_seconds is not None
        assert 120 - (await bench.clock() - began) - 1e-6 <= refused.value.retry_after_seconds <= 120 + 1e-6
        await bench.pauses_end()
        assert await elsewhere.take(TILL, 1, per_minute=PER_MINUTE) < 1.0

    async def test_a_till_that_was_never_asked_can_be_paused(self, bench: Bench) -> None:
        budget = bench.budget()
        await budget.pause(TILL, 60)
        with pytest.raises(Throttled):
            await budget.take(TILL, 1, per_minute=PER_MINUTE)

    async def test_tills_are_apart(self, bench: Bench) -> None:
        budget = bench.budget()
        await budget.pause(TILL, 60)
        assert await budget.take(OTHER, 1, per_minute=PER_MINUTE) < 1.0


class InMemory:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self._budget = FakeTillBudget(self._clock)

    def budget(self) -> FakeTillBudget:
        return self._budget

    async def pauses_end(self) -> None:
        self._clock.advance(121)

    async def clock(self) -> float:
        return self._clock()


@dataclass
class OnPostgres:
    world: EngineWorld

    def budget(self) -> PostgresTillBudget:
        return PostgresTillBudget(self.world.database)

    async def pauses_end(self) -> None:
        await self.world.fetch("UPDATE till SET paused_until = now() - interval '1 second' RETURNING 1")

    async def clock(self) -> float:
        [row] = await self.world.fetch("SELECT extract(epoch FROM clock_timestamp())::float8 AS at")
        at: float = row["at"]
        return at


class TestFakeTillBudget(TillBudgetContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresTillBudget(TillBudgetContract):
    @pytest.fixture
    def bench(self, world: EngineWorld) -> Bench:
        return OnPostgres(world)
