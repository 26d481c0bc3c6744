"""The request allowance of a till for its clients. ``test_till_budget.py`` tests the amounts, which only PostgreSQL enforces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pytest
from fakes.budget import FakeTillBudget
from fakes.clock import FakeClock
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.tills.till_budget import PostgresTillBudget
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import AllowanceSpent, Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.ports.tills import TillBudget

TILL, OTHER = TillId("till-a"), TillId("till-b")
PER_MINUTE = 6000


class Bench(Protocol):
    def budget(self, *, is_short: bool = False) -> TillBudget:
        """The budget of another process. With ``is_short`` it allows only ``per_minute`` requests."""
        ...

    async def wait(self, seconds: float) -> None:
        """Lets so many seconds pass without a request to the till."""
        ...

    async def pauses_end(self) -> None: ...

    async def clock(self) -> float:
        """The clock of the pauses, in seconds."""
        ...


class TillBudgetContract:
    async def test_reservation_within_the_allowance_has_a_short_wait(self, bench: Bench) -> None:
        assert 0.0 <= await bench.budget().reserve(TILL, 1, per_minute=PER_MINUTE) < 1.0

    async def test_pause_refuses_all_processes_until_it_ends(self, bench: Bench) -> None:
        here, elsewhere = bench.budget(), bench.budget()
        await here.reserve(TILL, 1, per_minute=PER_MINUTE)
        began = await bench.clock()
        await here.pause(TILL, 120)
        await here.pause(TILL, 5)  # a shorter pause does not end a longer one
        with pytest.raises(Throttled) as refused:
            await elsewhere.reserve(TILL, 1, per_minute=PER_MINUTE)
        assert refused.value.side is Side.TILL
        assert refused.value.retry_after_seconds is not None
        assert 120 - (await bench.clock() - began) - 1e-6 <= refused.value.retry_after_seconds <= 120 + 1e-6
        await bench.pauses_end()
        assert await elsewhere.reserve(TILL, 1, per_minute=PER_MINUTE) < 1.0

    async def test_till_without_requests_can_be_paused(self, bench: Bench) -> None:
        budget = bench.budget()
        await budget.pause(TILL, 60)
        with pytest.raises(Throttled):
            await budget.reserve(TILL, 1, per_minute=PER_MINUTE)

    async def test_available_allowance_is_taken_and_the_next_time_returned(self, bench: Bench) -> None:
        budget = bench.budget(is_short=True)
        await bench.wait(2.0)
        first = await budget.take_available(TILL, 500, per_minute=PER_MINUTE)
        assert 1 <= first.requests <= 100
        assert first.wait_seconds == 0.0
        second = await budget.take_available(TILL, 500, per_minute=PER_MINUTE)
        assert 0 < second.next_seconds <= 1 / 98
        assert second.wait_seconds == 0.0

    @pytest.mark.catches("only-orders-book-ahead")
    async def test_allowance_reserved_by_orders_is_not_available_to_others(self, bench: Bench) -> None:
        here, elsewhere = bench.budget(is_short=True), bench.budget(is_short=True)
        assert await here.reserve(TILL, 8, per_minute=60) > 7.0
        given = await elsewhere.take_available(TILL, 5, per_minute=60)
        assert given.requests == 0
        assert 0 < given.next_seconds <= 2.0, "the tenth is theirs: two bookings of orders away"

    @pytest.mark.catches("every-tenth-request-is-left-to-others")
    async def test_every_tenth_request_is_left_to_other_classes(self, bench: Bench) -> None:
        here, elsewhere = bench.budget(is_short=True), bench.budget(is_short=True)
        for _ in range(9):
            await here.reserve(TILL, 1, per_minute=60)
        given = await elsewhere.take_available(TILL, 5, per_minute=60)
        assert given.requests == 1
        assert 8.0 < given.wait_seconds <= 10.0, "booked behind the orders"
        assert (await elsewhere.take_available(TILL, 5, per_minute=60)).requests == 0, "one, and the next nine are for orders"

    async def test_pause_refuses_requests_without_a_reservation_too(self, bench: Bench) -> None:
        budget = bench.budget()
        await budget.pause(TILL, 60)
        with pytest.raises(Throttled) as refused:
            await budget.take_available(TILL, 1, per_minute=PER_MINUTE)
        assert type(refused.value) is Throttled

    async def test_too_long_wait_is_a_spent_allowance_and_not_a_till_limit(self, bench: Bench) -> None:
        budget = bench.budget(is_short=True)
        with pytest.raises(AllowanceSpent) as spent:
            await budget.reserve(TILL, 12, per_minute=60)
        assert spent.value.retry_after_seconds == pytest.approx(12.0, abs=1.0)

    async def test_tills_have_separate_budgets(self, bench: Bench) -> None:
        budget = bench.budget()
        await budget.pause(TILL, 60)
        assert await budget.reserve(OTHER, 1, per_minute=PER_MINUTE) < 1.0


class InMemory:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self._budget = FakeTillBudget(self._clock)

    def budget(self, *, is_short: bool = False) -> FakeTillBudget:
        self._budget.is_short = is_short
        return self._budget

    async def wait(self, seconds: float) -> None:
        await self._budget.take_available(TILL, 0, per_minute=PER_MINUTE)
        self._clock.advance(seconds)

    async def pauses_end(self) -> None:
        self._clock.advance(121)

    async def clock(self) -> float:
        return self._clock()


@dataclass
class OnPostgres:
    world: EngineWorld

    def budget(self, *, is_short: bool = False) -> PostgresTillBudget:
        return PostgresTillBudget(self.world.database, share=1)

    async def wait(self, seconds: float) -> None:
        await self.budget().take_available(TILL, 0, per_minute=PER_MINUTE)
        await self.world.fetch("UPDATE till SET refilled_at = refilled_at - make_interval(secs => $1) RETURNING 1", seconds)

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
