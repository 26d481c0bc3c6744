from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from support.engine import EngineWorld, engine_world
from support.postgres import TestDatabase
from support.waiting import NEVER_SECONDS


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[EngineWorld]:
    async with engine_world(database.dsn) as made:
        yield made


@pytest_asyncio.fixture
async def patient(database: TestDatabase) -> AsyncIterator[EngineWorld]:
    """A second world on the database of ``world``. Its statements wait longer than any lock that a test holds."""
    async with engine_world(database.dsn, lock_timeout_seconds=NEVER_SECONDS) as made:
        yield made
