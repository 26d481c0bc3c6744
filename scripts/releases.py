"""Reads and extends ``releases.txt``, the file that names the commit of each release.

A release's own commit cannot hold its hash, so the line of a release comes with a later commit. The file works in clones without tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FILE = "releases.txt"
_LINE = re.compile(r"(?P<version>\d+\.\d+\.\d+) (?P<commit>[0-9a-f]{40})")


class ReleasesError(Exception):
    """``releases.txt`` has a line of another form, or its versions do not ascend. The message names the line."""


@dataclass(frozen=True)
class Release:
    version: str
    """Three numbers, as in ``0.1.0``."""
    commit: str
    """40 hexadecimal digits."""

    @property
    def tag(self) -> str:
        return tag_of(self.version)


def tag_of(version: str) -> str:
    return f"v{version}"


def order(version: str) -> tuple[int, ...]:
    """The sort key of a version of three numbers."""
    return tuple(map(int, version.split(".")))


def parse(text: str) -> list[Release]:
    """The releases in ``text``, oldest first. Empty lines and lines that begin with ``#`` are ignored. Raises ReleasesError."""
    releases: list[Release] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ReleasesError(f"{FILE}:{number}: write `VERSION COMMIT` with three numbers and 40 hexadecimal digits")
        if releases and order(match["version"]) <= order(releases[-1].version):
            raise ReleasesError(f"{FILE}:{number}: write {match['version']} before {releases[-1].version}")
        releases.append(Release(match["version"], match["commit"]))
    return releases


def read(root: Path) -> list[Release]:
    """The releases of the repository at ``root``, oldest first. Without the file there are none. Raises ReleasesError."""
    path = root / FILE
    return parse(path.read_text(encoding="utf-8")) if path.exists() else []


def add(root: Path, release: Release) -> None:
    """Appends the line of ``release``. Raises ReleasesError, and then leaves the file as it was."""
    path = root / FILE
    text = f"{path.read_text(encoding='utf-8') if path.exists() else ''}{release.version} {release.commit}\n"
    parse(text)
    path.write_text(text, encoding="utf-8")
