"""The till's request allowance, shared by processes: never more than allowed within a minute, waits booked, pauses kept."""

from __future__ import annotations

import asyncio

import pytest
from support.engine import EngineWorld
from support.waiting import within
from tillsync_server.adapters.postgres.till_budget import (
    LONGEST_WAIT_SECONDS,
    PostgresTillBudget,
    burst,
    tokens_per_second,
)
from tillsync_server.domain.errors import Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.vocabulary import Side

pytestmark = pytest.mark.integration
TILL = TillId("till-a")


async def clock(world: EngineWorld) -> float:
    """Unix seconds of the database, which refills the bucket while a test runs."""
    [row] = await world.fetch("SELECT extract(epoch FROM clock_timestamp())::float8 AS at")
    at: float = row["at"]
    return at


async def refill(world: EngineWorld, tokens: float) -> None:
    """The bucket as it is after some time: full at most, and refilled just now."""
    await world.fetch(
        "INSERT INTO till (till_id, tokens) VALUES ($1, $2) "
        "ON CONFLICT (till_id) DO UPDATE SET tokens = excluded.tokens, refilled_at = now() RETURNING 1",
        TILL,
        tokens,
    )


async def tokens(world: EngineWorld) -> float:
    [row] = await world.fetch("SELECT tokens FROM till WHERE till_id = $1", TILL)
    value: float = row["tokens"]
    return value


@pytest.mark.parametrize("per_minute", [1, 2, 59, 60, 61, 119, 120, 300, 1000, 100_000])
def test_a_burst_and_a_minutes_refill_are_the_allowance(per_minute: int) -> None:
    # within any half-open minute: the burst, and a token for each full interval that lies inside it
    assert burst(per_minute) + tokens_per_second(per_minute) * 60 <= per_minute + 1 + 1e-9
    assert 1 <= burst(per_minute) <= max(1, per_minute / 60)
    assert tokens_per_second(per_minute) > 0


async def test_a_till_without_a_bucket_starts_with_nothing_saved_up(world: EngineWorld) -> None:
    wait = await PostgresTillBudget(world.database).take(TILL, 1, per_minute=60)
    assert 0.5 < wait <= 1.0


async def test_a_burst_leaves_at_once_and_what_follows_is_spaced(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    began = await clock(world)
    await refill(world, 5)
    rate = tokens_per_second(300)
    for number in range(-4, 11):
        wait, elapsed = await budget.take(TILL, 1, per_minute=300), await clock(world) - began
        assert max(0.0, number / rate - elapsed) - 1e-6 <= wait <= max(0.0, number / rate) + 1e-6, (number, wait, elapsed)


async def test_silence_saves_up_no_more_than_a_burst(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    await refill(world, 5)
    await world.fetch("UPDATE till SET refilled_at = now() - interval '1 hour' RETURNING 1")
    began, rate = await clock(world), tokens_per_second(300)
    for number in range(-4, 3):
        wait, elapsed = await budget.take(TILL, 1, per_minute=300), await clock(world) - began
        assert max(0.0, number / rate - elapsed) - 1e-6 <= wait <= max(0.0, number / rate) + 1e-6, (number, wait, elapsed)


async def test_a_long_wait_is_refused_and_books_nothing(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    began = await clock(world)
    await refill(world, 1)

    async def is_after(wait: float | None, expected: float) -> bool:
        """``expected`` seconds after the refill: less what has gone by since then."""
        assert wait is not None
        return expected - (await clock(world) - began) - 1e-6 <= wait <= expected + 1e-6

    assert await is_after(await budget.take(TILL, 11, per_minute=60), 10.0)
    before = await tokens(world)
    with pytest.raises(Throttled) as refused:
        await budget.take(TILL, 2, per_minute=60)
    assert refused.value.side is Side.TILL
    assert await is_after(refused.value.retry_after_seconds, 12.0)
    assert await tokens(world) == before, "nothing was booked"
    await world.fetch("UPDATE till SET refilled_at = refilled_at - interval '3 seconds' RETURNING 1")
    assert await is_after(await budget.take(TILL, 2, per_minute=60), 9.0)


async def test_a_pause_stops_everybody_and_ends_by_itself(world: EngineWorld) -> None:
    here, elsewhere = PostgresTillBudget(world.database), PostgresTillBudget(world.database)
    await refill(world, 5)
    began = await clock(world)
    await here.pause(TILL, 120)
    await here.pause(TILL, 5)  # a shorter one does not end the longer
    with pytest.raises(Throttled) as refused:
        await elsewhere.take(TILL, 1, per_minute=300)
    assert refused.value.retry_after_seconds is not None
    assert 120 - (await clock(world) - began) - 1e-6 <= refused.value.retry_after_seconds <= 120 + 1e-6
    await world.fetch("UPDATE till SET paused_until = now() - interval '1 second' RETURNING 1")
    assert await elsewhere.take(TILL, 1, per_minute=300) < 1.0


async def test_a_pause_of_a_till_without_a_bucket_makes_one(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    await budget.pause(TILL, 60)
    with pytest.raises(Throttled):
        await budget.take(TILL, 1, per_minute=300)


async def test_two_tills_and_their_waits_are_apart(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    await refill(world, 0)
    await budget.pause(TILL, 60)
    assert await budget.take(TillId("till-b"), 1, per_minute=6000) < 1.0


async def test_two_processes_never_take_more_than_the_allowance(world: EngineWorld) -> None:
    """Concurrent takes of two budgets: every grant has a place of its own on the till's time line."""
    budgets = [PostgresTillBudget(world.database) for _ in range(2)]
    per_minute = 6000
    await refill(world, 0)
    [began] = await world.fetch("SELECT clock_timestamp() AS at")

    async def taking(budget: PostgresTillBudget) -> list[float | BaseException]:
        return await asyncio.gather(*(budget.take(TILL, 1, per_minute=per_minute) for _ in range(700)), return_exceptions=True)

    results = [result for group in await asyncio.gather(*map(taking, budgets)) for result in group]
    [ended] = await world.fetch("SELECT clock_timestamp() AS at")
    granted = [result for result in results if isinstance(result, float)]
    refused = [result for result in results if isinstance(result, Throttled)]
    assert len(granted) + len(refused) == 1400, results
    assert all(0 <= wait <= LONGEST_WAIT_SECONDS for wait in granted)
    seconds = (ended["at"] - began["at"]).total_seconds()
    rate = tokens_per_second(per_minute)
    assert len(granted) <= rate * (seconds + LONGEST_WAIT_SECONDS) + burst(per_minute)
    assert len(granted) >= rate * LONGEST_WAIT_SECONDS - 1, "what there is is given"
    # all that was granted is booked: what is left is the refill minus the grants, never more
    assert await tokens(world) <= burst(per_minute) + rate * seconds - len(granted) + 1e-6


async def test_a_take_that_had_to_wait_for_the_row_counts_what_was_taken_meanwhile(world: EngineWorld, patient: EngineWorld) -> None:
    """The bucket is decided on by the value that the lock returned, not by the one the statement saw when it began."""
    budget = PostgresTillBudget(patient.database)
    began = await clock(world)
    await refill(world, 5)
    async with world.database.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE till SET tokens = tokens - 5 WHERE till_id = $1", TILL)
        taking = asyncio.create_task(budget.take(TILL, 5, per_minute=300))
        await world.until_locked_out()
        await transaction.commit()
    wait, elapsed, rate = await within(taking), await clock(world) - began, tokens_per_second(300)
    assert wait >= 5 / rate - elapsed - 1e-6, "five tokens are five tokens, whoever takes them"
    assert await tokens(world) <= 5 - 10 + rate * elapsed + 1e-6


async def test_takes_of_one_process_share_statements(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    await refill(world, 100)
    statements = 0
    take_together = budget._take_together

    async def counted(*args: object) -> list[float | Exception]:
        nonlocal statements
        statements += 1
        return await take_together(*args)  # type: ignore[arg-type]

    budget._take_together = counted  # type: ignore[method-assign,assignment]
    waits = await asyncio.gather(*(budget.take(TILL, 1, per_minute=6000) for _ in range(200)))
    assert list(waits) == sorted(waits), "in order of the calls"
    assert statements <= 5
    assert budget._lines == {}, "nothing is kept of a till that nobody asks"
