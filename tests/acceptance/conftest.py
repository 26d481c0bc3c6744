"""Fixtures of the acceptance tests: whole services on real PostgreSQL, driven through the public API, with sandboxes as the other sides.

They run on the embedded PostgreSQL only; the statements themselves are tested on every version by the integration tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from support.create_race_environment import SHORT_TIMES, CreateRaceEnvironment
from support.directories import reachable_directory
from support.postgres import TestDatabase
from support.service import RunningService, running_service


@pytest.fixture
def directory() -> Iterator[Path]:
    """For what `tillsync` processes write."""
    with reachable_directory() as made:
        yield made


@pytest_asyncio.fixture
async def serving(database: TestDatabase) -> AsyncIterator[RunningService]:
    """A service in this process that works, too; with short times."""
    async with running_service(database.dsn, changes=SHORT_TIMES) as service:
        yield service


@pytest_asyncio.fixture
async def world(serving: RunningService, database: TestDatabase) -> AsyncIterator[CreateRaceEnvironment]:
    """Shops and tills for ``serving``. That nobody ever stood twice at a till is asserted after each test."""
    async with AsyncExitStack() as stack:
        made = CreateRaceEnvironment(serving.client, database.dsn, stack)
        yield made
        made.assert_never_a_twin()
