"""Bridge versions of accounts, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.bridges import SeenBridge


@dataclass
class FakeSeenBridges:
    """Implements ports.bridges.SeenBridges. ``failures``: so many notes fail first. ``noted`` records the others."""

    accounts: set[AccountId] = field(default_factory=set)
    failures: int = 0
    noted: list[tuple[AccountId, str]] = field(default_factory=list)
    _stored: dict[AccountId, SeenBridge] = field(default_factory=dict)

    async def note(self, account_id: AccountId, version: str) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no database")
        self.noted.append((account_id, version))
        if account_id in self.accounts:
            self._stored[account_id] = SeenBridge(account_id, version, datetime.now(UTC))

    async def list_seen(self, *, after: AccountId | None, limit: int) -> Sequence[SeenBridge]:
        return [self._stored[account_id] for account_id in sorted(self._stored) if account_id > (after or "")][:limit]
