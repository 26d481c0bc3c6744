"""Fixtures of all tests. ``database`` is a fresh, migrated database. Integration tests run on every available PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
import pytest_asyncio
import structlog
import support.soak  # noqa: F401 - loads the profile of Hypothesis
from support.late_connections import close_late_connections
from support.logs import unchanged_logging
from support.postgres import GIVEN_URL_VARIABLE, Cluster, Clusters, TestDatabase, given_url, versions_of

# Rendering a traceback with all local variables blocks the event loop for seconds on a busy machine, and database calls time out.
structlog.configure(
    processors=[
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if isinstance(each, structlog.dev.ConsoleRenderer)
        else each
        for each in structlog.get_config()["processors"]
    ]
)
pytest_plugins = ["support.not_run"]
close_late_connections()


@pytest.fixture(autouse=True)
def _unchanged_logging() -> Iterator[None]:
    """A command of the service that runs in this process configures its log. The next test does not inherit that."""
    with unchanged_logging():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if given_url() is None:
        return
    for item in items:
        if item.get_closest_marker("own_server"):
            item.add_marker(pytest.mark.skip(f"needs a server of its own, and {GIVEN_URL_VARIABLE} names one"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cluster" in metafunc.fixturenames:
        metafunc.parametrize("cluster", versions_of(metafunc.definition), indirect=True, scope="session")


@pytest.fixture(scope="session")
def clusters() -> Iterator[Clusters]:
    with ExitStack() as stack:
        yield Clusters(stack)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, clusters: Clusters) -> Cluster:
    """The server keeps running when the next test needs another version."""
    return clusters.running(request.param)


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[TestDatabase]:
    async with cluster.database() as made:
        yield made
