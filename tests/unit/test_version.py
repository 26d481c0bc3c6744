"""The version stands in pyproject.toml. The service and the command line read it there; WordPress needs it written in the plugin."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
PLACES = [
    ("CHANGELOG.md", r"^## (\S+)"),
    ("wp-bridge/tillsync-bridge.php", r"^ \* Version: +(\S+)$"),
    ("wp-bridge/tillsync-bridge.php", r"^const VERSION += '(.+)';$"),
    ("wp-bridge/readme.txt", r"^Stable tag: (.+)$"),
    ("wp-bridge/readme.txt", r"^== Changelog ==\n\n= (.+) =$"),
    ("wp-bridge/blocks/points/editor.asset.php", r"^\t'version' +=> '(.+)',$"),
]


def test_the_installed_package_has_the_version() -> None:
    """`tillsync --version`, the log, the metrics and the requests of the service name the installed one."""
    assert version("tillsync") == VERSION


@pytest.mark.parametrize(("file", "place"), PLACES)
def test_what_must_be_written_elsewhere_is_the_version_of_the_project(file: str, place: str) -> None:
    found = re.search(place, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{file} has no version at {place}"
    assert found[1] == VERSION


def test_no_code_writes_the_version_itself() -> None:
    code = [path for folder in ("server", "clients/python") for path in (ROOT / folder).rglob("*.py")]
    assert len(code) > 300
    assert [path for path in code if re.search(rf"['\"]{re.escape(VERSION)}['\"]", path.read_text(encoding="utf-8"))] == []
