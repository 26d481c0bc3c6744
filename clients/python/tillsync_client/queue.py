"""QueueService: what a person does with entries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from tillsync.v1 import queue_entry_pb2
from tillsync.v1 import queue_service_pb2 as pb
from tillsync.v1.queue_service_pb2_grpc import QueueServiceStub

from tillsync_client.connection import Connection

_CHUNK_DEADLINE_SECONDS = 60.0


class QueueWork:
    """What a person does with entries. Calls that work in chunks wait up to 60 seconds for each chunk."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = QueueServiceStub(connection.channel)

    async def get_entry(self, account_id: str, entry_id: str) -> queue_entry_pb2.QueueEntry:
        """One entry with its attempts. NotFoundError: no such entry in this account, or its history has been dropped."""
        response = await self._connection.call(self._stub.GetQueueEntry, pb.GetQueueEntryRequest(account_id=account_id, entry_id=entry_id))
        return response.entry

    async def retry(
        self,
        account_id: str,
        *,
        entry_ids: Iterable[str] = (),
        matching: queue_entry_pb2.QueueFilter | None = None,
        validate_only: bool = False,
    ) -> AsyncIterator[pb.RetryQueueEntriesResponse]:
        """Try entries again now: these ids (at most 500), or all that match. One response a chunk, until everything is done.
        ``validate_only``: say what would happen. An id that cannot be retried is a failure in the response, not an error."""
        request = pb.RetryQueueEntriesRequest(account_id=account_id, entry_ids=entry_ids, filter=matching, validate_only=validate_only)
        while True:
            response = await self._connection.call(self._stub.RetryQueueEntries, request, deadline_seconds=_CHUNK_DEADLINE_SECONDS)
            yield response
            if not response.next_continuation_token:
                return
            request.continuation_token = response.next_continuation_token

    async def dismiss(
        self,
        account_id: str,
        *,
        entry_ids: Iterable[str] = (),
        matching: queue_entry_pb2.QueueFilter | None = None,
        reason: str = "",
        validate_only: bool = False,
    ) -> AsyncIterator[pb.DismissQueueEntriesResponse]:
        """Close entries for good: these ids (at most 500), or all that match. One response a chunk, until everything is done. ``reason``:
        at most 200 characters, no personal data; becomes the first note."""
        request = pb.DismissQueueEntriesRequest(
            account_id=account_id, entry_ids=entry_ids, filter=matching, reason=reason, validate_only=validate_only
        )
        while True:
            response = await self._connection.call(self._stub.DismissQueueEntries, request, deadline_seconds=_CHUNK_DEADLINE_SECONDS)
            yield response
            if not response.next_continuation_token:
                return
            request.continuation_token = response.next_continuation_token
