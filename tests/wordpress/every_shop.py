"""`make test-shops` runs the WordPress suite on every pair of WooCommerce and WordPress below TILLSYNC_SHOPS_DIR, one pair at a time.

A pair is a folder with a WordPress core in `wordpress` and a built WooCommerce in `woocommerce`. README.md beside this file has the layout.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from wordpress.harness.kinds import PHP, ROOT

VARIABLE = "TILLSYNC_SHOPS_DIR"
LOGS = ROOT / ".tillsync" / "shops"
STORES = ("hpos", "posts", "compatibility")
"""The real kinds of `harness/kinds.py`, each one order store."""
MISSING = f"set {VARIABLE} to a folder with pairs NAME/wordpress and NAME/woocommerce (tests/wordpress/README.md)"


@dataclass(frozen=True)
class Pair:
    name: str
    folder: Path
    lacking: str
    """File that makes the pair unusable because it is missing, or empty."""

    @classmethod
    def of(cls, folder: Path) -> Pair:
        needed = ("wordpress/wp-includes/version.php", "woocommerce/woocommerce.php", "woocommerce/vendor/autoload_packages.php")
        return cls(folder.name, folder, next((name for name in needed if not (folder / name).is_file()), ""))

    @property
    def variables(self) -> dict[str, str]:
        return {"WORDPRESS_DIR": str(self.folder / "wordpress"), "WOOCOMMERCE_DIR": str(self.folder / "woocommerce")}


@dataclass(frozen=True)
class Results:
    """Outcomes of one run: passed and total number of tests for each order store, and the names of the failed tests."""

    passed: Counter[str]
    total: Counter[str]
    failed: tuple[str, ...]

    @classmethod
    def of(cls, junit: Path) -> Results:
        passed, total, failed = Counter[str](), Counter[str](), []
        for case in ElementTree.parse(junit).iter("testcase"):
            name = case.get("name", "")
            found = re.search(rf"real-mariadb-({'|'.join(STORES)})", name)
            store = found.group(1) if found else "other"
            total[store] += 1
            if case.find("failure") is None and case.find("error") is None:
                passed[store] += 1
            else:
                failed.append(f"{case.get('classname', '').rpartition('.')[2]}::{name}")
        return cls(passed, total, tuple(failed))

    def __str__(self) -> str:
        return ", ".join(f"{store} {self.passed[store]}/{self.total[store]}" for store in (*STORES, "other") if self.total[store])


def pairs_below(directory: Path) -> list[Pair]:
    """Pairs in the order of their WooCommerce's version number, if their names begin with it."""

    def numbers(folder: Path) -> tuple[list[int], str]:
        return [int(number) for number in re.findall(r"\d+", folder.name)], folder.name

    return [Pair.of(folder) for folder in sorted((path for path in directory.iterdir() if path.is_dir()), key=numbers)]


def run(pair: Pair, only: str, arguments: Sequence[str]) -> tuple[int, str]:
    """Runs the tests of the real WooCommerce that match ``only``. Returns pytest's exit code, and the line of this pair."""
    junit, log = LOGS / f"{pair.name}.xml", LOGS / f"{pair.name}.log"
    junit.unlink(missing_ok=True)
    selected = ["-k", f"real-mariadb and ({only})"]
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}", *selected, *arguments, "tests/wordpress"]
    environment: Mapping[str, str] = {**os.environ, **pair.variables}
    with log.open("wb") as output:
        code = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    if not junit.exists():
        return code or 1, f"{pair.name}: the tests did not run ({log})"
    results = Results.of(junit)
    lines = [f"{pair.name}: {results or 'no tests'} on {PHP.name}", *(f"  FAILED {name}" for name in results.failed)]
    return code, "\n".join([*lines, f"  ({log})"] if code else lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m wordpress.every_shop", description=__doc__)
    parser.add_argument("--only", default="real", metavar="EXPRESSION", help="only tests that match it, as pytest's -k; default: all")
    options, of_pytest = parser.parse_known_args(arguments)
    given = os.environ.get(VARIABLE, "")
    directory = Path(given).resolve()
    pairs = pairs_below(directory) if given and directory.is_dir() else []
    if not pairs:
        print(MISSING if not given else f"{directory} has no pairs: {MISSING}")
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    worst = 0
    for pair in pairs:
        code, line = (2, f"{pair.name}: {pair.lacking} is missing") if pair.lacking else run(pair, options.only, of_pytest)
        print(line, flush=True)
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
