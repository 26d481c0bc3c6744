"""Root of the repository, and temporary directories of the tests.

Temporary directories are in memory if there is room, because the servers of the tests write many small files.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MEMORY, DISK = Path("/dev/shm"), Path("/var/tmp")
ROOM_BYTES = 4 * 1024**3
_PREFIX = "tillsync-test-"


@contextmanager
def reachable_directory(name: str = "") -> Iterator[Path]:
    """A directory that the PostgreSQL user can enter (root's temporary directories are closed to it). It is removed at the end.

    PostgreSQL truncates all tables in 6 ms in memory, and in 36 to 54 ms on a disk.
    """
    home = MEMORY if _has_room(MEMORY) else DISK
    _remove_left_behind(home)
    directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{name}", dir=home))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _has_room(directory: Path) -> bool:
    return directory.is_dir() and os.access(directory, os.W_OK) and shutil.disk_usage(directory).free > ROOM_BYTES


def _remove_left_behind(home: Path) -> None:
    """Removes the directories of killed runs, whose process no longer exists."""
    for left in home.glob(f"{_PREFIX}*"):
        made_by = re.match(rf"{_PREFIX}(\d+)-", left.name)
        if made_by and not Path(f"/proc/{made_by.group(1)}").exists():
            shutil.rmtree(left, ignore_errors=True)
