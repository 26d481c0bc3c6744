"""Copies the files of a running cluster so that PostgreSQL can recover them: a base backup by ``pg_backup_start`` and ``pg_backup_stop``.

It needs no program but the server, so it works with all programs that `embedded.binaries` accepts. The rules of what is copied are
PostgreSQL's ("Making a Base Backup Using the Low Level API"): the WAL written meanwhile repairs pages that were copied while they changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg

from tillsync_server.adapters.postgres.backups.backup_file import CLUSTER, BackupWriter
from tillsync_server.adapters.postgres.backups.work import Work, in_thread
from tillsync_server.adapters.postgres.statements import load

_HOLD_WAL = load("backups/hold_wal")
_BEGIN = load("backups/begin")
_FINISH = load("backups/finish")

_EMPTY_DIRECTORIES: Final = frozenset(
    {"pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans", "pg_wal"}
)
"""Directories of which only the name is copied. PostgreSQL fills them at its start; of pg_wal the needed files follow at the end."""
_LEFT_OUT = re.compile(
    r"postmaster\.(pid|opts)|backup_label(\.old)?|backup_manifest|tablespace_map(\.old)?|pgsql_tmp.*|pg_internal\.init.*|.*\.tmp"
)
_CONTROL_FILE: Final = "global/pg_control"
_WAL_FILE = re.compile(r"[0-9A-F]{24}")
_FIRST_WAL = re.compile(r"^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)$", re.MULTILINE)


class BackupError(RuntimeError):
    """The cluster cannot be copied. The message has the reason."""


async def copy_cluster(connection: asyncpg.Connection[asyncpg.Record], cluster: Path, writer: BackupWriter, work: Work) -> None:
    """Adds the cluster to ``writer``, consistent at the end of the copy. The service may write meanwhile.

    ``connection`` belongs to a superuser of the server that runs on ``cluster``. Its end ends an unfinished backup. Raises BackupError,
    OSError and what PostgreSQL says.
    """
    await connection.execute(_HOLD_WAL, f"tillsync_backup_{connection.get_server_pid()}")
    await connection.execute(_BEGIN, "tillsync backup")
    await in_thread(work, lambda: _add_files(cluster, writer))
    row = await connection.fetchrow(_FINISH)
    assert row is not None
    label: str = row["labelfile"]
    writer.add_text(f"{CLUSTER}/backup_label", label.encode())
    await in_thread(work, lambda: _add_wal(cluster / "pg_wal", label, row["last_wal"], writer))


def cluster_size(cluster: Path) -> int:
    """Returns the bytes of the files that a backup copies, without the WAL."""
    return sum(size for _, path in _entries(cluster) if path.is_file() and (size := _size(path)))


def _add_files(cluster: Path, writer: BackupWriter) -> None:
    for name, path in _entries(cluster):
        if path.is_dir():
            writer.add_directory(f"{CLUSTER}/{name}")
        elif name != _CONTROL_FILE:
            try:
                writer.add_file(f"{CLUSTER}/{name}", path)
            except FileNotFoundError:  # dropped meanwhile; the WAL drops it in the copy too
                continue
    writer.add_text(f"{CLUSTER}/{_CONTROL_FILE}", _steady_bytes(cluster / _CONTROL_FILE))


def _add_wal(directory: Path, label: str, last: str, writer: BackupWriter) -> None:
    match = _FIRST_WAL.search(label)
    if match is None:
        raise BackupError("PostgreSQL's backup_label names no WAL file")
    names = sorted(path.name for path in directory.iterdir() if _WAL_FILE.fullmatch(path.name) and match[1] <= path.name <= last)
    if not names or names[0] != match[1] or names[-1] != last:
        raise BackupError("PostgreSQL has not kept the WAL of the backup")
    for name in (*names, *(path.name for path in directory.glob("*.history"))):
        writer.add_file(f"{CLUSTER}/pg_wal/{name}", directory / name)


def _entries(cluster: Path) -> Iterator[tuple[str, Path]]:
    """Returns the directories and files to copy, each directory before its content, with names relative to the cluster.

    Raises BackupError for a link: tablespaces are not part of an embedded cluster.
    """
    waiting = [cluster]
    while waiting:
        for entry in sorted(os.scandir(waiting.pop()), key=lambda each: each.name):
            name = str(Path(entry.path).relative_to(cluster))
            if entry.is_symlink():
                raise BackupError(f"{entry.path} is a link, and a backup holds no files outside the data directory")
            if entry.is_dir():
                yield name, Path(entry.path)
                if name not in _EMPTY_DIRECTORIES:
                    waiting.append(Path(entry.path))
            elif entry.is_file() and _LEFT_OUT.fullmatch(entry.name) is None:
                yield name, Path(entry.path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _steady_bytes(path: Path) -> bytes:
    """Reads a small file that PostgreSQL overwrites at times, until two reads agree."""
    read = path.read_bytes()
    while (again := path.read_bytes()) != read:
        read = again
    return read
