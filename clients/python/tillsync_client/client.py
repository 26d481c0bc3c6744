"""The client. It has one connection, and one attribute for each service."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from tillsync_client.accounts import Accounts, Catalog
from tillsync_client.bridges import Bridges
from tillsync_client.connection import DEFAULT_DEADLINE_SECONDS, Connection
from tillsync_client.customer_sync import CustomerSync
from tillsync_client.links import Links
from tillsync_client.privacy import Privacy
from tillsync_client.queue import QueueWork


class TillsyncClient:
    """Typed, asynchronous access to a tillsync service::

        async with TillsyncClient("127.0.0.1:50051", token) as client:
            await client.sync.sync_customer("shop-a", 90001)
            async for entry in client.sync.list_queue("shop-a", QUEUE_CUSTOMERS):
                print(entry.comment)

    ``address``: ``host:port``. The client uses plain text for loopback or with ``http://``, and TLS otherwise. ``deadline_seconds``:
    deadline of each call, unless its method names another. ``root_certificates``: trusted issuers in PEM. None: the machine's.

    Methods raise subclasses of :class:`tillsync_client.errors.TillsyncError`. The client repeats a call that ends UNAVAILABLE or
    RESOURCE_EXHAUSTED, at most four attempts in all, after the service's delay (RetryInfo) and within the deadline. It never repeats
    CreateToken and DeleteLink, because a repeated call has another answer. Make it inside the running loop.
    """

    def __init__(
        self,
        address: str,
        token: str,
        *,
        deadline_seconds: float = DEFAULT_DEADLINE_SECONDS,
        root_certificates: bytes | None = None,
    ) -> None:
        self._connection = Connection(address, token, deadline_seconds=deadline_seconds, root_certificates=root_certificates)
        self.sync = CustomerSync(self._connection)
        self.queue = QueueWork(self._connection)
        self.links = Links(self._connection)
        self.accounts = Accounts(self._connection)
        self.privacy = Privacy(self._connection)
        self.bridges = Bridges(self._connection)
        self.catalog = Catalog(self._connection)

    async def close(self) -> None:
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
