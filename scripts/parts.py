"""Parts that only tests need and that no wheel carries. They come from npm or apt, by package name, into a folder under .tillsync.

A part that is there is not brought again. A part that cannot be brought never fails the build. Its reason goes into
``.tillsync/missing.txt``, one ``thing: reason`` a line, which tests/support/not_run.py reads for the closing lines of a test run.
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
    """Why a part cannot be had, in a few words."""


@dataclass(frozen=True)
class Part:
    folder: str
    """Its name under the cache folder."""
    thing: str
    """What tests lack without it, as the closing lines name it (tests/support/not_run.py)."""
    bring: Callable[[Path, Path], None]
    """``bring(made, work)`` makes the folder ``made``, in the empty folder ``work``."""


def run(*command: str, cwd: Path) -> str:
    """What the command printed."""
    if shutil.which(command[0]) is None:
        raise PartError(f"{command[0]} is not installed")
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=600).stdout


def npm_package(name: str, work: Path) -> tarfile.TarFile:
    """The archive of ``package@version``."""
    return tarfile.open(work / run("npm", "pack", "--silent", name, cwd=work).strip().splitlines()[-1])


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
            except Exception as failure:  # noqa: BLE001 - whatever the cause, only the tests of this part are lost
                _record_missing(part.thing, _reason(failure))


def _reason(failure: Exception) -> str:
    lines = (getattr(failure, "stderr", None) or str(failure) or repr(failure)).strip().splitlines()
    return lines[0] if lines else repr(failure)


def _record_missing(thing: str, reason: str) -> None:
    with MISSING.open("a", encoding="utf-8") as missing:
        missing.write(f"{thing}: {reason}\n")
    sys.stdout.write(f"missing: {thing}: {reason}\n")
