"""`make mutants` runs every mutant, or the named ones, each on a copy of its tree. A test that names the mutant must fail."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from mutants.catalogue import MUTANTS
from mutants.markers import marked
from mutants.mutant import Mutant
from mutants.runs import Fate, Result, failures_without_mutant, run_mutant, tests_by_name
from support.postgres import GIVEN, GIVEN_URL_VARIABLE, given_url, running_cluster
from wordpress.harness.kinds import KINDS, PHPCS, PHPUNIT

_SLOW = ("tests/wordpress/", "tests/acceptance/", "tests/integration/")
"""Slowest tests first. They start first, so that no slow test runs alone at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="invariants; default: all")
    parser.add_argument("--jobs", type=int, default=max(4, os.cpu_count() or 1), help="mutants at a time; default: %(default)s")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    return report([mutant for mutant in MUTANTS if not options.names or mutant.name in options.names], jobs=options.jobs)


def report(mutants: Sequence[Mutant], *, jobs: int) -> int:
    began = time.monotonic()
    found = marked()
    with tempfile.TemporaryDirectory(prefix="tillsync-mutants-") as directory:
        tests = tests_by_name(Path(directory))
    in_php = {name for name, places in found.items() if any(place.path.suffix == ".php" for place in places)}
    left_out = [mutant for mutant in mutants if mutant.name in in_php and mutant.name not in tests] if missing_programs() else []
    running = sorted((mutant for mutant in mutants if mutant not in left_out), key=lambda mutant: _rank(tests.get(mutant.name, [])))
    names = [mutant.name for mutant in running]
    caught = 0
    with one_database(tests, running) as environment, ThreadPoolExecutor(jobs) as pool:
        every_test = sorted({test for name in names for test in tests.get(name, [])})
        kinds = groupby(sorted(every_test, key=lambda test: _rank([test])), key=lambda test: _rank([test]))
        unchanged = [pool.submit(failures_without_mutant, names, list(of_kind), environment) for _, of_kind in kinds]
        waiting = {pool.submit(run_mutant, mutant, found, tests.get(mutant.name, []), environment): mutant for mutant in running}
        for done in as_completed(waiting):
            result = done.result()
            caught += result.fate is Fate.CAUGHT
            print(_line(waiting[done], result), flush=True)
        failures = "\n".join(filter(None, (each.result() for each in unchanged)))
    if failures:
        print(f"TESTS FAIL WITHOUT A MUTANT, so the results prove nothing:\n{failures}")
    if left_out:
        print(f"NOT RUN: {len(left_out)} mutants of the bridge: {missing_programs()} (run scripts/install_system_packages.sh)")
    counts = f"{caught} caught, {len(running) - caught} not, {len(left_out)} not run"
    print(f"mutants: {counts}, in {time.monotonic() - began:.0f} s")
    return 1 if failures or caught < len(running) else 0


def _line(mutant: Mutant, result: Result) -> str:
    reason = f" ({result.reason})" if result.reason else ""
    return f"{result.fate.value:10} {result.seconds:5.1f} s  {mutant.name}: {mutant.what}{reason}"


def _rank(tests: Sequence[str]) -> int:
    return min((position for test in tests for position, part in enumerate(_SLOW) if test.startswith(part)), default=len(_SLOW))


def missing_programs() -> str:
    """Returns why tests/wordpress is not collected, or an empty text."""
    missing = [str(program) for program in (PHPUNIT, PHPCS) if not program.exists()]
    if not any(kind.available for kind in KINDS):
        missing.append("a WordPress with its PHP")
    return " and ".join(f"{name} is missing" for name in missing)


@contextmanager
def one_database(tests: Mapping[str, list[str]], mutants: Sequence[Mutant]) -> Iterator[dict[str, str]]:
    """Starts one PostgreSQL for all runs, unless one is given or no run needs it. Yields the environment variables that name it."""
    needed = any(GIVEN in test for mutant in mutants for test in tests.get(mutant.name, []))
    if given_url() is not None or not needed:
        yield {}
        return
    with running_cluster(None) as cluster:
        yield {GIVEN_URL_VARIABLE: cluster.server.dsn()}


if __name__ == "__main__":
    sys.exit(main())
