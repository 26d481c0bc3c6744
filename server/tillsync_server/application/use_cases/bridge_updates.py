"""Offers releases of the bridge to accounts, and lists the bridge versions of all accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tillsync_server.application.use_cases.page_tokens import PageTokens, coerced_page_size
from tillsync_server.domain.bridge_release import BridgeRelease, ReleaseFolder
from tillsync_server.domain.errors import InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.bridges import BridgeReleases, SeenBridge, SeenBridges


@dataclass(frozen=True, slots=True)
class AccountBridge:
    seen: SeenBridge
    offered_version: str
    """Empty without an update."""
    is_outdated: bool


@dataclass(frozen=True, slots=True)
class BridgesPage:
    bridges: tuple[AccountBridge, ...]
    next_page_token: str


class BridgeUpdates:
    def __init__(self, releases: BridgeReleases, seen: SeenBridges) -> None:
        self._releases = releases
        self._seen = seen

    async def update_of(self, account_id: AccountId, bridge_version: str) -> BridgeRelease | None:
        """Returns the release to which the account's bridge may update. Raises InvalidArgument for another form of version."""
        folder = await self._releases.read()
        try:
            return folder.update_of(account_id, bridge_version)
        except ValueError as error:
            raise InvalidArgument.of("bridge_version", f"{error}; send the version of the plugin's header, such as 1.4.0") from error

    async def piece(self, account_id: AccountId, version: str, offset: int) -> bytes:
        """Returns a piece of the zip. Raises NotFound (BRIDGE_RELEASE_NOT_FOUND) for a release that is not offered to the account."""
        release = (await self._releases.read()).release(account_id, version)
        if release is None:
            text = "this release of the bridge is not offered to the account; ask for its update again"
            raise NotFound(text, reason="BRIDGE_RELEASE_NOT_FOUND")
        return await self._releases.piece(release, offset)

    async def folder(self) -> ReleaseFolder:
        return await self._releases.read()

    async def list_bridges(self, page_size: int, page_token: str) -> BridgesPage:
        limit = coerced_page_size(page_size)
        tokens = PageTokens("page_token", "bridges")
        after = tokens.read_text(page_token)
        found = await self._seen.list_seen(after=None if after is None else AccountId(after), limit=limit + 1)
        folder, now = await self._releases.read(), datetime.now(UTC)
        page = tuple(_with_offer(seen, folder, now) for seen in found[:limit])
        return BridgesPage(page, tokens.make(page[-1].seen.account_id) if len(found) > limit else "")


def _with_offer(seen: SeenBridge, folder: ReleaseFolder, now: datetime) -> AccountBridge:
    update = folder.update_of(seen.account_id, seen.version)
    return AccountBridge(seen, "" if update is None else update.version, folder.is_outdated(seen.version, now))
