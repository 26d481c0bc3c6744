"""The outbox of orders in a shop with a bridge. Implemented by ``adapters/woo``."""

from __future__ import annotations

from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.ports.till import WritePermit


class ShopOutbox(Protocol):
    async def drain(self, permit: WritePermit) -> float | None:
        """Makes the bridge send its due orders to the service. Returns the seconds until the next order is due, None if no order waits.
        Raises UpstreamError."""
        ...


class ShopOutboxes(Protocol):
    def outbox(self, account: Account) -> ShopOutbox:
        """Returns the outbox of an account whose shop has a bridge."""
        ...
