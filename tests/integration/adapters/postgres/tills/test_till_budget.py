"""Processes share the till's allowance. Together they stay within the limit a minute, reserve their waits and keep pauses."""

from __future__ import annotations

import asyncio

import pytest
from support.engine import EngineWorld
from support.waiting import until, within
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


async def database_time(world: EngineWorld) -> float:
    """Unix seconds of the database's clock, which the refill uses."""
    [row] = await world.fetch("SELECT extract(epoch FROM clock_timestamp())::float8 AS at")
    at: float = row["at"]
    return at


def whole_limit_budget(world: EngineWorld) -> PostgresTillBudget:
    """The budget of another process, whose share is the till's whole limit."""
    return PostgresTillBudget(world.database, share=1)


async def set_tokens(world: EngineWorld, tokens: float) -> None:
    """Sets the bucket's tokens, refilled now."""
    await world.fetch(
        "INSERT INTO till (till_id, tokens) VALUES ($1, $2) "
        "ON CONFLICT (till_id) DO UPDATE SET tokens = excluded.tokens, refilled_at = now() RETURNING 1",
        TILL,
        tokens,
    )


async def stored_tokens(world: EngineWorld) -> float:
    [row] = await world.fetch("SELECT tokens FROM till WHERE till_id = $1", TILL)
    value: float = row["tokens"]
    return value


@pytest.mark.parametrize("per_minute", [1, 2, 59, 60, 61, 119, 120, 300, 1000, 100_000])
def test_burst_and_refill_of_a_minute_stay_within_the_allowance(per_minute: int) -> None:
    # a half-open minute has the burst and one token for each full interval inside it
    assert burst(per_minute) + tokens_per_second(per_minute) * 60 <= per_minute + 1 + 1e-9
    assert 1 <= burst(per_minute) <= max(1, per_minute / 60)
    assert tokens_per_second(per_minute) > 0


async def test_new_till_has_no_tokens(world: EngineWorld) -> None:
    wait = await whole_limit_budget(world).reserve(TILL, 1, per_minute=60)
    assert 0.5 < wait <= 1.0


async def test_requests_after_a_burst_wait_at_the_refill_rate(world: EngineWorld) -> None:
    budget = whole_limit_budget(world)
    start = await database_time(world)
    await set_tokens(world, 5)
    rate = tokens_per_second(300)
    for number in range(-4, 11):
        wait, elapsed = await budget.reserve(TILL, 1, per_minute=300), await database_time(world) - start
        assert max(0.0, number / rate - elapsed) - 1e-6 <= wait <= max(0.0, number / rate) + 1e-6, (number, wait, elapsed)


async def test_idle_till_has_at_most_the_tokens_of_a_burst(world: EngineWorld) -> None:
    budget = whole_limit_budget(world)
    await set_tokens(world, 5)
    await world.fetch("UPDATE till SET refilled_at = now() - interval '1 hour' RETURNING 1")
    start, rate = await database_time(world), tokens_per_second(300)
    for number in range(-4, 3):
        wait, elapsed = await budget.reserve(TILL, 1, per_minute=300), await database_time(world) - start
        assert max(0.0, number / rate - elapsed) - 1e-6 <= wait <= max(0.0, number / rate) + 1e-6, (number, wait, elapsed)


async def test_refused_wait_takes_no_tokens(world: EngineWorld) -> None:
    budget = whole_limit_budget(world)
    start = await database_time(world)
    await set_tokens(world, 1)

    async def ends_after(wait: float | None, expected: float) -> bool:
        """True if the wait ends ``expected`` seconds after the refill."""
        assert wait is not None
        return expected - (await database_time(world) - start) - 1e-6 <= wait <= expected + 1e-6

    assert await ends_after(await budget.reserve(TILL, 11, per_minute=60), 10.0)
    before = await stored_tokens(world)
    with pytest.raises(Throttled) as refused:
        await budget.reserve(TILL, 2, per_minute=60)
    assert refused.value.side is Side.TILL
    assert await ends_after(refused.value.retry_after_seconds, 12.0)
    assert await stored_tokens(world) == before, "a refused wait takes no tokens"
    await world.fetch("UPDATE till SET refilled_at = refilled_at - interval '3 seconds' RETURNING 1")
    assert await ends_after(await budget.reserve(TILL, 2, per_minute=60), 9.0)


async def test_pause_of_a_till_does_not_delay_another_till(world: EngineWorld) -> None:
    budget = whole_limit_budget(world)
    await set_tokens(world, 0)
    await budget.pause(TILL, 60)
    assert await budget.reserve(TillId("till-b"), 1, per_minute=6000) < 1.0


async def test_two_processes_together_stay_within_the_allowance(world: EngineWorld) -> None:
    """Two budgets reserve concurrently. Each granted request has its own time."""
    budgets = [whole_limit_budget(world) for _ in range(2)]
    per_minute = 6000
    await set_tokens(world, 0)
    [start] = await world.fetch("SELECT clock_timestamp() AS at")

    async def reserving(budget: PostgresTillBudget) -> list[float | BaseException]:
        return await asyncio.gather(*(budget.reserve(TILL, 1, per_minute=per_minute) for _ in range(700)), return_exceptions=True)

    results = [result for group in await asyncio.gather(*map(reserving, budgets)) for result in group]
    [ended] = await world.fetch("SELECT clock_timestamp() AS at")
    granted = [result for result in results if isinstance(result, float)]
    refused = [result for result in results if isinstance(result, Throttled)]
    assert len(granted) + len(refused) == 1400, results
    assert all(0 <= wait <= LONGEST_WAIT_SECONDS for wait in granted)
    seconds = (ended["at"] - start["at"]).total_seconds()
    rate = tokens_per_second(per_minute)
    assert len(granted) <= rate * (seconds + LONGEST_WAIT_SECONDS) + burst(per_minute)
    assert len(granted) >= rate * LONGEST_WAIT_SECONDS - 1, "all tokens within the longest wait are granted"
    # each granted request took its token, so at most the refill minus the grants is left
    assert await stored_tokens(world) <= burst(per_minute) + rate * seconds - len(granted) + 1e-6


async def test_reservation_after_a_lock_wait_counts_tokens_taken_meanwhile(world: EngineWorld, patient: EngineWorld) -> None:
    """The reservation uses the tokens of the locked row, not those of the statement's snapshot."""
    budget = whole_limit_budget(patient)
    start = await database_time(world)
    await set_tokens(world, 5)
    async with world.database.acquire() as locker:
        transaction = locker.transaction()
        await transaction.start()
        await locker.execute("UPDATE till SET tokens = tokens - 5 WHERE till_id = $1", TILL)
        reserving = asyncio.create_task(budget.reserve(TILL, 5, per_minute=300))
        await world.until_lock_wait()
        await transaction.commit()
    wait, elapsed, rate = await within(reserving), await database_time(world) - start, tokens_per_second(300)
    assert wait >= 5 / rate - elapsed - 1e-6, "the tokens that the other session took are not granted again"
    assert await stored_tokens(world) <= 5 - 10 + rate * elapsed + 1e-6


async def test_reservations_of_one_process_share_statements(world: EngineWorld) -> None:
    budget = whole_limit_budget(world)
    await set_tokens(world, 100)
    statements = 0
    run_statement = budget._run_statement

    async def counting(*args: object) -> object:
        nonlocal statements
        statements += 1
        return await run_statement(*args)  # type: ignore[arg-type]

    budget._run_statement = counting  # type: ignore[method-assign,assignment]
    waits = await asyncio.gather(*(budget.reserve(TILL, 1, per_minute=6000) for _ in range(200)))
    assert list(waits) == sorted(waits), "waits rise in the order of the calls"
    assert statements <= 5
    tills = [TillId(f"till-{number}") for number in range(1, 41)]
    await asyncio.gather(*(budget.reserve(till, 1, per_minute=6000) for till in tills))  # inserts their rows
    statements = 0
    await asyncio.gather(*(budget.reserve(till, 1, per_minute=6000) for till in tills))
    assert statements <= 2, "one statement of the first caller, and one of all callers that came during it"
    assert budget._waiting_callers == {}, "a till without callers keeps no state"


async def test_locked_till_row_delays_no_other_till(world: EngineWorld, patient: EngineWorld) -> None:
    budget = whole_limit_budget(patient)
    await budget.reserve(OTHER, 1, per_minute=6000)
    await set_tokens(world, 5)
    async with world.database.acquire() as locker:
        transaction = locker.transaction()
        await transaction.start()
        await locker.execute("UPDATE till SET tokens = tokens WHERE till_id = $1", TILL)
        reserved = asyncio.create_task(budget.reserve(TILL, 1, per_minute=6000))
        waiting_take = asyncio.create_task(budget.take_available(TILL, 1, per_minute=6000))
        for _ in range(3):
            assert await within(budget.reserve(OTHER, 1, per_minute=6000)) < 1.0
        await world.until_lock_wait()
        assert not reserved.done()
        await transaction.rollback()
    assert await within(reserved) == 0.0
    assert (await within(waiting_take)).requests == 1


async def test_accounts_of_one_till_may_have_different_limits(world: EngineWorld) -> None:
    budget = whole_limit_budget(world)
    await set_tokens(world, 1000)
    reservations = asyncio.gather(*(budget.reserve(TILL, 3, per_minute=per_minute) for per_minute in (600, 6000, 600)))
    taken = await budget.take_available(TILL, 0, per_minute=600)
    assert taken.requests == 0
    assert all(0 <= wait < 1 for wait in await reservations)


# -- the share of the till's limit


async def measured_rate(world: EngineWorld, budget: PostgresTillBudget, per_minute: int) -> float:
    """Tokens a second, computed from the wait for three tokens of an empty bucket."""
    await set_tokens(world, 0)
    start = await database_time(world)
    wait, elapsed = await budget.reserve(TILL, 3, per_minute=per_minute), await database_time(world) - start
    assert 3 / (wait + elapsed + 1e-6) <= 3 / wait
    return 3 / (wait + elapsed / 2)


async def test_default_share_is_half_of_the_tills_limit(world: EngineWorld) -> None:
    assert await measured_rate(world, PostgresTillBudget(world.database), 300) == pytest.approx(tokens_per_second(150), rel=0.2)
    assert await measured_rate(world, PostgresTillBudget(world.database, share=0.25), 300) == pytest.approx(tokens_per_second(75), rel=0.2)


async def test_refusal_below_the_share_halves_the_share_for_an_hour(world: EngineWorld) -> None:
    budget, other_process = PostgresTillBudget(world.database), PostgresTillBudget(world.database)
    await set_tokens(world, 0)
    await budget.note_refusal(TILL, per_minute=300)
    assert await measured_rate(world, other_process, 300) == pytest.approx(tokens_per_second(75), rel=0.2)
    await set_tokens(world, 100)
    taken = await other_process.take_available(TILL, 100, per_minute=300)
    assert taken.requests == burst(75)
    [row] = await world.fetch("SELECT busy_until - now() AS remaining, busy_until - busy_since AS duration FROM till")
    assert 3590 <= row["remaining"].total_seconds() <= 3600
    assert row["duration"].total_seconds() == pytest.approx(3600)

    await world.fetch(
        "UPDATE till SET busy_since = busy_since - interval '1 hour', busy_until = busy_until - interval '1 hour' RETURNING 1"
    )
    assert await measured_rate(world, other_process, 300) == pytest.approx(tokens_per_second(150), rel=0.2), "the hour is over"
    await budget.note_refusal(TILL, per_minute=300)
    [row] = await world.fetch("SELECT now() - busy_since AS since FROM till")
    assert row["since"].total_seconds() < 60, "the new refusal starts a new hour"


async def test_second_refusal_within_the_hour_prolongs_the_halved_share(world: EngineWorld) -> None:
    budget = PostgresTillBudget(world.database)
    await set_tokens(world, 0)
    await budget.note_refusal(TILL, per_minute=300)
    await world.fetch(
        "UPDATE till SET busy_since = busy_since - interval '30 minutes', busy_until = busy_until - interval '30 minutes' RETURNING 1"
    )
    await budget.note_refusal(TILL, per_minute=300)
    [row] = await world.fetch("SELECT busy_until - busy_since AS duration FROM till")
    assert 5390 <= row["duration"].total_seconds() <= 5410


@pytest.mark.parametrize(("tokens_left", "is_halved"), [(0, False), (5, True)], ids=["no tokens left", "tokens left"])
async def test_whole_limit_is_halved_only_after_a_refusal_with_tokens_left(world: EngineWorld, tokens_left: float, is_halved: bool) -> None:
    await set_tokens(world, tokens_left - 1)
    await whole_limit_budget(world).note_refusal(TILL, per_minute=300)
    [row] = await world.fetch("SELECT busy_until IS NOT NULL AS is_halved FROM till")
    assert row["is_halved"] is is_halved


# -- orders, live and bulk, on the database


@pytest.mark.parametrize("separate", [False, True], ids=["one process", "two processes"])
async def test_order_waits_for_at_most_one_bulk_request(world: EngineWorld, separate: bool) -> None:
    """The limit is ten requests a second and bulk requests never end. The order sends four requests, one after another."""
    sent: list[RequestClass] = []

    def new_gate() -> TillGate:
        return TillGate(whole_limit_budget(world), TILL, max_in_flight=16, sleep=asyncio.sleep)

    async def send(gate: TillGate, request_class: RequestClass) -> None:
        async with gate.request(request_class, 600):
            sent.append(request_class)

    async def send_bulk(gate: TillGate) -> None:
        while True:
            await send(gate, RequestClass.BULK)

    order_gate = new_gate()
    bulk_gate = new_gate() if separate else order_gate
    async with asyncio.TaskGroup() as group:
        bulk = [group.create_task(send_bulk(bulk_gate)) for _ in range(20)]
        await until(lambda: len(sent) >= 15)
        before = []
        for _ in range(4):
            first = len(sent)
            await within(send(order_gate, RequestClass.ORDER))
            before.append(sent[first:].count(RequestClass.BULK))
        for task in bulk:
            task.cancel()
    assert max(before) <= 1, before
