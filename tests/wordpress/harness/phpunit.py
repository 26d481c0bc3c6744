"""Runs PHPUnit under pytest: one item per test class, with PHPUnit's own report."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from wordpress.harness.kinds import BRIDGE, PHP, PHPUNIT
from wordpress.harness.site import Site
from wordpress.harness.web import php_options

SUITES = Path(__file__).resolve().parents[1] / "php"


@dataclass(frozen=True)
class PhpRun:
    tests: int
    output: str


def php_test_files(suite: str) -> list[Path]:
    return sorted((SUITES / suite).rglob("*Test.php"))


def run_phpunit(file: Path, *, site: Site | None, seconds: float = 110) -> PhpRun:
    """Raises AssertionError with PHPUnit's report. Skipped, risky and warned tests and a class without tests are failures. A class called
    ...AdminTest runs as a page of wp-admin, any other as a REST request.
    """
    bootstrap = SUITES / ("bootstrap-unit.php" if site is None else "bootstrap-site.php")
    environment = {**os.environ, "TILLSYNC_BRIDGE_DIR": str(BRIDGE)}
    if site is not None:
        admin = file.stem.endswith("AdminTest")
        environment |= {"TILLSYNC_SITE": json.dumps({"directory": str(site.directory), "url": site.url, "admin": admin})}
    flags = [
        "--no-configuration",
        "--do-not-cache-result",
        "--fail-on-warning",
        "--fail-on-risky",
        "--fail-on-skipped",
        "--fail-on-incomplete",
        "--colors=never",
        *(["--group", group] if (group := os.environ.get("TILLSYNC_TEST_PHPUNIT_GROUP")) else []),
    ]
    run = subprocess.run(
        [
            str(PHP),
            *php_options(site.compiled if site else None),
            "-d",
            "display_errors=stderr",
            str(PHPUNIT),
            *flags,
            "--bootstrap",
            str(bootstrap),
            str(file),
        ],
        cwd=SUITES,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    output = f"{run.stdout}\n{run.stderr}".strip()
    passed = re.search(r"OK \((\d+) tests?, (\d+) assertions?\)", run.stdout)
    assert run.returncode == 0, output[:20_000]
    assert passed, output
    return PhpRun(int(passed.group(1)), output)
