"""Fixtures of the bridge's tests. What each gives, and how to write tests: README.md beside this file."""

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
    """``wp_kind`` runs a test in every shop; with `@pytest.mark.shops("mariadb")` in those the word fits (README.md has them)."""
    if "wp_kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("shops")
        kinds = [kind for kind in KINDS if marker is None or any(_is(kind, word) for word in marker.args)]
        metafunc.parametrize("wp_kind", kinds, ids=[kind.name for kind in kinds], scope="session")


def _is(kind: SiteKind, word: str) -> bool:
    return word in {"real" if kind.real else "stand-in", kind.database.value, kind.orders.value, kind.name}


def _missing_for(item: pytest.Item) -> str | None:
    """What a test of this folder needs and that is not here, by the name that the scripts give it."""
    if not Path(item.path).is_relative_to(_HERE):
        return None
    if not (PHP.exists() and PHPUNIT.exists() and PHPCS.exists()):
        return "PHP, MariaDB and PHPUnit"
    if item.path.name.startswith("test_browser_") and not browser_at_hand():
        return "Chromium"
    kind: SiteKind | None = parameter(item, "wp_kind")
    return None if kind is None or kind.available else kind.build


@pytest.hookimpl(trylast=True)  # after -k and -m: only what was asked for counts as not run
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test without any shop (or test class) to run in is left out, not skipped."""
    empty = [item for item in items if Path(item.path).is_relative_to(_HERE) and "NOTSET" in item.name]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]
    leave_out(config, items, _missing_for)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    ours = [
        report for reports in terminalreporter.stats.values() for report in reports if "tests/wordpress" in getattr(report, "nodeid", "")
    ]
    for report in ours:
        for name, text in getattr(report, "user_properties", ()):
            if name == MEASURED and report.when == "call":
                terminalreporter.write_line(f"MEASURED: {text}")
    if ours:
        terminalreporter.write_line(f"REAL WOOCOMMERCE: {real_version() or 'NOT RUN'}")


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Prints a figure at the end of the run."""
    return partial(record_property, MEASURED)


class Sites:
    """Each kind is built once, when a test first asks for it; so is the MariaDB of those that need one."""

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
    """A shop in its first state, bridge active and not connected. At the end PHP must not have complained about the bridge."""
    site = built_sites.shop(wp_kind)
    site.reset()
    yield site
    assert site.complaints() == [], "the debug log names the bridge (provoked on purpose: site.forgive_log())"


@pytest.fixture
def wp_network(wp_kind: SiteKind, built_sites: Sites) -> Iterator[tuple[Shop, Shop]]:
    """Two shops of one WordPress network in their first state, the bridge active on both."""
    first, second = built_sites.network(wp_kind)
    first.reset()
    yield first, second
    assert first.complaints() == [], "the debug log names the bridge (provoked on purpose: site.forgive_log())"


@pytest_asyncio.fixture
async def bridged(wp_site: Shop, database: TestDatabase) -> AsyncIterator[BridgedShop]:
    """The shop connected to the real service, which runs in this process beside a sandbox till."""
    async with bridged_shop(wp_site, database.dsn) as made:
        yield made
