"""Sales that wait to be read: one per till at a time, at the till's pace. No sale is lost, and none is kept for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import pytest
from fakes.clock import FakeClock
from fakes.sales import FakeSales
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.tills.sales import PostgresSales
from tillsync_server.domain.errors import ResourceExhausted
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.sales import MAX_WAITING_SALES, SaleStore, WaitingSale

A, B = AccountId("shop-a"), AccountId("shop-b")
TILL_A, TILL_B = TillId("shop-a"), TillId("shop-b")
PACE_SECONDS = 0.8  # at 300 requests a minute


class Bench(Protocol):
    @property
    def sales(self) -> SaleStore: ...

    async def pass_seconds(self, seconds: float) -> None: ...


async def claim(bench: Bench, *, limit: int = 16) -> list[WaitingSale]:
    return await bench.sales.claim(limit=limit, lease_seconds=100.0)


async def ids(bench: Bench) -> list[tuple[str, int]]:
    return [(sale.till_id, sale.transaction_id) for sale in await claim(bench)]


class SaleStoreContract:
    async def test_sale_is_claimed_at_once_and_deleted_when_done(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, [7])
        [sale] = await claim(bench)
        assert (sale.till_id, sale.transaction_id, sale.account_id, sale.attempt_count) == (TILL_A, 7, A, 1)
        assert await claim(bench) == []
        await bench.sales.done(sale)
        await bench.pass_seconds(200)
        assert await claim(bench) == []
        await bench.sales.add(TILL_A, A, [8])
        assert await ids(bench) == [(TILL_A, 8)]

    @pytest.mark.catches("sales-leave-the-allowance-to-others")
    async def test_sales_of_a_till_are_claimed_at_its_pace_and_delay_no_other_till(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, [1, 2, 2])
        await bench.sales.add(TILL_B, B, [1])
        assert await ids(bench) == [(TILL_A, 1), (TILL_B, 1)]
        assert await ids(bench) == []
        await bench.pass_seconds(PACE_SECONDS / 2)
        await bench.sales.add(TILL_A, A, [3])
        assert await ids(bench) == []
        await bench.pass_seconds(PACE_SECONDS)
        assert await ids(bench) == [(TILL_A, 2)]
        await bench.pass_seconds(PACE_SECONDS + 0.1)
        assert await ids(bench) == [(TILL_A, 3)]

    async def test_seconds_until_the_next_due_sale_are_returned(self, bench: Bench) -> None:
        assert await bench.sales.seconds_until_due() is None
        await bench.sales.add(TILL_A, A, [1, 2])
        seconds = await bench.sales.seconds_until_due()
        assert seconds is not None
        assert seconds <= 0
        await claim(bench)
        seconds = await bench.sales.seconds_until_due()
        assert seconds is not None
        assert 0 < seconds <= PACE_SECONDS
        await bench.sales.add(TILL_B, B, [1])
        seconds = await bench.sales.seconds_until_due()
        assert seconds is not None
        assert seconds <= 0, "the next one of any till"

    async def test_claim_is_limited_to_a_number_of_tills(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, [1])
        await bench.sales.add(TILL_B, B, [1])
        assert len(await claim(bench, limit=1)) == 1
        assert len(await claim(bench, limit=1)) == 1

    async def test_sale_added_again_during_its_read_is_read_again(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, [7])
        [sale] = await claim(bench)
        await bench.sales.add(TILL_A, A, [7])
        await bench.sales.done(sale)
        await bench.pass_seconds(PACE_SECONDS + 0.1)
        [again] = await claim(bench)
        assert (again.transaction_id, again.revision) == (7, sale.revision + 1)
        await bench.sales.done(again)
        await bench.pass_seconds(200)
        assert await claim(bench) == []

    async def test_sale_of_a_dead_reader_is_claimed_again(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, [7])
        await claim(bench)
        await bench.pass_seconds(50)
        assert await claim(bench) == []
        await bench.pass_seconds(51)
        [sale] = await claim(bench)
        assert sale.attempt_count == 2
        assert sale.waited_seconds >= 101

    async def test_postponed_sale_does_not_delay_others(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, [1, 2])
        [sale] = await claim(bench)
        await bench.sales.postpone(sale, 30)
        await bench.pass_seconds(PACE_SECONDS + 0.1)
        assert await ids(bench) == [(TILL_A, 2)]
        await bench.pass_seconds(30)
        [again] = await claim(bench)
        assert (again.transaction_id, again.attempt_count) == (1, 2)

    async def test_pause_of_a_till_postpones_its_sales_uncharged(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, [1, 2])
        [sale] = await claim(bench)
        await bench.sales.pause(sale, 60)
        await bench.sales.add(TILL_A, A, [3])
        await bench.sales.add(TILL_B, B, [1])
        await bench.pass_seconds(PACE_SECONDS + 0.1)
        assert await ids(bench) == [(TILL_B, 1)]
        await bench.pass_seconds(60)
        again = next(each for each in await claim(bench) if each.till_id == TILL_A)
        assert again.attempt_count == 1

    async def test_waiting_sales_per_till_are_limited(self, bench: Bench) -> None:
        await bench.sales.add(TILL_A, A, range(1, MAX_WAITING_SALES))
        with pytest.raises(ResourceExhausted) as refused:
            await bench.sales.add(TILL_A, A, [MAX_WAITING_SALES, MAX_WAITING_SALES + 1])
        assert refused.value.reason == "TOO_MANY_WAITING_SALES"
        await bench.sales.add(TILL_A, A, [MAX_WAITING_SALES])
        await bench.sales.add(TILL_B, B, [1])

    async def test_end_of_a_missing_sale_stores_nothing(self, bench: Bench) -> None:
        gone = WaitingSale(till_id=TILL_A, transaction_id=9, account_id=A, revision=1, attempt_count=1, waited_seconds=0.0)
        for end in (bench.sales.done(gone), bench.sales.postpone(gone, 0), bench.sales.done(replace(gone, revision=5))):
            await end
        assert await claim(bench) == []


class InMemory:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self.sales = FakeSales(self._clock)

    async def pass_seconds(self, seconds: float) -> None:
        self._clock.advance(seconds)


@dataclass
class OnPostgres:
    world: EngineWorld

    @property
    def sales(self) -> PostgresSales:
        return PostgresSales(self.world.database, self.world.notifications)

    async def pass_seconds(self, seconds: float) -> None:
        async with self.world.database.acquire() as connection:
            await connection.execute(
                "UPDATE till_sale SET due_at = due_at - make_interval(secs => $1), create_time = create_time - make_interval(secs => $1)",
                seconds,
            )
            await connection.execute("UPDATE till SET sales_due_at = sales_due_at - make_interval(secs => $1)", seconds)


class TestFakeSales(SaleStoreContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresSales(SaleStoreContract):
    @pytest.fixture
    async def bench(self, world: EngineWorld) -> Bench:
        await world.add_accounts(A, B)
        return OnPostgres(world)
