"""Fixtures of the plugin's tests. README.md beside this file describes them and how to write tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.directories import reachable_directory
from support.not_run import leave_out, parameter
from support.postgres import TestDatabase
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.build import built_network, built_site
from wordpress.harness.kinds import KINDS, PHP, PHPCS, PHPUNIT, DatabaseKind, SiteKind, browser_at_hand, real_version
from wordpress.harness.mariadb import MariaDb, running_mariadb
from wordpress.harness.shop import Shop

_HERE = Path(__file__).parent
MEASURED = "tillsync_measured"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test with ``wp_kind`` in every shop. `@pytest.mark.shops("mariadb")` limits it to the shops of that word (README.md lists the
    words).
    """
    if "wp_kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("shops")
        kinds = [kind for kind in KINDS if marker is None or any(_is(kind, word) for word in marker.args)]
        metafunc.parametrize("wp_kind", kinds, ids=[kind.name for kind in kinds], scope="session")


def _is(kind: SiteKind, word: str) -> bool:
    words = {"real" if kind.real else "stand-in", kind.database.value, kind.orders.value, kind.name}
    return word in words or (kind.compatibility and word == "compatibility")


def _missing_for(item: pytest.Item) -> str | None:
    """Returns the missing requirement of a test of this folder, by the name that the scripts use, or None."""
    if not Path(item.path).is_relative_to(_HERE):
        return None
    if not (PHP.exists() and PHPUNIT.exists() and PHPCS.exists()):
        return "PHP, MariaDB and PHPUnit"
    if item.path.name.startswith("test_browser_") and not browser_at_hand():
        return "Chromium"
    kind: SiteKind | None = parameter(item, "wp_kind")
    return None if kind is None or kind.available else kind.build


@pytest.hookimpl(trylast=True)  # after -k and -m, so that only selected tests count as not run
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects a test that has no shop (or test class) to run in. It is not skipped."""
    empty = [item for item in items if Path(item.path).is_relative_to(_HERE) and "NOTSET" in item.name]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]
    leave_out(config, items, _missing_for)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports_of_folder = [
        report for reports in terminalreporter.stats.values() for report in reports if "tests/wordpress" in getattr(report, "nodeid", "")
    ]
    for report in reports_of_folder:
        for name, text in getattr(report, "user_properties", ()):
            if name == MEASURED and report.when == "call":
                terminalreporter.write_line(f"MEASURED: {text}")
    if reports_of_folder:
        terminalreporter.write_line(f"REAL WOOCOMMERCE: {real_version() or 'NOT RUN'}")


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Prints a figure at the end of the run."""
    return partial(record_property, MEASURED)


class Sites:
    """Builds each kind of site at its first use, and the MariaDB that some kinds need."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._shops: dict[SiteKind, Shop] = {}
        self._networks: dict[SiteKind, tuple[Shop, Shop]] = {}
        self._mariadb: MariaDb | None = None

    def database_for(self, kind: SiteKind) -> MariaDb | None:
        if kind.database is DatabaseKind.MARIADB and self._mariadb is None:
            directory = self._stack.enter_context(reachable_directory("mariadb-"))
            self._mariadb = self._stack.enter_context(running_mariadb(directory))
        return self._mariadb

    def shop(self, kind: SiteKind) -> Shop:
        if kind not in self._shops:
            self._shops[kind] = self._stack.enter_context(built_site(kind, self.database_for(kind)))
        return self._shops[kind]

    def network(self, kind: SiteKind) -> tuple[Shop, Shop]:
        if kind not in self._networks:
            self._networks[kind] = self._stack.enter_context(built_network(kind, self.database_for(kind)))
        return self._networks[kind]


@pytest.fixture(scope="session")
def built_sites() -> Iterator[Sites]:
    with ExitStack() as stack:
        yield Sites(stack)


@pytest.fixture
def wp_site(wp_kind: SiteKind, built_sites: Sites) -> Iterator[Shop]:
    """A shop in its first state, with the plugin active and not connected. At the end the debug log must not name the plugin."""
    site = built_sites.shop(wp_kind)
    site.reset()
    yield site
    assert site.complaints() == [], "the debug log names the bridge (provoked on purpose: site.forgive_log())"


@pytest.fixture
def wp_network(wp_kind: SiteKind, built_sites: Sites) -> Iterator[tuple[Shop, Shop]]:
    """Two shops of one WordPress network in their first state, with the plugin active on both."""
    first, second = built_sites.network(wp_kind)
    first.reset()
    yield first, second
    assert first.complaints() == [], "the debug log names the bridge (provoked on purpose: site.forgive_log())"


@pytest_asyncio.fixture
async def bridged(wp_site: Shop, database: TestDatabase) -> AsyncIterator[BridgedShop]:
    """The shop connected to the real service, which runs in this process with a sandbox till."""
    async with bridged_shop(wp_site, database.dsn) as made:
        yield made
