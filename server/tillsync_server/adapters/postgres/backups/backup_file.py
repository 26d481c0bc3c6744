"""The file of a backup: a ``.tar.gz`` that `tar` and `sha256sum` can read too.

``backup.json`` is its first member (`Manifest`). Then comes perhaps ``secret-key``, then the files of the cluster under ``postgres/``. The
last member is ``SHA256SUMS`` with the sum of every other member. A file without a right ``SHA256SUMS`` is damaged.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import io
import json
import os
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import IO, Final, Self

from tillsync_server.adapters.postgres.backups.work import Work

FORMAT: Final = 1
CLUSTER: Final = "postgres"
_MANIFEST, _SECRET_KEY, _SUMS = "backup.json", "secret-key", "SHA256SUMS"
_CHUNK: Final = 1_048_576
_MAX_TEXT: Final = 16 * _CHUNK
"""Bytes of the longest member that is held in memory."""
_UNREADABLE = (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error, UnicodeDecodeError)


class BackupFileError(RuntimeError):
    """The file cannot be written, or is no whole backup. The message has the remedy."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """``release`` made the backup. ``least_release`` is the oldest that can use the schema. ``made_at``: ISO 8601 in UTC."""

    made_at: str
    release: str
    schema: str
    revision: str
    least_release: str | None
    postgres_major: int
    cluster_bytes: int
    has_secret_key: bool
    format: int = FORMAT


class BackupWriter:
    """Writes a backup to a hidden file beside ``path`` (0600), which replaces ``path`` at `finish`. `close` without it changes nothing.

    The hidden file of a killed backup is used again by the next one.
    """

    def __init__(self, path: Path, work: Work) -> None:
        """Raises OSError, and BackupFileError if another backup writes the same file."""
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._work = work
        self._sums: dict[str, str] = {}
        self._file = self._open_partial()
        self._compressed = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=self._file)
        self._tar = tarfile.TarFile(fileobj=self._compressed, mode="w", copybufsize=_CHUNK)
        self._time = time.time()
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_manifest(self, manifest: Manifest) -> None:
        self.add_text(_MANIFEST, json.dumps(asdict(manifest), indent=2).encode() + b"\n")

    def add_secret_key(self, key: str) -> None:
        self.add_text(_SECRET_KEY, key.encode() + b"\n")

    def add_directory(self, name: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o700, self._time
        self._tar.addfile(member)

    def add_text(self, name: str, data: bytes) -> None:
        self._add(name, io.BytesIO(data), len(data))

    def add_file(self, name: str, path: Path) -> None:
        """Adds as many bytes as the file has now. Zeros replace bytes that are cut off meanwhile. Raises OSError."""
        with path.open("rb") as file:
            self._add(name, file, os.fstat(file.fileno()).st_size)

    def finish(self) -> int:
        """Writes the sums, syncs the file and gives it its name. Returns its size in bytes. Raises OSError."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in self._sums.items())
        self.add_text(_SUMS, lines.encode())
        self._tar.close()
        self._compressed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._partial.replace(self._path)
        self._finished = True
        sync_directory(self._path.parent)
        return size

    def close(self) -> None:
        if not self._finished:
            self._partial.unlink(missing_ok=True)
        for each in (self._compressed, self._file):
            with contextlib.suppress(OSError):  # a full disk fails here once more
                each.close()

    def _add(self, name: str, file: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, self._time
        reader = _Reader(file, self._work)
        self._tar.addfile(member, reader)
        self._sums[name] = reader.digest.hexdigest()

    def _open_partial(self) -> IO[bytes]:
        while True:
            file = open(self._partial, "r+b", opener=lambda path, _: os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))  # noqa: SIM115
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise BackupFileError(f"another backup writes {self._path} now: wait for its end, or name another file") from None
            if self._partial.exists() and os.path.samestat(os.fstat(file.fileno()), self._partial.stat()):
                os.fchmod(file.fileno(), 0o600)
                file.truncate()
                return file
            file.close()  # the other backup has renamed or removed it between open and lock


class _Reader:
    """Reads exactly the bytes that are asked for: zeros follow the end of a file that shrinks. Sums them."""

    def __init__(self, file: IO[bytes], work: Work) -> None:
        self.digest = hashlib.sha256()
        self._file = file
        self._work = work

    def read(self, size: int = -1, /) -> bytes:
        self._work.count(size)
        data = self._file.read(size)
        data += bytes(size - len(data))
        self.digest.update(data)
        return data


def read_manifest(path: Path) -> Manifest:
    """Returns what the file says of itself, from its beginning. Raises BackupFileError, and OSError if the file cannot be read."""
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            member = tar.next()
            if member is None or member.name != _MANIFEST or member.size > _MAX_TEXT:
                raise BackupFileError(f"{path} is no backup of tillsync")
            return _manifest(_text(tar, member), path)
    except EOFError:
        raise damaged(path) from None
    except _UNREADABLE:
        raise BackupFileError(f"{path} is no backup of tillsync, or its beginning is damaged") from None


def unpack(path: Path, target: Path, work: Work, owner: tuple[int, int] | None) -> str | None:
    """Writes the cluster of the backup to the new directory ``target`` and checks every sum. Returns the secret key, if there is one.

    ``owner``: uid and gid of the new files, or None for the present user. Raises BackupFileError for a damaged file, and OSError. Then the
    caller removes ``target``.
    """
    try:
        with gzip.open(path) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                key = _unpack(tar, target, work, owner, path)
            while stream.read(_CHUNK):  # gzip checks its own sum at the end
                pass
            return key
    except _UNREADABLE:
        raise damaged(path) from None


def damaged(path: Path) -> BackupFileError:
    return BackupFileError(f"{path} is damaged: its checksums do not fit, or its end is missing. Use another backup; nothing was restored")


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unpack(tar: tarfile.TarFile, target: Path, work: Work, owner: tuple[int, int] | None, path: Path) -> str | None:
    sums: dict[str, str] = {}
    key: str | None = None
    wanted: str | None = None
    target.mkdir(mode=0o700)
    _give(target, owner)
    for member in tar:
        if wanted is not None:
            raise damaged(path)  # nothing follows the sums
        if member.name in (_MANIFEST, _SECRET_KEY, _SUMS):
            text = _text(tar, member)
            if member.name == _SUMS:
                wanted = text.decode()
                continue
            sums[member.name] = hashlib.sha256(text).hexdigest()
            key = text.decode().strip() if member.name == _SECRET_KEY else key
            continue
        place = _place(member, target, path)
        if member.isdir():
            place.mkdir(mode=0o700, exist_ok=True)
        else:
            sums[member.name] = _write(tar, member, place, work)
        _give(place, owner)
    if wanted != "".join(f"{digest}  {name}\n" for name, digest in sums.items()):
        raise damaged(path)
    return key


def _place(member: tarfile.TarInfo, target: Path, path: Path) -> Path:
    """Returns where the member goes. Raises BackupFileError for any that a backup does not have, such as links and ways out."""
    parts = PurePosixPath(member.name).parts
    if not (member.isdir() or member.isreg()) or parts[0] != CLUSTER or ".." in parts:
        raise damaged(path)
    return target.joinpath(*parts[1:])


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path, work: Work) -> str:
    digest = hashlib.sha256()
    with open(place, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        for chunk in _chunks(tar, member):
            work.count(len(chunk))
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _chunks(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    source = tar.extractfile(member)
    assert source is not None
    while chunk := source.read(_CHUNK):
        yield chunk


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    source = tar.extractfile(member) if member.isreg() and member.size <= _MAX_TEXT else None
    if source is None:
        raise tarfile.ReadError
    return source.read()


def _manifest(text: bytes, path: Path) -> Manifest:
    try:
        manifest = json.loads(text)
        if manifest["format"] > FORMAT:
            raise BackupFileError(f"{path} has a newer form, of release {manifest['release']}: restore it with that release or a newer one")
        return Manifest(**{field.name: manifest[field.name] for field in fields(Manifest)})
    except (ValueError, KeyError, TypeError):
        raise damaged(path) from None


def _give(place: Path, owner: tuple[int, int] | None) -> None:
    if owner is not None:
        os.chown(place, *owner)
