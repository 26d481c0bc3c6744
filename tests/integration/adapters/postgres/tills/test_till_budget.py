"""The till's request allowance, shared by processes: never more than allowed within a minute, waits booked, pauses kept."""

from __future__ import annotations

import asyncio

import pytest
from support.engine import EngineWorld
from support.waiting import within
from tillsync_server.adapters.epos.till_gate import TillGate
from tillsync_server.adapters.postgres.tills.till_budget import (
    LONGEST_WAIT_SECONDS,
    PostgresTillBudget,
    burst,
    tokens_per_second,
)
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Throttled
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.request_class import RequestClass

pytestmark = pytest.mark.integration
TILL, OTHER = TillId("till-a"), TillId("till-b")


async def clock(world: EngineWorld) -> float:
    """Unix seconds of the database, which refills the bucket while a test runs."""
    [row] = await world.fetch("SELECT extract(epoch FROM clock_timestamp())::float8 AS at")
    at: float = row["at"]
    return at


def whole(world: EngineWorld) -> PostgresTillBudget:
    """The budget of one more process that takes the till's whole limit."""
    return PostgresTillBudget(world.database, share=1)


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
    wait = await whole(world).reserve(TILL, 1, per_minute=60)
    assert 0.5 < wait <= 1.0


async def test_a_burst_leaves_at_once_and_what_follows_is_spaced(world: EngineWorld) -> None:
    budget = whole(world)
    began = await clock(world)
    await refill(world, 5)
    rate = tokens_per_second(300)
    for number in range(-4, 11):
        wait, elapsed = await budget.reserve(TILL, 1, per_minute=300), await clock(world) - began
        assert max(0.0, number / rate - elapsed) - 1e-6 <= wait <= max(0.0, number / rate) + 1e-6, (number, wait, elapsed)


async def test_silence_saves_up_no_more_than_a_burst(world: EngineWorld) -> None:
    budget = whole(world)
    await refill(world, 5)
    await world.fetch("UPDATE till SET refilled_at = now() - interval '1 hour' RETURNING 1")
    began, rate = await clock(world), tokens_per_second(300)
    for number in range(-4, 3):
        wait, elapsed = await budget.reserve(TILL, 1, per_minute=300), await clock(world) - began
        assert max(0.0, number / rate - elapsed) - 1e-6 <= wait <= max(0.0, number / rate) + 1e-6, (number, wait, elapsed)


async def test_a_long_wait_is_refused_and_books_nothing(world: EngineWorld) -> None:
    budget = whole(world)
    began = await clock(world)
    await refill(world, 1)

    async def is_after(wait: float | None, expected: float) -> bool:
        """``expected`` seconds after the refill: less what has gone by since then."""
        assert wait is not None
        return expected - (await clock(world) - began) - 1e-6 <= wait <= expected + 1e-6

    assert await is_after(await budget.reserve(TILL, 11, per_minute=60), 10.0)
    before = await tokens(world)
    with pytest.raises(Throttled) as refused:
        await budget.reserve(TILL, 2, per_minute=60)
    assert refused.value.side is Side.TILL
    assert await is_after(refused.value.retry_after_seconds, 12.0)
    assert await tokens(world) == before, "nothing was booked"
    await world.fetch("UPDATE till SET refilled_at = refilled_at - interval '3 seconds' RETURNING 1")
    assert await is_after(await budget.reserve(TILL, 2, per_minute=60), 9.0)


async def test_two_tills_and_their_waits_are_apart(world: EngineWorld) -> None:
    budget = whole(world)
    await refill(world, 0)
    await budget.pause(TILL, 60)
    assert await budget.reserve(TillId("till-b"), 1, per_minute=6000) < 1.0


async def test_two_processes_never_take_more_than_the_allowance(world: EngineWorld) -> None:
    """Concurrent takes of two budgets: every grant has a place of its own on the till's time line."""
    budgets = [whole(world) for _ in range(2)]
    per_minute = 6000
    await refill(world, 0)
    [began] = await world.fetch("SELECT clock_timestamp() AS at")

    async def taking(budget: PostgresTillBudget) -> list[float | BaseException]:
        return await asyncio.gather(*(budget.reserve(TILL, 1, per_minute=per_minute) for _ in range(700)), return_exceptions=True)

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
    budget = whole(patient)
    began = await clock(world)
    await refill(world, 5)
    async with world.database.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE till SET tokens = tokens - 5 WHERE till_id = $1", TILL)
        taking = asyncio.create_task(budget.reserve(TILL, 5, per_minute=300))
        await world.until_lock_wait()
        await transaction.commit()
    wait, elapsed, rate = await within(taking), await clock(world) - began, tokens_per_second(300)
    assert wait >= 5 / rate - elapsed - 1e-6, "five tokens are five tokens, whoever takes them"
    assert await tokens(world) <= 5 - 10 + rate * elapsed + 1e-6


async def test_takes_of_one_process_share_statements(world: EngineWorld) -> None:
    budget = whole(world)
    await refill(world, 100)
    statements = 0
    taken = budget._run_statement

    async def counted(*args: object) -> object:
        nonlocal statements
        statements += 1
        return await taken(*args)  # type: ignore[arg-type]

    budget._run_statement = counted  # type: ignore[method-assign,assignment]
    waits = await asyncio.gather(*(budget.reserve(TILL, 1, per_minute=6000) for _ in range(200)))
    assert list(waits) == sorted(waits), "in order of the calls"
    assert statements <= 5
    tills = [TillId(f"till-{number}") for number in range(1, 41)]
    await asyncio.gather(*(budget.reserve(till, 1, per_minute=6000) for till in tills))  # makes their rows
    statements = 0
    await asyncio.gather(*(budget.reserve(till, 1, per_minute=6000) for till in tills))
    assert statements <= 2, "the first caller's, and one for all who came meanwhile"
    assert budget._waiting_callers == {}, "nothing is kept of a till that nobody asks"


async def test_a_till_whose_row_is_locked_holds_up_no_other(world: EngineWorld, patient: EngineWorld) -> None:
    budget = whole(patient)
    await budget.reserve(OTHER, 1, per_minute=6000)
    await refill(world, 5)
    async with world.database.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE till SET tokens = tokens WHERE till_id = $1", TILL)
        held = asyncio.create_task(budget.reserve(TILL, 1, per_minute=6000))
        behind = asyncio.create_task(budget.take_available(TILL, 1, per_minute=6000))
        for _ in range(3):
            assert await within(budget.reserve(OTHER, 1, per_minute=6000)) < 1.0
        await world.until_lock_wait()
        assert not held.done()
        await transaction.rollback()
    assert await within(held) == 0.0
    assert (await within(behind)).requests == 1


async def test_two_accounts_of_a_till_that_name_different_limits_are_both_answered(world: EngineWorld) -> None:
    budget = whole(world)
    await refill(world, 1000)
    asked = asyncio.gather(*(budget.reserve(TILL, 3, per_minute=per_minute) for per_minute in (600, 6000, 600)))
    nothing = await budget.take_available(TILL, 0, per_minute=600)
    assert nothing.requests == 0
    assert all(0 <= wait < 1 for wait in await asked)


# -- our share of the till's limit


async def pace_of(world: EngineWorld, budget: PostgresTillBudget, per_minute: int) -> float:
    """Tokens a second: from the wait for three of an empty bucket."""
    await refill(world, 0)
    began = await clock(world)
    wait, elapsed = await budget.reserve(TILL, 3, per_minute=per_minute), await clock(world) - began
    assert 3 / (wait + elapsed + 1e-6) <= 3 / wait
    return 3 / (wait + elapsed / 2)


async def test_half_of_the_tills_limit_is_taken_by_default(world: EngineWorld) -> None:
    assert await pace_of(world, PostgresTillBudget(world.database), 300) == pytest.approx(tokens_per_second(150), rel=0.2)
    assert await pace_of(world, PostgresTillBudget(world.database, share=0.25), 300) == pytest.approx(tokens_per_second(75), rel=0.2)


async def test_a_refusal_with_our_share_unspent_halves_it_for_an_hour(world: EngineWorld) -> None:
    budget, elsewhere = PostgresTillBudget(world.database), PostgresTillBudget(world.database)
    await refill(world, 0)
    await budget.note_refusal(TILL, per_minute=300)
    assert await pace_of(world, elsewhere, 300) == pytest.approx(tokens_per_second(75), rel=0.2)
    await refill(world, 100)
    given = await elsewhere.take_available(TILL, 100, per_minute=300)
    assert given.requests == burst(75)
    [row] = await world.fetch("SELECT busy_until - now() AS still, busy_until - busy_since AS whole FROM till")
    assert 3590 <= row["still"].total_seconds() <= 3600
    assert row["whole"].total_seconds() == pytest.approx(3600)

    await world.fetch(
        "UPDATE till SET busy_since = busy_since - interval '1 hour', busy_until = busy_until - interval '1 hour' RETURNING 1"
    )
    assert await pace_of(world, elsewhere, 300) == pytest.approx(tokens_per_second(150), rel=0.2), "it comes back by itself"
    await budget.note_refusal(TILL, per_minute=300)
    [row] = await world.fetch("SELECT now() - busy_since AS since FROM till")
    assert row["since"].total_seconds() < 60, "another hour is another time"


async def test_another_refusal_within_the_hour_prolongs_it(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    await refill(world, 0)
    await budget.note_refusal(TILL, per_minute=300)
    await world.fetch(
        "UPDATE till SET busy_since = busy_since - interval '30 minutes', busy_until = busy_until - interval '30 minutes' RETURNING 1"
    )
    await budget.note_refusal(TILL, per_minute=300)
    [row] = await world.fetch("SELECT busy_until - busy_since AS whole FROM till")
    assert 5390 <= row["whole"].total_seconds() <= 5410


@pytest.mark.parametrize(("saved_up", "is_halved"), [(0, False), (5, True)])
async def test_with_the_whole_limit_only_what_is_left_of_it_says_that_another_app_is_busy(
    world: EngineWorld, saved_up: float, is_halved: bool
) -> None:
    await refill(world, saved_up - 1)
    await whole(world).note_refusal(TILL, per_minute=300)
    [row] = await world.fetch("SELECT busy_until IS NOT NULL AS is_halved FROM till")
    assert row["is_halved"] is is_halved


# -- orders, live and bulk, on the database


@pytest.mark.parametrize("apart", [False, True], ids=["one process", "two processes"])
async def test_an_order_waits_for_at_most_one_request_of_others(world: EngineWorld, apart: bool) -> None:
    """At ten a second and bulk that never ends: an order's four requests, each after the one before."""
    sent: list[RequestClass] = []

    def gate() -> TillGate:
        return TillGate(whole(world), TILL, max_in_flight=16, sleep=asyncio.sleep)

    async def send(through: TillGate, request_class: RequestClass) -> None:
        async with through.request(request_class, 600):
            sent.append(request_class)

    async def endlessly(through: TillGate) -> None:
        while True:
            await send(through, RequestClass.BULK)

    ours = gate()
    others = gate() if apart else ours
    async with asyncio.TaskGroup() as group:
        bulk = [group.create_task(endlessly(others)) for _ in range(20)]
        await within(until_sent(sent, 15))
        before = []
        for _ in range(4):
            begun = len(sent)
            await within(send(ours, RequestClass.ORDER))
            before.append(sent[begun:].count(RequestClass.BULK))
        for task in bulk:
            task.cancel()
    assert max(before) <= 1, before


async def until_sent(sent: list[RequestClass], count: int) -> None:
    while len(sent) < count:
        await asyncio.sleep(0.01)
