"""The private directory of the socket between the HTTP side and gRPC. A killed process leaves its own behind; the next start clears it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

_PARENT, _PREFIX = Path("/tmp"), "tillsync-edge-"


class SocketDirectory:
    """0700, of a short name (a socket's path ends at about a hundred characters). In use for as long as its lock is held."""

    def __init__(self) -> None:
        for other in _PARENT.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                _remove_if_abandoned(other)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PARENT))
        self._lock: IO[str] = (self.path / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    async def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _remove_if_abandoned(directory: Path) -> None:
    if directory.stat().st_uid != os.geteuid():
        return
    with (directory / "lock").open() as lock:  # not there yet: just being made, by a process that lives
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
