"""The time of a till's reads is stored at intervals, because each write costs a commit.

tests/contracts/test_knowledge_contract.py tests the rest of the port.
"""

from __future__ import annotations

import pytest
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.domain.ids import TillId

pytestmark = pytest.mark.integration
TILL, CONFIGURATION = TillId("till-a"), "https://till.example.test|V2|key1"


async def test_reads_within_fifteen_seconds_are_stored_once(world: EngineWorld) -> None:
    knowledge = PostgresTillKnowledge(world.database)
    await knowledge.note_customers_read(TILL, CONFIGURATION)
    first_stored = (await knowledge.get(TILL, CONFIGURATION)).customers_read_at
    for _ in range(50):
        await knowledge.note_customers_read(TILL, CONFIGURATION)
    assert (await knowledge.get(TILL, CONFIGURATION)).customers_read_at == first_stored
    knowledge._noted = {key: stored_at - 16 for key, stored_at in knowledge._noted.items()}
    await knowledge.note_customers_read(TILL, CONFIGURATION)
    next_stored = (await knowledge.get(TILL, CONFIGURATION)).customers_read_at
    assert first_stored is not None
    assert next_stored is not None
    assert next_stored > first_stored
