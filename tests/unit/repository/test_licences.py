"""Each file has one licence by REUSE.toml, and each licence has its text. `make check` also runs `reuse lint`."""

from __future__ import annotations

import re
import tomllib

import pytest
from support.directories import REPOSITORY

ANNOTATIONS = tomllib.loads((REPOSITORY / "REUSE.toml").read_text(encoding="utf-8"))["annotations"]


def licence_of(path: str) -> str:
    """The licence of the last matching annotation."""
    found = [each for each in ANNOTATIONS if path.startswith(each["path"].removesuffix("**"))]
    assert found[-1]["SPDX-FileCopyrightText"]
    return str(found[-1]["SPDX-License-Identifier"])


def test_plugin_is_gpl_and_other_files_are_apache() -> None:
    assert all(re.fullmatch(r"([\w.-]+/)*\*\*", each["path"]) for each in ANNOTATIONS), "licence_of reads only folders"
    places = ("pyproject.toml", "server/tillsync_server/__init__.py", "tests/wordpress/conftest.py", "wp-bridge/uninstall.php")
    assert [licence_of(place) for place in places] == ["Apache-2.0"] * 3 + ["GPL-2.0-or-later"]
    for file in ("clients/python/pyproject.toml", "server/pyproject.toml"):
        assert tomllib.loads((REPOSITORY / file).read_text(encoding="utf-8"))["project"]["license"] == licence_of(file)
    for file, line in (("tillsync-bridge.php", r"^ \* License: +(.+)$"), ("readme.txt", r"^License: (.+)$")):
        stated = re.search(line, (REPOSITORY / "wp-bridge" / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert stated
        assert stated[1] == licence_of(f"wp-bridge/{file}")


@pytest.mark.parametrize(
    ("licence", "text"),
    [
        ("Apache-2.0", "LICENSE"),
        ("Apache-2.0", "server/LICENSE"),
        ("Apache-2.0", "clients/python/LICENSE"),
        ("GPL-2.0-or-later", "wp-bridge/LICENSE"),
    ],
)
def test_each_part_contains_its_licence_text(licence: str, text: str) -> None:
    assert licence_of(text) == licence
    assert (REPOSITORY / "LICENSES" / f"{licence}.txt").read_bytes() == (REPOSITORY / text).read_bytes()


def test_no_other_licence_text_exists() -> None:
    assert {path.stem for path in (REPOSITORY / "LICENSES").iterdir()} == {each["SPDX-License-Identifier"] for each in ANNOTATIONS}


def test_no_file_states_another_licence() -> None:
    # REUSE-IgnoreStart
    states = re.compile(r"SPDX-License-Identifier: +([\w.-]+)")
    # REUSE-IgnoreEnd
    folders = ("server", "clients", "protos", "scripts", "wp-bridge")
    files = [
        path
        for folder in folders
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in {".py", ".php", ".js", ".css", ".proto", ".sql", ".sh"}
    ]
    assert len(files) > 500
    for path in files:
        for licence in states.findall(path.read_text(encoding="utf-8")):
            assert licence == licence_of(path.relative_to(REPOSITORY).as_posix()), path
