"""The version is in the client's pyproject.toml. Server, changelog and plugin repeat it, and the programs read the installed one."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import pytest
from support.directories import REPOSITORY

VERSION = tomllib.loads((REPOSITORY / "clients/python/pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
PLACES = [
    ("server/pyproject.toml", r'^version = "(.+)"$'),
    ("server/pyproject.toml", r'^    "tillsync==(.+?)",'),
    ("CHANGELOG.md", r"^## (\S+)"),
    ("wp-bridge/tillsync-bridge.php", r"^ \* Version: +(\S+)$"),
    ("wp-bridge/tillsync-bridge.php", r"^const VERSION += '(.+)';$"),
    ("wp-bridge/readme.txt", r"^Stable tag: (.+)$"),
    ("wp-bridge/readme.txt", r"^== Changelog ==\n\n= (.+) =$"),
    ("wp-bridge/blocks/points/editor.asset.php", r"^\t'version' +=> '(.+)',$"),
]


@pytest.mark.parametrize("package", ["tillsync", "tillsync-server"])
def test_installed_packages_have_the_version(package: str) -> None:
    """`tillsync --version`, the log, the metrics and the requests of the service use the installed version."""
    assert version(package) == VERSION


@pytest.mark.parametrize(("file", "place"), PLACES)
def test_repeated_versions_equal_the_project_version(file: str, place: str) -> None:
    found = re.search(place, (REPOSITORY / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{file} has no version at {place}"
    assert found[1] == VERSION


def test_no_code_contains_the_version() -> None:
    code = [path for folder in ("server", "clients/python") for path in (REPOSITORY / folder).rglob("*.py")]
    assert len(code) > 300
    assert [path for path in code if re.search(rf"['\"]{re.escape(VERSION)}['\"]", path.read_text(encoding="utf-8"))] == []
