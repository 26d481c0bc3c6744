"""``releases.txt`` names the commit of each release, and its reader refuses what it does not understand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.directories import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
from releases import FILE, Release, ReleasesError, add, parse, read

COMMIT = "a" * 40
FIRST, SECOND = Release("0.9.0", COMMIT), Release("0.10.0", "b" * 40)


def test_file_of_this_repository_is_readable_and_its_commits_are_of_this_history() -> None:
    for release in read(REPOSITORY):
        command = ["git", "-C", str(REPOSITORY), "merge-base", "--is-ancestor", release.commit, "HEAD"]
        run = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert run.returncode in (0, 128), f"{release.version} is no ancestor; 128: a shallow clone lacks it"


def test_added_releases_are_read_in_order(tmp_path: Path) -> None:
    assert read(tmp_path) == []
    (tmp_path / FILE).write_bytes((REPOSITORY / FILE).read_bytes())
    before = read(tmp_path)
    newest = Release("99.0.0", "c" * 40)
    add(tmp_path, newest)
    assert read(tmp_path) == [*before, newest]
    assert newest.tag == "v99.0.0"


@pytest.mark.parametrize(
    "line", ["0.9.0", "0.9 " + "a" * 40, "v0.9.0 " + "a" * 40, "0.9.0 " + "a" * 39, "0.9.0 main", " 0.9.0 " + "a" * 40]
)
def test_line_of_another_form_is_named(line: str) -> None:
    with pytest.raises(ReleasesError, match=r"releases.txt:3: write `VERSION COMMIT`"):
        parse(f"# comment\n\n{line}\n")


def test_versions_ascend_as_numbers(tmp_path: Path) -> None:
    add(tmp_path, FIRST)
    add(tmp_path, SECOND)
    assert read(tmp_path) == [FIRST, SECOND]
    with pytest.raises(ReleasesError, match=r"releases.txt:3: write 0.9.1 before 0.10.0"):
        add(tmp_path, Release("0.9.1", "c" * 40))
    assert read(tmp_path) == [FIRST, SECOND]
