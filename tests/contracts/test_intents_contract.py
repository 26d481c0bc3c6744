"""Never a twin: one intent per till and email, for any number of concurrent callers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

import pytest
from fakes.clock import FakeClock
from fakes.intents import FakeIntents
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.tills.intents import PostgresIntents
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.intent import Intent, IntentState
from tillsync_server.ports.tills import IntentStore

TILL, EMAIL = TillId("till-a"), "ada@example.test"
ONE, TWO = AccountId("shop-a"), AccountId("shop-b")


class Bench(Protocol):
    @property
    def intents(self) -> IntentStore: ...

    async def settle(self) -> None:
        """Lets the settle time of every intent pass."""
        ...


async def the_intent(intents: IntentStore) -> Intent:
    found = await intents.get(TILL, EMAIL)
    assert found is not None
    return found


async def all_that_stand(intents: IntentStore) -> tuple[Intent, ...]:
    found = await intents.get(TILL, EMAIL)
    return () if found is None else (found,)


class IntentStoreContract:
    async def test_second_claim_gets_the_intent_of_the_first(self, bench: Bench) -> None:
        intents = bench.intents
        assert await intents.get(TILL, EMAIL) is None
        assert await intents.open(TILL, (EMAIL,), ONE, "one:1", settle_seconds=90) is None
        standing = await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90)
        assert standing is not None
        assert (standing.state, standing.account_id, standing.epos_customer_id) == (IntentState.OPEN, ONE, None)
        assert (standing.settled_at - standing.create_time).total_seconds() == 90
        assert not standing.is_settled
        assert await intents.open(TILL, (EMAIL,), ONE, "one:1", settle_seconds=90) is not None, "not even the same run has two"
        assert await intents.open(TillId("till-b"), (EMAIL,), TWO, "two:1", settle_seconds=90) is None
        assert await intents.open(TILL, ("bea@example.test",), TWO, "two:1", settle_seconds=90) is None

    async def test_exactly_one_of_two_racing_accounts_opens_the_intent(self, bench: Bench) -> None:
        intents = bench.intents
        for round_number in range(20):
            email = f"{round_number}@example.test"
            runs = [(account, f"{account}:{number}") for account in (ONE, TWO) for number in range(4)]
            answers = await asyncio.gather(*(intents.open(TILL, (email,), account, owner, settle_seconds=90) for account, owner in runs))
            assert answers.count(None) == 1
            winner, _ = runs[answers.index(None)]
            assert {answer.account_id for answer in answers if answer is not None} == {winner}

    async def test_intent_is_opened_under_all_its_keys_or_none(self, bench: Bench) -> None:
        intents, keys = bench.intents, ("straße@example.test", "strasse@example.test")
        assert await intents.open(TILL, keys, ONE, "one:1", settle_seconds=90) is None
        for key in keys:
            standing = await intents.open(TILL, (key,), TWO, "two:1", settle_seconds=90)
            assert standing is not None
            assert (standing.email, standing.account_id) == (key, ONE)
        await intents.clear(TILL, keys, "one:1")
        assert [await intents.get(TILL, key) for key in keys] == [None, None]

        assert await intents.open(TILL, keys[1:], TWO, "two:1", settle_seconds=90) is None, "as the release before takes it"
        standing = await intents.open(TILL, keys, ONE, "one:2", settle_seconds=90)
        assert standing is not None
        assert (standing.email, standing.account_id) == (keys[1], TWO)
        assert await intents.get(TILL, keys[0]) is None, "nothing is left under the other key"
        await intents.complete(TILL, keys[1:], "two:1", EposCustomerId(7))
        dead = await intents.get(TILL, keys[1])
        assert dead is not None
        assert await intents.open(TILL, keys, ONE, "one:2", settle_seconds=90, replaces=(dead,)) is None
        await intents.mark_unknown(TILL, keys, "one:2")
        assert [each and each.state for each in [await intents.get(TILL, key) for key in keys]] == [IntentState.UNKNOWN] * 2
        await intents.complete(TILL, keys, "one:2", EposCustomerId(8))
        assert [each and each.epos_customer_id for each in [await intents.get(TILL, key) for key in keys]] == [8, 8]

    async def test_exactly_one_of_two_racing_releases_opens_the_intent(self, bench: Bench) -> None:
        intents = bench.intents
        for round_number in range(20):
            old, new = (f"b{round_number}@example.test",), (f"c{round_number}@example.test", f"b{round_number}@example.test")
            other = (f"b{round_number}@example.test", f"c{round_number}@example.test")
            answers = await asyncio.gather(
                *(
                    intents.open(TILL, keys, account, f"{account}:{number}", settle_seconds=90)
                    for number, keys in enumerate((old, new, other, old, new))
                    for account in (ONE, TWO)
                )
            )
            assert answers.count(None) == 1

    @pytest.mark.catches("only-the-intent-read-is-replaced")
    async def test_exactly_one_of_two_callers_replaces_a_settled_intent(self, bench: Bench) -> None:
        intents = bench.intents
        for round_number in range(20):
            await intents.open(TILL, (EMAIL,), ONE, f"old:{round_number}", settle_seconds=90, replaces=await all_that_stand(intents))
            await intents.mark_unknown(TILL, (EMAIL,), f"old:{round_number}")
            await bench.settle()
            dead = await the_intent(intents)
            assert dead.is_settled
            answers = await asyncio.gather(
                *(intents.open(TILL, (EMAIL,), TWO, f"new:{number}", settle_seconds=90, replaces=(dead,)) for number in range(6))
            )
            assert answers.count(None) == 1
            assert (await the_intent(intents)).account_id == TWO
            await bench.settle()

    @pytest.mark.catches("unsettled-intents-stand")
    async def test_unsettled_intent_is_never_replaced(self, bench: Bench) -> None:
        intents = bench.intents
        await intents.open(TILL, (EMAIL,), ONE, "one:1", settle_seconds=90)
        standing = await the_intent(intents)
        assert await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90, replaces=(standing,)) is not None
        await intents.mark_unknown(TILL, (EMAIL,), "one:1")
        unknown = await the_intent(intents)
        assert unknown.state is IntentState.UNKNOWN
        assert unknown.settled_at == standing.settled_at
        assert await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90, replaces=(unknown,)) is not None
        await bench.settle()
        settled = await the_intent(intents)
        assert await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90, replaces=(settled,)) is None

    @pytest.mark.catches("only-the-intent-read-is-replaced")
    async def test_intent_changed_since_it_was_read_is_not_replaced(self, bench: Bench) -> None:
        intents = bench.intents
        await intents.open(TILL, (EMAIL,), ONE, "one:1", settle_seconds=90)
        await bench.settle()
        read = await the_intent(intents)
        other_reads = (
            replace(read, state=IntentState.UNKNOWN),
            replace(read, account_id=TWO),
            replace(read, epos_customer_id=EposCustomerId(1)),
            replace(read, settled_at=read.create_time),
            replace(read, create_time=read.settled_at),
        )
        for other in other_reads:
            assert await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90, replaces=(other,)) is not None
        await intents.mark_unknown(TILL, (EMAIL,), "one:1")  # the intent changed after it was read
        standing = await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90, replaces=(read,))
        assert standing is not None
        assert (standing.state, standing.account_id) == (IntentState.UNKNOWN, ONE)

    async def test_done_intent_is_replaced_only_by_a_caller_that_read_it(self, bench: Bench) -> None:
        intents = bench.intents
        await intents.open(TILL, (EMAIL,), ONE, "one:1", settle_seconds=90)
        await intents.complete(TILL, (EMAIL,), "one:1", EposCustomerId(90001))
        done = await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90)
        assert done is not None
        assert (done.state, done.epos_customer_id) == (IntentState.DONE, 90001)
        # the customer is proven deleted, so no settle time applies
        assert await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90, replaces=(done,)) is None
        now = await the_intent(intents)
        assert (now.state, now.account_id, now.epos_customer_id) == (IntentState.OPEN, TWO, None)

    @pytest.mark.catches("intents-are-cleared-by-their-owner")
    async def test_another_owner_cannot_change_the_intent(self, bench: Bench) -> None:
        intents = bench.intents
        await intents.open(TILL, (EMAIL,), ONE, "one:2", settle_seconds=90)
        await intents.mark_unknown(TILL, (EMAIL,), "one:1")
        await intents.complete(TILL, (EMAIL,), "one:1", EposCustomerId(1))
        await intents.clear(TILL, (EMAIL,), "one:1")
        standing = await the_intent(intents)
        assert (standing.state, standing.epos_customer_id) == (IntentState.OPEN, None)

    async def test_refused_create_clears_the_intent_and_an_unknown_one_keeps_it(self, bench: Bench) -> None:
        intents = bench.intents
        await intents.open(TILL, (EMAIL,), ONE, "one:1", settle_seconds=90)
        await intents.clear(TILL, (EMAIL,), "one:1")
        assert await intents.get(TILL, EMAIL) is None
        assert await intents.open(TILL, (EMAIL,), TWO, "two:1", settle_seconds=90) is None
        await intents.mark_unknown(TILL, (EMAIL,), "two:1")
        await intents.clear(TILL, (EMAIL,), "two:1")
        assert (await the_intent(intents)).state is IntentState.UNKNOWN
        await intents.complete(TILL, (EMAIL,), "two:1", EposCustomerId(7))
        await intents.clear(TILL, (EMAIL,), "two:1")
        assert (await the_intent(intents)).state is IntentState.DONE

    async def test_concurrent_opens_and_clears_never_have_two_owners(self, bench: Bench) -> None:
        intents = bench.intents
        inside, most = 0, 0

        async def one(number: int) -> int:
            nonlocal inside, most
            won = 0
            for turn in range(15):
                owner = f"{number}:{turn}"
                if await intents.open(TILL, (EMAIL,), ONE, owner, settle_seconds=90) is None:
                    inside += 1
                    most = max(most, inside)
                    await asyncio.sleep(0)
                    won += 1
                    inside -= 1
                    await intents.clear(TILL, (EMAIL,), owner)
            return won

        assert sum(await asyncio.gather(*(one(number) for number in range(6)))) > 0
        assert most == 1


class InMemory:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self.intents = FakeIntents(self._clock, _next_turn)

    async def settle(self) -> None:
        self._clock.advance(91)


async def _next_turn(_step: str) -> None:
    await asyncio.sleep(0)


@dataclass
class OnPostgres:
    world: EngineWorld

    @property
    def intents(self) -> PostgresIntents:
        return PostgresIntents(self.world.database)

    async def settle(self) -> None:
        await self.world.fetch("UPDATE intent SET settled_at = now() - interval '1 second' RETURNING 1")


class TestFakeIntents(IntentStoreContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresIntents(IntentStoreContract):
    @pytest.fixture
    def bench(self, world: EngineWorld) -> Bench:
        return OnPostgres(world)
