"""Fixture of a real `tillsync serve` with an attacker and an honest caller."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from attacks.attacked import AttackedService, attacked_service
from support.postgres import TestDatabase


@pytest_asyncio.fixture
async def attacked(database: TestDatabase) -> AsyncIterator[AttackedService]:
    async with attacked_service(database.dsn) as made:
        yield made
