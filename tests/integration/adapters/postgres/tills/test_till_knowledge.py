"""Reads of a till are noted seldom: a note costs a commit. What is known besides: tests/contracts/test_knowledge_contract.py."""

from __future__ import annotations

import pytest
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.domain.ids import TillId

pytestmark = pytest.mark.integration
TILL, CONFIGURATION = TillId("till-a"), "https://till.example.test|V2|key1"


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
