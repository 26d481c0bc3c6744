"""QueueService: a person's actions on entries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from tillsync.v1 import queue_entry_pb2
from tillsync.v1 import queue_service_pb2 as pb
from tillsync.v1.queue_service_pb2_grpc import QueueServiceStub

from tillsync_client.connection import Connection

_CHUNK_DEADLINE_SECONDS = 60.0


class QueueWork:
    """A person's actions on entries. Calls that work in chunks wait up to 60 seconds for each chunk."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = QueueServiceStub(connection.channel)

    async def get_entry(self, account_id: str, entry_id: str) -> queue_entry_pb2.QueueEntry:
        """One entry with its attempts. Raises NotFoundError if the account has no such entry, or its history was dropped."""
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
        """Requeues entries: these ids (at most 500), or all that match. Yields one response for each chunk until all are done.

        ``validate_only`` only returns the effect. An id that cannot be retried is a failure in the response, not an error.
        """
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
        """Closes entries permanently: these ids (at most 500), or all that match. Yields one response for each chunk until all are done.

        ``reason`` becomes the first note. It has at most 200 characters and no personal data.
        """
        request = pb.DismissQueueEntriesRequest(
            account_id=account_id, entry_ids=entry_ids, filter=matching, reason=reason, validate_only=validate_only
        )
        while True:
            response = await self._connection.call(self._stub.DismissQueueEntries, request, deadline_seconds=_CHUNK_DEADLINE_SECONDS)
            yield response
            if not response.next_continuation_token:
                return
            request.continuation_token = response.next_continuation_token
