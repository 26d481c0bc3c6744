"""QueueService: reads, requeues and dismisses entries for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tillsync.v1 import queue_service_pb2, queue_service_pb2_grpc

from tillsync_server.adapters.grpc.messages.entries import entry_message
from tillsync_server.adapters.grpc.messages.queue_filters import dismiss_response, entry_selection, retry_response
from tillsync_server.application.use_cases.queue_work import QueueWork
from tillsync_server.domain.errors import NotYetImplemented
from tillsync_server.domain.ids import AccountId


class QueueServicer(queue_service_pb2_grpc.QueueServiceServicer):
    def __init__(self, work: QueueWork) -> None:
        self._work = work

    async def GetQueueEntry(  # noqa: N802
        self, request: queue_service_pb2.GetQueueEntryRequest, context: Any
    ) -> queue_service_pb2.GetQueueEntryResponse:
        entry = await self._work.get(AccountId(request.account_id), request.entry_id)
        return queue_service_pb2.GetQueueEntryResponse(entry=entry_message(entry, with_attempts=True))

    async def RetryQueueEntries(  # noqa: N802
        self, request: queue_service_pb2.RetryQueueEntriesRequest, context: Any
    ) -> queue_service_pb2.RetryQueueEntriesResponse:
        return await retry_response(await self._work.requeue(entry_selection(request)))

    async def DismissQueueEntries(  # noqa: N802
        self, request: queue_service_pb2.DismissQueueEntriesRequest, context: Any
    ) -> queue_service_pb2.DismissQueueEntriesResponse:
        return await dismiss_response(await self._work.dismiss(entry_selection(request), request.reason))

    async def WatchQueue(  # noqa: N802
        self, request: queue_service_pb2.WatchQueueRequest, context: Any
    ) -> AsyncIterator[queue_service_pb2.WatchQueueResponse]:
        raise NotYetImplemented("WatchQueue comes in a later release: list the queue again instead")
        yield queue_service_pb2.WatchQueueResponse()  # makes this a stream
