"""Stored knowledge of a till is valid for one configuration, with times of the database clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from fakes.clock import FakeClock
from fakes.knowledge import FakeKnowledge
from fakes.till import a_row
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.ids import EposCustomerId, TillId
from tillsync_server.ports.till import CustomerPage, UnreadRow
from tillsync_server.ports.tills import TillKnowledge, TillKnowledgeStore

TILL, CONFIGURATION = TillId("till-a"), "https://till.example.test|V2|key1"


class Bench(Protocol):
    def knowledge(self) -> TillKnowledgeStore:
        """The store of another process."""
        ...

    def is_recent(self, at: datetime | None) -> bool: ...


class TillKnowledgeStoreContract:
    async def test_new_till_has_no_knowledge(self, bench: Bench) -> None:
        assert await bench.knowledge().get(TILL, CONFIGURATION) == TillKnowledge()

    async def test_search_proof_is_stored_and_withdrawn(self, bench: Bench) -> None:
        here, elsewhere = bench.knowledge(), bench.knowledge()
        await here.note_search_proven(TILL, CONFIGURATION)
        assert bench.is_recent((await elsewhere.get(TILL, CONFIGURATION)).search_proven_at)
        await elsewhere.note_search_unproven(TILL, CONFIGURATION)
        assert (await here.get(TILL, CONFIGURATION)).search_proven_at is None
        await here.note_search_proven(TILL, CONFIGURATION)
        assert bench.is_recent((await elsewhere.get(TILL, CONFIGURATION)).search_proven_at)

    async def test_email_kinds_are_proven_separately(self, bench: Bench) -> None:
        here, elsewhere = bench.knowledge(), bench.knowledge()
        assert (await here.get(TILL, CONFIGURATION)).kinds_proven_at == {}
        await here.note_kinds(TILL, CONFIGURATION, {"+", "50"}, proven=True)
        await here.note_kinds(TILL, CONFIGURATION, ["'"], proven=True)
        known = await elsewhere.get(TILL, CONFIGURATION)
        assert set(known.kinds_proven_at) == {"+", "50", "'"}
        assert all(bench.is_recent(at) for at in known.kinds_proven_at.values())
        assert known.search_proven_at is None
        await elsewhere.note_kinds(TILL, CONFIGURATION, {"+", "_"}, proven=False)
        await here.note_search_proven(TILL, CONFIGURATION)
        assert set((await here.get(TILL, CONFIGURATION)).kinds_proven_at) == {"50", "'"}
        assert (await here.get(TillId("till-b"), CONFIGURATION)).kinds_proven_at == {}

    async def test_knowledge_is_not_valid_for_another_configuration(self, bench: Bench) -> None:
        knowledge = bench.knowledge()
        await knowledge.note_search_proven(TILL, CONFIGURATION)
        await knowledge.note_customers_read(TILL, CONFIGURATION)
        assert await knowledge.get(TILL, CONFIGURATION.replace("V2", "V4")) == TillKnowledge()
        assert await knowledge.get(TillId("till-b"), CONFIGURATION) == TillKnowledge()

    async def test_read_times_and_the_last_page_are_stored_separately(self, bench: Bench) -> None:
        knowledge = bench.knowledge()
        await knowledge.note_types_read(TILL, CONFIGURATION)
        known = await knowledge.get(TILL, CONFIGURATION)
        assert bench.is_recent(known.types_read_at)
        assert known.customers_read_at is None
        await knowledge.note_customers_read(TILL, CONFIGURATION, last_page=11)
        await knowledge.note_customers_read(TILL, CONFIGURATION)
        known = await knowledge.get(TILL, CONFIGURATION)
        assert bench.is_recent(known.customers_read_at)
        assert known.last_page == 11
        await knowledge.note_customers_read(TILL, CONFIGURATION, last_page=12)
        assert (await knowledge.get(TILL, CONFIGURATION)).last_page == 12

    async def test_read_time_does_not_change_the_search_proof(self, bench: Bench) -> None:
        knowledge = bench.knowledge()
        await knowledge.note_search_proven(TILL, CONFIGURATION)
        await knowledge.note_customers_read(TILL, CONFIGURATION, last_page=1)
        assert bench.is_recent((await knowledge.get(TILL, CONFIGURATION)).search_proven_at)

    async def test_unreadable_rows_are_stored_until_their_page_is_read_again(self, bench: Bench) -> None:
        here, elsewhere = bench.knowledge(), bench.knowledge()
        await here.note_list_page(TILL, a_page(1, unread=(7, 9)))
        await elsewhere.note_list_page(TILL, a_page(2, unread=(None, 11)))
        await elsewhere.note_list_page(TILL, a_page(3))
        assert await here.unread_customers(TILL, limit=10) == [7, 9, 11]
        assert await here.unread_customers(TILL, limit=2) == [7, 9]
        assert await here.unread_customers(TillId("till-b"), limit=10) == []
        await here.note_list_page(TILL, a_page(1, unread=(9,)))
        assert await elsewhere.unread_customers(TILL, limit=10) == [9, 11]

    async def test_unreadable_row_on_another_page_is_identified_by_its_id(self, bench: Bench) -> None:
        knowledge = bench.knowledge()
        await knowledge.note_list_page(TILL, a_page(2, unread=(7, 9)))
        await knowledge.note_list_page(TILL, a_page(1, unread=(7,)))
        await knowledge.note_list_page(TILL, a_page(2))
        assert await knowledge.unread_customers(TILL, limit=10) == [7]
        await knowledge.note_list_page(TILL, a_page(3, readable=(7,)))
        assert await knowledge.unread_customers(TILL, limit=10) == []

    async def test_customers_read_singly_are_no_longer_unreadable(self, bench: Bench) -> None:
        knowledge = bench.knowledge()
        await knowledge.note_list_page(TILL, a_page(1, unread=(7, 9)))
        await knowledge.note_customers_readable(TILL, [EposCustomerId(9), EposCustomerId(10)])
        assert await knowledge.unread_customers(TILL, limit=10) == [7]


def a_page(number: int, *, unread: tuple[int | None, ...] = (), readable: tuple[int, ...] = ()) -> CustomerPage:
    rows = tuple(a_row(TillCustomer(epos_customer_id=EposCustomerId(each))) for each in readable)
    kept = tuple(
        UnreadRow(position=at, customer_id=None if each is None else EposCustomerId(each), reason="why")
        for at, each in enumerate(unread, start=1)
    )
    return CustomerPage(rows=rows, number=number, unread=kept)


class InMemory:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self._clock.database_ahead_seconds = 7.0
        self._knowledge = FakeKnowledge(self._clock)

    def knowledge(self) -> FakeKnowledge:
        return self._knowledge

    def is_recent(self, at: datetime | None) -> bool:
        return at == self._clock.database_now()


@dataclass
class OnPostgres:
    world: EngineWorld

    def knowledge(self) -> PostgresTillKnowledge:
        return PostgresTillKnowledge(self.world.database)

    def is_recent(self, at: datetime | None) -> bool:
        return at is not None and abs(datetime.now(UTC) - at) < timedelta(seconds=30)


class TestFakeKnowledge(TillKnowledgeStoreContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresTillKnowledge(TillKnowledgeStoreContract):
    @pytest.fixture
    def bench(self, world: EngineWorld) -> Bench:
        return OnPostgres(world)
