"""Fixtures for everybody. `database` is a fresh, migrated database; integration tests run on every PostgreSQL at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import support.soak  # noqa: F401 - loads the profile of Hypothesis
from support.postgres import DEBIAN_15, Cluster, TestDatabase, running_cluster

ROOT = Path(__file__).resolve().parent
EMBEDDED, FIFTEEN = "postgresql18", "postgresql15"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes, a real browser and real time on a busy machine: such a test is tried once more, and the summary counts it as rerun.
    Nothing else is; a test that needs it twice in a row is red."""
    for item in items:
        in_real_time = {"acceptance", "wordpress"} & set(item.path.relative_to(ROOT).parts) or item.get_closest_marker("processes")
        if in_real_time and item.config.pluginmanager.hasplugin("rerunfailures"):
            item.add_marker(pytest.mark.flaky(reruns=1))


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
