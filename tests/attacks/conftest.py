"""A real `tillsync serve` that is attacked, and an honest caller beside."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from attacks.attacked import Attacked, attacked_service
from support.postgres import TestDatabase


@pytest_asyncio.fixture
async def attacked(database: TestDatabase) -> AsyncIterator[Attacked]:
    async with attacked_service(database.dsn) as made:
        yield made
