"""Fixtures for everybody. `database` is a fresh, migrated database; integration tests run on every PostgreSQL at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.postgres import Cluster, TestDatabase, installed_versions, running_cluster

ROOT = Path(__file__).resolve().parent
EMBEDDED, FIFTEEN = "postgresql18", "postgresql15"
pytest_plugins = ["support.not_run"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes, a real browser and real time on a busy machine: such a test is tried once more, and the summary counts it as rerun.
    Nothing else is; a test that needs it twice in a row is red."""
    for item in items:
        in_real_time = {"acceptance", "wordpress"} & set(item.path.relative_to(ROOT).parts) or item.get_closest_marker("processes")
        if in_real_time and item.config.pluginmanager.hasplugin("rerunfailures"):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cluster" in metafunc.fixturenames:
        on_both = metafunc.definition.get_closest_marker("integration") is not None
        metafunc.parametrize("cluster", [EMBEDDED, FIFTEEN] if on_both else [EMBEDDED], indirect=True, scope="session")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with running_cluster(installed_versions().get(request.param)) as running:
        yield running


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    async with cluster.database() as made:
        yield made
