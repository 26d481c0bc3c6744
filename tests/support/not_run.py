"""A pytest plugin that skips tests with missing programs or builds, and ends the run with their number and the reason.

This module knows the versions of PostgreSQL, by the parameter ``cluster`` or ``system`` of a test; a conftest.py with other needs calls
`leave_out`. The reason comes from ``.tillsync/missing.txt``, which scripts/install_system_packages.sh writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import citus, earlier_release, pgbouncer, programs
from support.directories import REPOSITORY
from support.postgres import installed_versions

REASONS = REPOSITORY / ".tillsync" / "missing.txt"
NO_REASON = "run scripts/install_system_packages.sh"
SYSTEMD, SYSTEMD_THING = Path("/usr/bin/systemd-analyze"), "systemd-analyze"
POSTGRESQL = {f"postgresql{major}": f"PostgreSQL {major}" for major in (15, 16, 17)}
_COUNTS = pytest.StashKey[Counter[str]]()
_FROM_WORKERS = "tests_not_run"


def leave_out(config: pytest.Config, items: list[pytest.Item], missing: Callable[[pytest.Item], str | None]) -> None:
    """Removes the tests for which ``missing`` names a thing from ``items``, and counts them for the closing lines."""
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    counts = config.stash.setdefault(_COUNTS, Counter())
    for item in items:
        thing = missing(item)
        if thing is None:
            kept.append(item)
        else:
            counts[thing] += 1
            left.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def parameter(item: pytest.Item, name: str) -> Any:
    """The value of a test's parameter, or None."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get(name)


def reasons() -> dict[str, str]:
    """Why a thing is missing, by its name."""
    lines = REASONS.read_text(encoding="utf-8").splitlines() if REASONS.exists() else []
    written = dict(line.split(": ", 1) for line in lines if ": " in line)
    known = {
        citus.THING: f"set {citus.BIN_VARIABLE}, or {citus.SOURCE_VARIABLE} for `make test-citus`",
        earlier_release.THING: "run git fetch --unshallow",
        SYSTEMD_THING: "Debian's package systemd is not installed",
    }
    return known | written


def closing_lines(counts: Counter[str]) -> list[str]:
    known = reasons()
    return [
        f"NOT RUN: {'1 test that needs' if number == 1 else f'{number:,} tests that need'} {thing} ({known.get(thing, NO_REASON)})"
        for thing, number in sorted(counts.items())
    ]


@pytest.hookimpl(trylast=True)  # after -k and -m, so that only selected tests count
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    at_hand = installed_versions()

    def missing(item: pytest.Item) -> str | None:
        if item.get_closest_marker("earlier_release") and not earlier_release.at_hand():
            return earlier_release.THING
        if item.get_closest_marker("pgbouncer") and not pgbouncer.PROGRAM.exists():
            return pgbouncer.THING
        if item.get_closest_marker("systemd") and not SYSTEMD.exists():
            return SYSTEMD_THING
        needed = item.get_closest_marker("program")
        if needed and not programs.program(needed.args[0]).exists():
            return programs.THINGS[needed.args[0]]
        if (item.get_closest_marker("citus") or parameter(item, "cluster") == citus.CITUS) and citus.bin_dir() is None:
            return citus.THING
        version = parameter(item, "cluster") or parameter(item, "system")
        return POSTGRESQL[version] if version in POSTGRESQL and version not in at_hand else None

    leave_out(config, items, missing)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each worker of pytest-xdist collects the tests, and passes its numbers to the process that prints them."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        counts = session.config.stash.get(_COUNTS, Counter())
        output[_FROM_WORKERS] = dict(counts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker collected the same tests, so the numbers are not summed."""
    counts = node.config.stash.setdefault(_COUNTS, Counter())
    for thing, number in getattr(node, "workeroutput", {}).get(_FROM_WORKERS, {}).items():
        counts[thing] = max(counts[thing], number)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in closing_lines(config.stash.get(_COUNTS, Counter())):
        terminalreporter.write_line(line)
