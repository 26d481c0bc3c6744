"""Reads the revisions in ``versions/``: ``0015_topic.sql`` or ``r0015_topic.py``.

A revision is one of three kinds:

- An SQL file runs in one transaction, statement by statement (``scripts``).
- An SQL file with the line ``-- tillsync: concurrently`` holds CREATE INDEX CONCURRENTLY statements alone. ``index_builds`` runs each.
- A Python file has ``async def upgrade(step: Step) -> None``. It works in chunks while the service runs, and goes on after a crash.

The line ``-- tillsync: least-release 0.3.0`` (in Python: ``LEAST_RELEASE = "0.3.0"``) names the oldest release that can work with the
schema from then on. A revision that removes what an older release reads needs it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from tillsync_server.adapters.postgres.migrations.index_builds import IndexBuild, index_builds
from tillsync_server.adapters.postgres.migrations.steps import Step

VERSIONS = Path(__file__).parent / "versions"
_FILE = re.compile(r"(?:(?P<sql>\d{4})_\w+\.sql|r(?P<python>\d{4})_\w+\.py)")
_DIRECTIVE = re.compile(r"^-- tillsync: (?P<name>[a-z-]+)(?: (?P<value>\S+))?$", re.MULTILINE)
_DIRECTIVES = frozenset({"concurrently", "least-release"})

Upgrade = Callable[[Step], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Revision:
    """One of ``sql`` (run in one transaction), ``indexes`` and ``upgrade`` is set. ``number`` has four digits."""

    number: str
    sql: str = ""
    indexes: tuple[IndexBuild, ...] = ()
    upgrade: Upgrade | None = None
    least_release: str | None = None


def revision_numbers(directory: Path = VERSIONS) -> list[str]:
    """The numbers of all revisions, oldest first, from the file names alone."""
    return [number for number, _ in _files(directory)]


def revisions(directory: Path = VERSIONS) -> list[Revision]:
    """All revisions, oldest first. Raises ValueError for a file that breaks the rules of this module."""
    return [_read(number, path) for number, path in _files(directory)]


def _files(directory: Path) -> list[tuple[str, Path]]:
    found = sorted(
        (match["sql"] or match["python"], path) for path in directory.iterdir() if (match := _FILE.fullmatch(path.name)) is not None
    )
    numbers = [number for number, _ in found]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"two revisions in {directory.name} have one number: {', '.join(path.name for _, path in found)}")
    return found


def _read(number: str, path: Path) -> Revision:
    if path.suffix == ".py":
        return _read_python(number, path)
    sql = path.read_text(encoding="utf-8")
    directives = {match["name"]: match["value"] for match in _DIRECTIVE.finditer(sql)}
    if unknown := directives.keys() - _DIRECTIVES:
        raise ValueError(f"{path.name} has an unknown directive: {', '.join(sorted(unknown))}")
    least_release = directives.get("least-release")
    if "concurrently" in directives:
        return Revision(number, indexes=index_builds(sql, path.name), least_release=least_release)
    return Revision(number, sql=sql, least_release=least_release)


def _read_python(number: str, path: Path) -> Revision:
    spec = spec_from_file_location(f"{__package__}.versions.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return Revision(number, upgrade=module.upgrade, least_release=getattr(module, "LEAST_RELEASE", None))
