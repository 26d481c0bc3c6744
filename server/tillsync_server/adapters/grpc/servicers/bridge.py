"""BridgeService: calls of the plugin, its updates, and its versions."""

from __future__ import annotations

from typing import Any

from tillsync.v1 import bridge_service_pb2, bridge_service_pb2_grpc

from tillsync_server.application.use_cases.bridge_updates import BridgeUpdates
from tillsync_server.application.use_cases.outbox_drains import OutboxDrains
from tillsync_server.domain.ids import AccountId


class BridgeServicer(bridge_service_pb2_grpc.BridgeServiceServicer):
    def __init__(self, updates: BridgeUpdates, drains: OutboxDrains) -> None:
        self._updates = updates
        self._drains = drains

    async def ScheduleOutboxDrain(  # noqa: N802
        self, request: bridge_service_pb2.ScheduleOutboxDrainRequest, context: Any
    ) -> bridge_service_pb2.ScheduleOutboxDrainResponse:
        response = bridge_service_pb2.ScheduleOutboxDrainResponse()
        response.drain_time.FromDatetime(await self._drains.schedule(AccountId(request.account_id), request.delay_seconds))
        return response

    async def GetBridgeUpdate(  # noqa: N802
        self, request: bridge_service_pb2.GetBridgeUpdateRequest, context: Any
    ) -> bridge_service_pb2.GetBridgeUpdateResponse:
        release = await self._updates.update_of(AccountId(request.account_id), request.bridge_version)
        if release is None:
            return bridge_service_pb2.GetBridgeUpdateResponse()
        return bridge_service_pb2.GetBridgeUpdateResponse(version=release.version, manifest=release.manifest, signatures=release.signatures)

    async def ReadBridgePackage(  # noqa: N802
        self, request: bridge_service_pb2.ReadBridgePackageRequest, context: Any
    ) -> bridge_service_pb2.ReadBridgePackageResponse:
        data = await self._updates.piece(AccountId(request.account_id), request.version, request.offset)
        return bridge_service_pb2.ReadBridgePackageResponse(data=data)

    async def ListBridgeReleases(  # noqa: N802
        self, request: bridge_service_pb2.ListBridgeReleasesRequest, context: Any
    ) -> bridge_service_pb2.ListBridgeReleasesResponse:
        folder = await self._updates.folder()
        response = bridge_service_pb2.ListBridgeReleasesResponse(has_directory=folder.has_directory)
        for release in folder.releases:
            message = response.releases.add(
                version=release.version,
                size=release.size,
                account_ids=sorted(release.ring.account_ids),
                percent=release.ring.percent,
                is_signature_checked=release.is_signature_checked,
            )
            message.published_time.FromDatetime(release.published)
        for problem in folder.problems:
            response.problems.add(file=problem.file, text=problem.sentence)
        return response

    async def ListBridgeVersions(  # noqa: N802
        self, request: bridge_service_pb2.ListBridgeVersionsRequest, context: Any
    ) -> bridge_service_pb2.ListBridgeVersionsResponse:
        page = await self._updates.list_bridges(request.page_size, request.page_token)
        response = bridge_service_pb2.ListBridgeVersionsResponse(next_page_token=page.next_page_token)
        for bridge in page.bridges:
            message = response.bridges.add(
                account_id=bridge.seen.account_id,
                version=bridge.seen.version,
                offered_version=bridge.offered_version,
                is_outdated=bridge.is_outdated,
            )
            message.seen_time.FromDatetime(bridge.seen.seen_time)
        return response
