"""Runs the tests of a mutant on a copy of the source with its change. A test must fail there. An error does not count."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mutants.markers import ROOT, TREES, Source, mutated
from mutants.mutant import DoesNotApply, Mutant
from support.postgres import GIVEN_URL_VARIABLE

_SECONDS, _ALL_SECONDS = 180, 900
"""Time limits for the tests of one mutant, and for all tests of one kind on the unchanged copy."""
_HANG_SECONDS, _TEST_SECONDS = 15, 60
"""Limits of one wait and of one test. Many mutants cause an endless wait. The tests on the unchanged copy have the same limits."""
_TESTS_FAILED = 1  # pytest's exit code. 2 to 5 are errors of the run, and prove nothing.
_PYTEST = [
    *(sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "mutants.pytest_catches"),
    *("-o", f"timeout={_TEST_SECONDS}"),
    *("-o", "addopts=--strict-markers --strict-config"),  # overrides the project's options: no parallel runs and no retries
]
_NAMED = {
    ".py": re.compile(r"\bmark\.catches\(\s*\"([a-z0-9-]+)\""),
    ".php": re.compile(r"@group catches:([a-z0-9-]+)"),
}
_PHP_SUITES = ROOT / "tests/wordpress/test_php_suites.py"
"""The file through which pytest runs the PHP tests."""
_BROKEN = re.compile(
    r"\b(NameError|\w*SyntaxError|Undefined(?:Column|Table|Function|Parameter|Object)Error|IndeterminateDatatypeError"
    r"|AmbiguousParameterError|DatatypeMismatchError|PHP (?:Parse|Fatal) error\b.*|No tests executed)"
)
"""Output of a program that the change has broken. A failure then proves nothing about the invariant."""


class Fate(Enum):
    CAUGHT = "caught"
    NOT_CAUGHT = "NOT CAUGHT"


@dataclass(frozen=True)
class Result:
    fate: Fate
    seconds: float
    reason: str = ""


def _named() -> dict[Path, list[str]]:
    """Returns the invariants that each test file names. Reads the files without pytest, which is faster."""
    paths = [path for suffix in _NAMED for path in sorted((ROOT / "tests").rglob(f"*{suffix}"))]
    found = {path: _NAMED[path.suffix].findall(path.read_text(encoding="utf-8")) for path in paths}
    return {path: names for path, names in found.items() if names}


def names_in_tests() -> set[str]:
    return {name for names in _named().values() for name in names}


def tests_by_name(directory: Path) -> dict[str, list[str]]:
    """Returns the node ids of the tests, by the invariant that they catch. One pytest process collects the files that name one."""
    files = sorted({path if path.suffix == ".py" else _PHP_SUITES for path in _named()})
    found = directory / "catches.json"
    run = subprocess.run(
        [*_PYTEST, "--collect-only", *map(str, files)],
        cwd=ROOT,
        # with a given database each test is collected once; collection opens no connection
        env={GIVEN_URL_VARIABLE: "postgresql://not-asked", **os.environ, "TILLSYNC_CATCHES_FILE": str(found)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if run.returncode != 0:
        raise RuntimeError(f"the tests cannot be collected:\n{run.stdout[-3000:]}{run.stderr[-2000:]}")
    names: dict[str, list[str]] = json.loads(found.read_text(encoding="utf-8"))
    return names


def run_mutant(mutant: Mutant, found: Mapping[str, list[Source]], tests: Sequence[str], environment: Mapping[str, str]) -> Result:
    began = time.monotonic()
    try:
        source = mutated(mutant, found)
    except DoesNotApply as error:
        return Result(Fate.NOT_CAUGHT, 0.0, str(error))
    if not tests:
        return Result(Fate.NOT_CAUGHT, 0.0, "no test has its catches marker")
    try:
        done = _pytest_on_copy([source], [mutant.name], tests, environment)
    except subprocess.TimeoutExpired:
        return Result(Fate.NOT_CAUGHT, time.monotonic() - began, f"its tests took more than {_SECONDS} s")
    fate, reason = verdict(done.returncode, done.stdout, done.stderr)
    return Result(fate, time.monotonic() - began, reason)


def failures_without_mutant(names: Sequence[str], tests: Sequence[str], environment: Mapping[str, str]) -> str:
    """Runs the tests on an unchanged copy. Returns the output of failures, or an empty text. A test that fails there catches no mutant."""
    try:
        done = _pytest_on_copy([], names, tests, environment, seconds=_ALL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"{len(tests)} tests took more than {_ALL_SECONDS} s"
    return "" if done.returncode == 0 else f"{done.stdout[-3000:]}{done.stderr[-1000:]}"


def _pytest_on_copy(
    changed: Sequence[Source], names: Sequence[str], tests: Sequence[str], environment: Mapping[str, str], *, seconds: float = _SECONDS
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="tillsync-mutant-") as directory:
        copy = Path(directory)
        copy.chmod(0o755)  # the web server of a shop reads it under another user
        for tree in TREES:
            shutil.copytree(ROOT / tree, copy / tree, ignore=shutil.ignore_patterns("__pycache__"))
        for source in changed:
            (copy / source.path).write_text(source.text, encoding="utf-8")
        copied = {
            "PYTHONPATH": os.pathsep.join((str(copy / "server"), str(ROOT / "tests"))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TILLSYNC_TEST_HANG_SECONDS": str(_HANG_SECONDS),
            "TILLSYNC_MUTATED": str(copy / "server"),
            "TILLSYNC_TEST_BRIDGE_DIR": str(copy / "wp-bridge"),
            "TILLSYNC_TEST_PHPUNIT_GROUP": ",".join(f"catches:{name}" for name in names),
        }
        return subprocess.run(
            [*_PYTEST, "-x", *tests],
            cwd=ROOT,
            env={**os.environ, **environment, **copied},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )


def verdict(code: int, output: str, errors: str) -> tuple[Fate, str]:
    if broken := _BROKEN.search(output):
        return Fate.NOT_CAUGHT, f"the change breaks the program: {broken[0]}"
    if code == _TESTS_FAILED and re.search(r"\b\d+ failed\b", output):
        return Fate.CAUGHT, ""
    if code == 0:
        last = (output.strip().splitlines() or [""])[-1]
        return Fate.NOT_CAUGHT, f"the tests passed: {last}"
    return Fate.NOT_CAUGHT, f"pytest ended with {code}: {output[-500:]}{errors[-500:]}"
