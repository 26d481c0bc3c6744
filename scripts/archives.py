"""Unpacks tar archives without ``TarFile.extract(filter=...)``, which Debian 12's Python 3.11.2 does not have."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath


def extract_files(archive: tarfile.TarFile, target: Path, is_wanted: Callable[[str], bool] = lambda _: True) -> None:
    """Writes the wanted files of ``archive`` under ``target``. Executable files stay executable. Owners and times are dropped.

    Raises tarfile.TarError for a wanted member that is a link or a device, or whose path leaves ``target``.
    """
    for member in archive:
        if member.isdir() or not is_wanted(member.name):
            continue
        name = PurePosixPath(member.name)
        source = archive.extractfile(member) if member.isreg() else None
        if source is None or name.is_absolute() or ".." in name.parts:
            raise tarfile.TarError(f"{member.name} is not a plain file inside the archive")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with source, path.open("wb") as written:
            shutil.copyfileobj(source, written)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)
