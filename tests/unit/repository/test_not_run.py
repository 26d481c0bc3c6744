"""A test run ends with each missing thing, the number of tests that need it, and the reason from the scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support import not_run, pgbouncer, programs
from support.directories import REPOSITORY
from support.not_run import NO_REASON, POSTGRESQL, closing_lines
from wordpress.harness.kinds import KINDS


def test_closing_line_has_number_thing_and_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "missing.txt"
    written.write_text("PostgreSQL 16: npm: code 404: gone\n")
    monkeypatch.setattr(not_run, "REASONS", written)
    assert closing_lines(Counter({"PostgreSQL 16": 1241, "Chromium": 1})) == [
        f"NOT RUN: 1 test that needs Chromium ({NO_REASON})",
        "NOT RUN: 1,241 tests that need PostgreSQL 16 (npm: code 404: gone)",
    ]
    assert closing_lines(Counter()) == []


PROJECT = {
    "conftest.py": """
from pathlib import Path

import pytest
from support import pgbouncer
from support.not_run import leave_out

pgbouncer.PROGRAM = Path("/not/installed")

pytest_plugins = ["support.not_run"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    leave_out(config, items, lambda item: "a till" if "till" in item.name else None)
""",
    "test_shop.py": """
import pytest


@pytest.mark.parametrize("cluster", ["postgresql18", "postgresql16"])
def test_query(cluster):
    assert cluster == "postgresql18"


@pytest.mark.pgbouncer
def test_pooler():
    raise AssertionError


def test_till_one():
    raise AssertionError


def test_till_two():
    raise AssertionError
""",
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["NOT RUN: 1 test that needs PgBouncer", "NOT RUN: 1 test that needs PostgreSQL 16", "NOT RUN: 2 tests that need a till"]),
        (["-k", "query or two"], ["NOT RUN: 1 test that needs PostgreSQL 16", "NOT RUN: 1 test that needs a till"]),
        (["-k", "query and postgresql18"], []),
    ],
    ids=["all", "some by -k", "none of those asked for"],
)
def test_run_skips_tests_of_missing_things_and_counts_the_selected_ones(tmp_path: Path, arguments: list[str], expected: list[str]) -> None:
    """The run uses a copy of the support package, which therefore finds no fetched PostgreSQL."""
    shutil.copytree(REPOSITORY / "tests" / "support", tmp_path / "tests" / "support", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in PROJECT.items():
        (tmp_path / "tests" / name).write_text(text)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = run.stdout.splitlines()
    assert [line.partition(" (")[0] for line in lines if line.startswith("NOT RUN")] == expected, run.stdout + run.stderr
    assert lines[-1].startswith("1 passed"), run.stdout


def test_scripts_and_tests_use_the_same_names_of_missing_things() -> None:
    """The tests find a reason by the name of the thing."""
    scripts = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "scripts").iterdir() if path.is_file())
    needed = {
        pgbouncer.THING,
        *programs.THINGS.values(),
        "PHP, MariaDB and PHPUnit",
        "Chromium",
        *(kind.build for kind in KINDS if not kind.real),
    }
    assert {name for name in needed if f'"{name}"' not in scripts} == set()
    assert 'f"PostgreSQL {major}"' in scripts
    assert set(POSTGRESQL.values()) == {"PostgreSQL 15", "PostgreSQL 16", "PostgreSQL 17"}
