"""What is known of a till holds for one configuration, and by the database's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.till_knowledge import PostgresTillKnowledge
from tillsync_server.domain.ids import TillId
from tillsync_server.ports.tills import TillKnowledge

pytestmark = pytest.mark.integration
TILL, CONFIGURATION = TillId("till-a"), "https://till.example.test|V2|key1"


def is_recent(at: datetime | None) -> bool:
    return at is not None and abs(datetime.now(UTC) - at) < timedelta(seconds=30)


async def test_nothing_is_known_of_a_new_till(world: EngineWorld) -> None:
    assert await PostgresTillKnowledge(world.database).get(TILL, CONFIGURATION) == TillKnowledge()


async def test_a_search_proof_comes_and_goes(world: EngineWorld) -> None:
    here, elsewhere = PostgresTillKnowledge(world.database), PostgresTillKnowledge(world.database)
    await here.note_search_proven(TILL, CONFIGURATION)
    assert is_recent((await elsewhere.get(TILL, CONFIGURATION)).search_proven_at)
    await elsewhere.note_search_unproven(TILL, CONFIGURATION)
    assert (await here.get(TILL, CONFIGURATION)).search_proven_at is None
    await here.note_search_proven(TILL, CONFIGURATION)
    assert is_recent((await elsewhere.get(TILL, CONFIGURATION)).search_proven_at)


async def test_another_configuration_knows_nothing_of_it(world: EngineWorld) -> None:
    knowledge = PostgresTillKnowledge(world.database)
    await knowledge.note_search_proven(TILL, CONFIGURATION)
    await knowledge.note_customers_read(TILL, CONFIGURATION)
    assert await knowledge.get(TILL, CONFIGURATION.replace("V2", "V4")) == TillKnowledge()
    assert await knowledge.get(TillId("till-b"), CONFIGURATION) == TillKnowledge()


async def test_reads_and_the_last_page_are_kept_apart(world: EngineWorld) -> None:
    knowledge = PostgresTillKnowledge(world.database)
    await knowledge.note_types_read(TILL, CONFIGURATION)
    known = await knowledge.get(TILL, CONFIGURATION)
    assert is_recent(known.types_read_at)
    assert known.customers_read_at is None
    await knowledge.note_customers_read(TILL, CONFIGURATION, last_page=11)
    await knowledge.note_customers_read(TILL, CONFIGURATION)
    known = await knowledge.get(TILL, CONFIGURATION)
    assert is_recent(known.customers_read_at)
    assert known.last_page == 11
    await knowledge.note_customers_read(TILL, CONFIGURATION, last_page=12)
    assert (await knowledge.get(TILL, CONFIGURATION)).last_page == 12


async def test_a_read_does_not_touch_the_search_proof(world: EngineWorld) -> None:
    knowledge = PostgresTillKnowledge(world.database)
    await knowledge.note_search_proven(TILL, CONFIGURATION)
    await knowledge.note_customers_read(TILL, CONFIGURATION, last_page=1)
    assert is_recent((await knowledge.get(TILL, CONFIGURATION)).search_proven_at)


async def test_reads_in_quick_succession_are_one_commit(world: EngineWorld) -> None:
    knowledge = PostgresTillKnowledge(world.database)
    await knowledge.note_customers_read(TILL, CONFIGURATION)
    first = (await knowledge.get(TILL, CONFIGURATION)).customers_read_at
    for _ in range(50):
        await knowledge.note_customers_read(TILL, CONFIGURATION)
    assert (await knowledge.get(TILL, CONFIGURATION)).customers_read_at == first
    knowledge._noted = {key: noted - 16 for key, noted in knowledge._noted.items()}
    await knowledge.note_customers_read(TILL, CONFIGURATION)
    again = (await knowledge.get(TILL, CONFIGURATION)).customers_read_at
    assert first is not None
    assert again is not None
    assert again > first
