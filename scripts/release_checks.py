"""Decides whether a release can be made from this clone. A refusal is one sentence with its remedy."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from lock import LOCKS, problems
from releases import ReleasesError, order, read, tag_of
from version_places import FORM, versions

CHANGELOG = "CHANGELOG.md"


class RefusedError(Exception):
    """The release cannot be made. The message is one sentence with its remedy."""


@dataclass(frozen=True)
class Plan:
    """A release that can be made."""

    version: str
    commit: str
    epoch: int
    """Time of the commit in Unix seconds."""
    notes: str
    """The changelog's section of this version, with its heading."""


def git(root: Path, *arguments: str) -> str:
    """Returns the output. Raises RefusedError with the last line of git's own message."""
    run = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise RefusedError(f"git {arguments[0]} failed ({reason}): correct that in this clone.")
    return run.stdout


def plan(root: Path, version: str, *, dry_run: bool) -> Plan:
    """Checks everything before a file is written. Raises RefusedError.

    A dry run takes the version of the sources if ``version`` is empty, and accepts a changelog section that is marked as unreleased.
    """
    in_sources = versions(root)
    own = next(iter(in_sources.values()))
    version = version or (own if dry_run else "")
    if not version:
        raise RefusedError(f"A release needs its version: run `make release VERSION={own}`.")
    if not FORM.fullmatch(version):
        raise RefusedError(f"Version {version} does not have three numbers: write it like VERSION={own}.")
    if changed := git(root, "status", "--porcelain").splitlines():
        raise RefusedError(f"The clone has changes ({changed[0].strip()}{', …' if changed[1:] else ''}): commit or remove them.")
    _check_is_newer(root, version)
    notes = _section(root, version)
    if wrong := sorted({place.file for place, found in in_sources.items() if found != version}):
        raise RefusedError(
            f"The sources do not have version {version} ({', '.join(wrong)}): run `make version VERSION={version}` and commit."
        )
    if not dry_run and "(unreleased)" in notes.splitlines()[0]:
        raise RefusedError(f"{CHANGELOG} calls {version} unreleased: write the day of the release there instead, and commit.")
    lock = LOCKS["development"]
    if found := next(problems("development", (root / lock).read_text(encoding="utf-8")), None):
        raise RefusedError(f"The installed packages are not those of {lock} ({found}): run `make lock`, and commit what changes.")
    commit, epoch = git(root, "log", "-1", "--format=%H %ct").split()
    return Plan(version, commit, int(epoch), notes)


def _check_is_newer(root: Path, version: str) -> None:
    try:
        released = {release.version for release in read(root)}
    except ReleasesError as error:
        raise RefusedError(f"{error}.") from error
    released |= {tag[1:] for tag in git(root, "tag", "--list", "v*").split() if FORM.fullmatch(tag[1:])}
    newest = max(released, key=order, default=None)
    if newest is not None and order(version) <= order(newest):
        raise RefusedError(
            f"Version {version} is not newer than {tag_of(newest)}: run `make version VERSION=…` with a higher one, and commit."
        )


def _section(root: Path, version: str) -> str:
    """The changelog's section of the version, with its heading and one newline at the end."""
    parts = f"\n{(root / CHANGELOG).read_text(encoding='utf-8')}".split("\n## ")[1:]
    found = next((part for part in parts if part.split(maxsplit=1)[0] == version), None)
    if found is None or not found.partition("\n")[2].strip():
        raise RefusedError(f"{CHANGELOG} has no text under `## {version}`: write what changed there, and commit.")
    return f"## {found.strip()}\n"
