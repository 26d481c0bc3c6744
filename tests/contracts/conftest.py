from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from support.engine import EngineWorld, engine_world
from support.postgres import TestDatabase


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[EngineWorld]:
    async with engine_world(database.dsn) as made:
        yield made
