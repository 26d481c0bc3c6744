"""The release folder of the bridge, and the bridge versions of the accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tillsync_server.domain.bridge_release import BridgeRelease, ReleaseFolder
from tillsync_server.domain.ids import AccountId


@dataclass(frozen=True, slots=True)
class SeenBridge:
    """The bridge of an account, as its calls named it."""

    account_id: AccountId
    version: str
    """Three numbers."""
    seen_time: datetime


class BridgeReleases(Protocol):
    async def read(self) -> ReleaseFolder:
        """Returns what the folder holds now, or held some seconds ago. Never raises for a wrong file: it is a problem of the answer."""
        ...

    async def piece(self, release: BridgeRelease, offset: int) -> bytes:
        """Returns a piece of the release's zip from ``offset`` on, empty at its end. Raises NotFound (BRIDGE_RELEASE_NOT_FOUND) if the zip
        has gone or changed."""
        ...


class SeenBridges(Protocol):
    async def note(self, account_id: AccountId, version: str) -> None:
        """Stores the version of the account's bridge, with the present time. Stores nothing for an unknown account."""
        ...

    async def list_seen(self, *, after: AccountId | None, limit: int) -> Sequence[SeenBridge]:
        """Bridges of the accounts after ``after``, in ascending order of account_id."""
        ...
