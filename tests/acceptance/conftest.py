"""Fixtures of the acceptance tests. The tests run whole services on real PostgreSQL and call the public API; sandboxes emulate till and
shop.

They run on the embedded PostgreSQL only. The integration tests run the statements on every version.
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
    """Directory for the files that `tillsync` processes write."""
    with reachable_directory() as made:
        yield made


@pytest_asyncio.fixture
async def serving(database: TestDatabase) -> AsyncIterator[RunningService]:
    """A service in this process with a worker and short times."""
    async with running_service(database.dsn, changes=SHORT_TIMES) as service:
        yield service


@pytest_asyncio.fixture
async def world(serving: RunningService, database: TestDatabase) -> AsyncIterator[CreateRaceEnvironment]:
    """Shops and tills for ``serving``. After each test the fixture asserts that no till ever had a twin."""
    async with AsyncExitStack() as stack:
        made = CreateRaceEnvironment(serving.client, database.dsn, stack)
        yield made
        made.assert_never_a_twin()
