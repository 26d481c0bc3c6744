"""Files for secrets that are made on this host. They are small files in the data directory, which only their owner can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from tillsync_server.composition.errors import StartError


def read_private(path: Path) -> str | None:
    """Returns the file's text, or None without such a file. Raises StartError if the file is empty, unreadable, or readable by others."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartError(f"{path} cannot be read ({error.strerror})") from error
    if stat.S_IMODE(mode) & 0o077:
        raise StartError(f"{path} can be read by other users: make a new one of it, then `chmod 600 {path}`")
    if not text:
        raise StartError(f"{path} is empty: delete it, or put back what was in it")
    return text


def make_private(path: Path, make: Callable[[], str]) -> str:
    """Writes ``make()`` to a new file (0600), whole or not at all. An existing file stays. Returns the file's text. Raises StartError."""
    present = read_private(path)
    if present is not None:
        return present
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    text = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, f"{text}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(partial, path)  # a rename would replace a file that another process wrote meanwhile
        finally:
            partial.unlink()
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        return read_private(path) or text
    except OSError as error:
        raise StartError(f"{path} cannot be written ({error.strerror}): set TILLSYNC_DATA_DIR to a directory of yours") from error
    return text
