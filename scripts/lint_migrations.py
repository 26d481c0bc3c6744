"""Lints the database's revisions with squawk. It finds locks that stop the service, and changes with which the previous release fails.

Revisions before 0015 are not linted, because they are older than the linter and the first release. An exception is a line
``-- squawk-ignore rule-name`` before the statement. No linter reads Python revisions.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ROOT / "server/tillsync_server/adapters/postgres/migrations/versions"
FIRST = "0015"
CONCURRENTLY = "-- tillsync: concurrently"


def files() -> tuple[list[Path], list[Path]]:
    """Returns the revisions that run in a transaction, and those that build indexes concurrently."""
    linted = sorted(path for path in VERSIONS.glob("[0-9]*.sql") if path.name[:4] >= FIRST)
    concurrent = [path for path in linted if CONCURRENTLY in path.read_text(encoding="utf-8").splitlines()]
    return [path for path in linted if path not in concurrent], concurrent


def main() -> int:
    squawk = [str(Path(sys.executable).parent / "squawk"), "--config", str(ROOT / ".squawk.toml")]
    codes = [0]
    for options, paths in zip((["--assume-in-transaction"], []), files(), strict=True):
        if paths:
            codes.append(subprocess.run([*squawk, *options, *map(str, paths)], cwd=ROOT, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
