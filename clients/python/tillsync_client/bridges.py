"""BridgeService: calls and releases of the WordPress plugin, and the plugin's version in each account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from tillsync.v1 import bridge_service_pb2 as pb
from tillsync.v1.bridge_service_pb2_grpc import BridgeServiceStub

from tillsync_client.connection import Connection


class Bridges:
    """The release folder, and the bridge of each account. Methods raise PermissionDeniedError if the token's role may not call them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = BridgeServiceStub(connection.channel)

    async def schedule_outbox_drain(self, account_id: str, delay_seconds: int) -> datetime:
        """Plans a call of the account's bridge, which then sends its due orders. Returns its time, in UTC. A call that is planned for
        earlier stays. Raises FailedPreconditionError if the shop has no bridge."""
        request = pb.ScheduleOutboxDrainRequest(account_id=account_id, delay_seconds=delay_seconds)
        response = await self._connection.call(self._stub.ScheduleOutboxDrain, request)
        return response.drain_time.ToDatetime(UTC)

    async def get_update(self, account_id: str, bridge_version: str) -> pb.GetBridgeUpdateResponse:
        """The newest release that is offered to the account and newer than ``bridge_version`` (three numbers). Its version is empty if
        there is none. Raises InvalidArgumentError for another form of version."""
        request = pb.GetBridgeUpdateRequest(account_id=account_id, bridge_version=bridge_version)
        return await self._connection.call(self._stub.GetBridgeUpdate, request)

    async def read_package(self, account_id: str, version: str, *, offset: int = 0) -> bytes:
        """A piece of the release's zip from ``offset`` on, at most 262144 bytes, empty at its end. Raises NotFoundError for a release that
        is not offered to the account."""
        request = pb.ReadBridgePackageRequest(account_id=account_id, version=version, offset=offset)
        return (await self._connection.call(self._stub.ReadBridgePackage, request)).data

    async def list_releases(self) -> pb.ListBridgeReleasesResponse:
        """The release folder of the service, with each file that is not offered and the reason."""
        return await self._connection.call(self._stub.ListBridgeReleases, pb.ListBridgeReleasesRequest())

    async def list_versions(self, *, page_size: int = 0) -> AsyncIterator[pb.AccountBridge]:
        """The bridge of each account, in ascending order of account_id. Pages of ``page_size`` (0: 50, at most 500) are fetched when
        needed."""
        request = pb.ListBridgeVersionsRequest(page_size=page_size)
        while True:
            page = await self._connection.call(self._stub.ListBridgeVersions, request)
            for bridge in page.bridges:
                yield bridge
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
