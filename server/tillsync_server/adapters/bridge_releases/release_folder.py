"""The release folder of the operator. A wrong file is never offered. It is logged once, and listed by ListBridgeReleases."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from tillsync_server.adapters.bridge_releases.release_files import UNREADABLE, BadFileError, read_at_most, read_keys, read_release
from tillsync_server.adapters.bridge_releases.rings import RINGS_BYTES, RINGS_FILE, read_rings
from tillsync_server.domain.bridge_release import PLUGIN, BridgeRelease, ReleaseFolder, ReleaseProblem, Ring, version_order
from tillsync_server.domain.errors import NotFound

_LOG = structlog.get_logger(__name__)
KEYS_FILE = "public-keys.txt"
PIECE_BYTES = 256 * 1024
CHECK_SECONDS = 2.0
"""The folder is listed at most this often. Its files are read only after a change."""
_FILE = re.compile(rf"{PLUGIN}-(\d{{1,6}}\.\d{{1,6}}\.\d{{1,6}})\.(?:zip|json|json\.sig)", re.ASCII)
_Stamp = tuple[tuple[str, int, int, int], ...]
"""Name, size, change time and inode of each file."""


class BridgeReleaseFolder:
    """Implements ports.bridges.BridgeReleases. ``directory``: None offers no release. ``clock`` is monotonic, in seconds."""

    def __init__(self, directory: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        self._folder = ReleaseFolder(has_directory=directory is not None)
        self._stamp: _Stamp | None = None
        self._checked_at = float("-inf")
        self._checking = asyncio.Lock()
        self._logged: frozenset[ReleaseProblem] = frozenset()

    async def read(self) -> ReleaseFolder:
        if self._directory is not None and self._clock() - self._checked_at >= CHECK_SECONDS:
            async with self._checking:
                if self._clock() - self._checked_at >= CHECK_SECONDS:
                    self._folder = await asyncio.to_thread(self._scan, self._directory)
                    self._checked_at = self._clock()
                    self._log(self._folder.problems)
        return self._folder

    async def piece(self, release: BridgeRelease, offset: int) -> bytes:
        return await asyncio.to_thread(self._piece, release, offset)

    def _piece(self, release: BridgeRelease, offset: int) -> bytes:
        assert self._directory is not None
        try:
            with (self._directory / f"{PLUGIN}-{release.version}.zip").open("rb") as package:
                package.seek(min(offset, release.size))
                return package.read(min(PIECE_BYTES, max(release.size - offset, 0)))
        except OSError as error:
            raise NotFound("the zip of this release has gone; ask for the update again", reason="BRIDGE_RELEASE_NOT_FOUND") from error

    def _scan(self, directory: Path) -> ReleaseFolder:
        """Reads the folder if one of its files has changed. A file that cannot be read is a problem."""
        try:
            stamp = _stamp(directory)
            if stamp == self._stamp:
                return self._folder
            folder = _read(directory, [name for name, *_ in stamp])
        except OSError as error:
            self._stamp = None
            text = f"cannot be read ({error.strerror}): let the service's user read TILLSYNC_BRIDGE_RELEASES_DIR and its files"
            return ReleaseFolder(problems=(ReleaseProblem(".", "folder_unreadable", text),), has_directory=True)
        # Another right to read a file changes no stamp.
        self._stamp = None if any(problem.code == UNREADABLE for problem in folder.problems) else stamp
        return folder

    def _log(self, problems: tuple[ReleaseProblem, ...]) -> None:
        for problem in problems:
            if problem not in self._logged:
                _LOG.warning("bridge_release_not_offered", path=problem.file, reason=problem.sentence)
        self._logged = frozenset(problems)


def _stamp(directory: Path) -> _Stamp:
    """A name without a file, such as a symbolic link whose target is removed, has zeros. Only its release is not offered then."""
    found = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith(PLUGIN) or path.name in (RINGS_FILE, KEYS_FILE):
            try:
                status = path.stat()
            except FileNotFoundError:
                found.append((path.name, 0, 0, 0))
            else:
                found.append((path.name, status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)


def _read(directory: Path, names: list[str]) -> ReleaseFolder:
    problems: list[ReleaseProblem] = []
    releases: list[BridgeRelease] = []
    try:
        rings = _rings(directory, names)
        keys = read_keys(_small_file(directory, KEYS_FILE), KEYS_FILE) if KEYS_FILE in names else None
    except BadFileError as error:  # without rings and keys no release is certain
        return ReleaseFolder(problems=(error.problem,), has_directory=True)
    versions: set[str] = set()
    for name in names:
        if found := _FILE.fullmatch(name):
            versions.add(found[1])
        elif name not in (RINGS_FILE, KEYS_FILE):
            text = f"is no file of a release: name it {PLUGIN}-1.4.0 with .zip, .json or .json.sig, or remove it"
            problems.append(ReleaseProblem(name, "name_unknown", text))
    for version in sorted(versions, key=version_order):
        try:
            releases.append(read_release(directory, version, rings.get(version, Ring()), keys))
        except BadFileError as error:
            problems.append(error.problem)
        if version not in rings:
            text = f'has no table ["{version}"], so this release is offered to no account: write one'
            problems.append(ReleaseProblem(RINGS_FILE, "ring_missing", text))
    for version in sorted(set(rings) - versions, key=version_order):
        text = f"names {version}, of which the folder has no file: copy the release, or remove the table"
        problems.append(ReleaseProblem(RINGS_FILE, "release_missing", text))
    return ReleaseFolder(tuple(releases), tuple(problems), has_directory=True)


def _rings(directory: Path, names: list[str]) -> dict[str, Ring]:
    return read_rings(_small_file(directory, RINGS_FILE)) if RINGS_FILE in names else {}


def _small_file(directory: Path, name: str) -> bytes:
    try:
        content = read_at_most(directory / name, RINGS_BYTES)
    except FileNotFoundError as error:
        raise BadFileError(name, UNREADABLE, "is a link to a file that does not exist: remove the link, or copy the file") from error
    if content is None:
        raise BadFileError(name, "too_large", f"has more than {RINGS_BYTES} bytes: shorten it; rings may use percent instead of accounts")
    return content
