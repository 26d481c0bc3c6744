"""The version is in the client's pyproject.toml. Server, changelog and plugin repeat it, and the programs read the installed one."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from support.directories import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
from releases import FILE
from version_places import PLACES, Place, versions, write

VERSION = tomllib.loads((REPOSITORY / "clients/python/pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.mark.parametrize("package", ["tillsync", "tillsync-server"])
def test_installed_packages_have_the_version(package: str) -> None:
    """`tillsync --version`, the log, the metrics and the requests of the service use the installed version."""
    assert version(package) == VERSION


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.file}: {place.pattern}")
def test_repeated_versions_equal_the_project_version(place: Place) -> None:
    file = REPOSITORY / place.file
    found = re.search(place.pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{file} has no version at {place}"
    assert found[1] == VERSION


@pytest.mark.parametrize("released", [False, True])
def test_version_is_written_to_every_place_and_released_sections_stay(tmp_path: Path, released: bool) -> None:
    for file in {place.file for place in PLACES}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes((REPOSITORY / file).read_bytes())
    if released:
        (tmp_path / FILE).write_text(f"{VERSION} {'a' * 40}\n")
    write(tmp_path, "99.0.0")
    assert versions(tmp_path) == dict.fromkeys(PLACES, "99.0.0")
    for file in {place.file for place in PLACES}:
        before, after = ((root / file).read_text(encoding="utf-8") for root in (REPOSITORY, tmp_path))
        added = sum(place.section.count("\n") for place in PLACES if place.file == file) if released else 0
        assert len(after.splitlines()) == len(before.splitlines()) + added
    changelog = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (f"\n## {VERSION}" in changelog) == released


def test_no_code_contains_the_version() -> None:
    code = [path for folder in ("server", "clients/python") for path in (REPOSITORY / folder).rglob("*.py")]
    assert len(code) > 300
    assert [path for path in code if re.search(rf"['\"]{re.escape(VERSION)}['\"]", path.read_text(encoding="utf-8"))] == []
