"""CustomerSyncService: enqueues hints, matches orders to till customers, and reads both queues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from tillsync.v1 import customer_sync_service_pb2 as pb
from tillsync.v1 import order_pb2, queue_entry_pb2, vocabulary_pb2
from tillsync.v1.customer_sync_service_pb2_grpc import CustomerSyncServiceStub

from tillsync_client.connection import Connection
from tillsync_client.errors import TillsyncError, from_status

MAX_WAIT_SECONDS = 8.0
"""The service answers MatchOrderCustomer after at most this time, even if the entry is still PENDING."""
SYNC_BATCH = 500
MATCH_BATCH = 100
READ_BATCH = 500


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Raises ValueError for a time without a zone, which protobuf would read as UTC."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("times need a time zone")
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


class CustomerSync:
    """Enqueues hints about till customers and types, matches orders to till customers, and reads both queues.

    Methods raise NotFoundError for an unknown account. They raise ResourceExhaustedError, after the client's own retries, if too many
    entries of the account wait or the account has too many calls. ``retry_after_seconds`` is the delay until the next call.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = CustomerSyncServiceStub(connection.channel)

    async def sync_customer(
        self,
        account_id: str,
        epos_customer_id: int,
        *,
        priority: vocabulary_pb2.Priority.ValueType = vocabulary_pb2.PRIORITY_UNSPECIFIED,
        force: bool = False,
    ) -> pb.SyncCustomerResponse:
        """Enqueues a hint for one till customer. The hint is durable when the call returns. ``priority`` is LIVE by default. ``force``
        writes values that the shop is known to have too."""
        request = pb.SyncCustomerRequest(account_id=account_id, epos_customer_id=epos_customer_id, priority=priority, force=force)
        return await self._connection.call(self._stub.SyncCustomer, request)

    async def sync_customers(
        self,
        account_id: str,
        epos_customer_ids: Sequence[int],
        *,
        priority: vocabulary_pb2.Priority.ValueType = vocabulary_pb2.PRIORITY_UNSPECIFIED,
    ) -> list[pb.SyncCustomerResponse | TillsyncError]:
        """Enqueues hints for any number of customers, in batches of 500. Returns one answer or error for each customer, in the same order.

        ``priority`` is BULK by default. Raises the error of a whole batch. The batches before it are accepted.
        """
        results: list[pb.SyncCustomerResponse | TillsyncError] = []
        for start in range(0, len(epos_customer_ids), SYNC_BATCH):
            part = epos_customer_ids[start : start + SYNC_BATCH]
            request = pb.BatchSyncCustomersRequest(account_id=account_id, epos_customer_ids=part, priority=priority)
            response = await self._connection.call(self._stub.BatchSyncCustomers, request)
            results += [each.ok if each.HasField("ok") else from_status(each.error) for each in response.results]
        return results

    async def sync_customer_type(
        self,
        account_id: str,
        epos_customer_type_id: int,
        action: vocabulary_pb2.CustomerTypeAction.ValueType = vocabulary_pb2.CUSTOMER_TYPE_ACTION_UNSPECIFIED,
    ) -> pb.SyncCustomerTypeResponse:
        """Enqueues a hint for one customer type. ``action`` has no effect, because the service reads the type from the till."""
        request = pb.SyncCustomerTypeRequest(account_id=account_id, epos_customer_type_id=epos_customer_type_id, action=action)
        return await self._connection.call(self._stub.SyncCustomerType, request)

    async def match_order(
        self,
        account_id: str,
        order: order_pb2.Order,
        *,
        unlinked_products: Iterable[order_pb2.UnlinkedProduct] = (),
        rerun: bool = False,
        deadline_seconds: float | None = None,
    ) -> pb.MatchOrderCustomerResponse:
        """Matches an order to its till customer. Waits up to ``deadline_seconds`` (default: the client's) less 0.3, and at most 8 seconds.

        PENDING means that the order is not decided yet. Call again with the same facts to wait further. ``rerun`` decides a PROCESSED or
        DISMISSED order again. Raises InvalidArgumentError, which names the wrong fields.
        """
        request = pb.MatchOrderCustomerRequest(account_id=account_id, order=order, unlinked_products=unlinked_products, rerun=rerun)
        return await self._connection.call(self._stub.MatchOrderCustomer, request, deadline_seconds=deadline_seconds)

    async def match_orders(self, account_id: str, orders: Sequence[pb.OrderToMatch]) -> list[pb.MatchOrderCustomerResponse | TillsyncError]:
        """Matches any number of orders, in batches of 100. It never waits, so most answers are PENDING. Returns one answer or error for
        each order, in the same order."""
        results: list[pb.MatchOrderCustomerResponse | TillsyncError] = []
        for start in range(0, len(orders), MATCH_BATCH):
            request = pb.BatchMatchOrderCustomersRequest(account_id=account_id, orders=orders[start : start + MATCH_BATCH])
            response = await self._connection.call(self._stub.BatchMatchOrderCustomers, request)
            results += [each.ok if each.HasField("ok") else from_status(each.error) for each in response.results]
        return results

    async def get_order_matches(self, account_id: str, order_ids: Sequence[int]) -> list[order_pb2.OrderMatch | TillsyncError]:
        """The present answers, read in batches of 500. Returns one answer or error for each order, in the same order. NotFoundError: the
        order was never matched."""
        results: list[order_pb2.OrderMatch | TillsyncError] = []
        for start in range(0, len(order_ids), READ_BATCH):
            request = pb.BatchGetOrderMatchesRequest(account_id=account_id, order_ids=order_ids[start : start + READ_BATCH])
            response = await self._connection.call(self._stub.BatchGetOrderMatches, request)
            results += [each.ok if each.HasField("ok") else from_status(each.error) for each in response.results]
        return results

    async def list_queue_page(self, request: pb.ListQueueRequest) -> pb.ListQueueResponse:
        """One page of ``request``. Raises InvalidArgumentError also for a page_token of another filter."""
        return await self._connection.call(self._stub.ListQueue, request)

    async def list_queue(
        self,
        account_id: str,
        queue: vocabulary_pb2.Queue.ValueType,
        *,
        states: Iterable[vocabulary_pb2.EntryState.ValueType] = (),
        outcomes: Iterable[vocabulary_pb2.Outcome.ValueType] = (),
        epos_customer_id: int = 0,
        woo_customer_id: int = 0,
        order_id: int = 0,
        email: str = "",
        text: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = 0,
        full: bool = False,
    ) -> AsyncIterator[queue_entry_pb2.QueueEntry]:
        """Every entry that matches all filters, newest first. Pages of ``page_size`` (0: 50, at most 500, with ``full`` 50) are fetched
        when needed.

        ``full`` includes the attempts. ``text``: 2 to 100 characters, searched in the newest 50,000 entries. Times need a zone
        (ValueError).
        """
        request = pb.ListQueueRequest(
            account_id=account_id,
            queue=queue,
            states=states,
            outcomes=outcomes,
            epos_customer_id=epos_customer_id,
            woo_customer_id=woo_customer_id,
            order_id=order_id,
            email=email,
            text=text,
            created_after=timestamp(created_after),
            created_before=timestamp(created_before),
            page_size=page_size,
            view=queue_entry_pb2.QUEUE_VIEW_FULL if full else queue_entry_pb2.QUEUE_VIEW_BASIC,
        )
        while True:
            page = await self.list_queue_page(request)
            for entry in page.entries:
                yield entry
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
