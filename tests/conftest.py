"""Fixtures for everybody. `database` is a fresh, migrated database; integration tests run on every PostgreSQL at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.postgres import DEBIAN_15, Cluster, TestDatabase, running_cluster

EMBEDDED, FIFTEEN = "postgresql18", "postgresql15"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cluster" in metafunc.fixturenames:
        on_both = metafunc.definition.get_closest_marker("integration") is not None and DEBIAN_15.exists()
        metafunc.parametrize("cluster", [EMBEDDED, FIFTEEN] if on_both else [EMBEDDED], indirect=True, scope="session")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    bin_dir: Path | None = DEBIAN_15 if request.param == FIFTEEN else None
    with running_cluster(bin_dir) as running:
        yield running


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    async with cluster.database() as made:
        yield made
