"""Releases of the bridge: which release an account gets, and which bridges are outdated. The operator's rings decide about the accounts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tillsync_server.domain.ids import AccountId

PLUGIN = "tillsync-bridge"
SUPPORTED = timedelta(days=365)
"""A bridge keeps working for this time after the next release of it."""
_VERSION = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}", re.ASCII)


def is_version(text: str) -> bool:
    """Returns whether the text is a version of three numbers."""
    return _VERSION.fullmatch(text) is not None


def version_order(version: str) -> tuple[int, ...]:
    """The sort key of a version. Raises ValueError for another form."""
    if not is_version(version):
        raise ValueError(f"{version[:40]!r} is no version of three numbers")
    return tuple(map(int, version.split(".")))


@dataclass(frozen=True, slots=True)
class Ring:
    """The accounts that a release is offered to: those that are named, and a share of all."""

    account_ids: frozenset[AccountId] = frozenset()
    percent: int = 0
    """0 to 100."""

    def includes(self, account_id: AccountId, version: str) -> bool:
        """The share is by a hash of version and account. So a raised share keeps its accounts, and another version begins with others."""
        if account_id in self.account_ids:
            return True
        digest = hashlib.sha256(f"{version}\n{account_id}".encode()).digest()
        return int.from_bytes(digest[:8]) % 100 < self.percent


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRelease:
    version: str
    published: datetime
    size: int
    """Bytes of the zip."""
    manifest: bytes
    """The exact bytes that are signed."""
    signatures: tuple[bytes, ...]
    is_signature_checked: bool
    """Whether a public key of the operator's confirmed a signature. The bridge checks with its own key in any case."""
    ring: Ring


@dataclass(frozen=True, slots=True)
class ReleaseProblem:
    """A file of the release folder that is not used."""

    file: str
    """Its name in the folder. ``.`` is the folder itself."""
    code: str
    """A word for logs."""
    sentence: str
    """The reason and the remedy."""


@dataclass(frozen=True, slots=True)
class ReleaseFolder:
    """What the release folder holds."""

    releases: tuple[BridgeRelease, ...] = ()
    """Oldest version first."""
    problems: tuple[ReleaseProblem, ...] = ()
    has_directory: bool = False
    """Whether the operator named a folder."""

    def release(self, account_id: AccountId, version: str) -> BridgeRelease | None:
        """Returns this release if it is offered to the account."""
        found = next((release for release in self.releases if release.version == version), None)
        return found if found is not None and found.ring.includes(account_id, version) else None

    def update_of(self, account_id: AccountId, bridge_version: str) -> BridgeRelease | None:
        """Returns the newest release that is offered to the account and newer than its bridge. Raises ValueError for another form of
        version."""
        present = version_order(bridge_version)
        offered = (release for release in reversed(self.releases) if release.ring.includes(account_id, release.version))
        newest = next(offered, None)
        return newest if newest is not None and version_order(newest.version) > present else None

    def is_outdated(self, bridge_version: str, now: datetime) -> bool:
        """Returns whether a newer release has been published for longer than SUPPORTED."""
        present = version_order(bridge_version)
        return any(version_order(release.version) > present and release.published <= now - SUPPORTED for release in self.releases)
