"""``tests/unit`` and ``tests/integration`` mirror the folders of the source, and test files have unique names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support.directories import REPOSITORY

TESTS = REPOSITORY / "tests"
PACKAGES = {
    path.name: path
    for path in (
        REPOSITORY / "clients" / "python" / "tillsync_cli",
        REPOSITORY / "clients" / "python" / "tillsync_client",
        REPOSITORY / "server" / "tillsync_sandbox",
    )
}
SERVER = REPOSITORY / "server" / "tillsync_server"
GUARDS = "repository"
"""Folder of the tests over the repository itself. It is no folder of the source."""


def source_folder(folder: Path) -> Path:
    """Folder of the source that this folder below ``tests/unit`` or ``tests/integration`` mirrors."""
    first, *others = folder.parts
    return PACKAGES.get(first, SERVER / first).joinpath(*others)


@pytest.mark.parametrize("tree", ["unit", "integration"])
def test_each_folder_of_tests_mirrors_a_folder_of_the_source(tree: str) -> None:
    folders = {file.parent.relative_to(TESTS / tree) for file in (TESTS / tree).rglob("*.py")} - {Path(), Path(GUARDS)}
    assert len(folders) > 5
    assert sorted(str(folder) for folder in folders if not source_folder(folder).is_dir()) == []


def test_unit_tests_are_in_folders() -> None:
    assert [file.name for file in (TESTS / "unit").glob("test_*.py")] == []


def test_names_of_test_files_are_unique() -> None:
    names = Counter(file.name for file in TESTS.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
