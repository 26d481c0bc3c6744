"""Secrets of the service in private files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.private_files import make_private, read_private


def test_private_file_is_made_atomically_for_its_owner_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    assert read_private(path) is None
    assert make_private(path, lambda: "first") == "first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_private(path, lambda: "second") == "first"
    assert read_private(path) == "first"
    assert [left.name for left in path.parent.iterdir()] == ["secret"]


def test_concurrent_makers_of_a_private_file_get_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def while_another_is_faster() -> str:
        make_private(path, lambda: "theirs")
        return "ours"

    assert make_private(path, while_another_is_faster) == "theirs"
    assert read_private(path) == "theirs"


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [("x", 0o640, "other users"), ("x", 0o604, "other users"), ("  \n", 0o600, "is empty")],
)
def test_unsafe_private_file_is_refused(tmp_path: Path, text: str, mode: int, reason: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(StartError, match=reason):
        read_private(path)


def test_unwritable_private_file_raises_start_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be"):
        make_private(tmp_path / "file" / "secret", lambda: "x")
