"""CustomerSyncService: accepts hints, matches orders and lists queues."""

from __future__ import annotations

from typing import Any

from tillsync.v1 import customer_sync_service_pb2, customer_sync_service_pb2_grpc

from tillsync_server.adapters.grpc.enum_fields import enum_or_none
from tillsync_server.adapters.grpc.messages.entries import ENTRIES_AT_A_TIME, fill_entry
from tillsync_server.adapters.grpc.messages.orders import batch_response, fill_answer, matches_response, new_order, new_orders
from tillsync_server.adapters.grpc.messages.queue_filters import list_queue_command, list_queue_response
from tillsync_server.adapters.grpc.status import status_of
from tillsync_server.application.concurrency.in_slices import in_slices
from tillsync_server.application.use_cases.order_matching import OrderMatching
from tillsync_server.application.use_cases.queue_listing import QueueListing
from tillsync_server.application.use_cases.sync_requests import SyncRequests
from tillsync_server.domain.enums import Priority
from tillsync_server.domain.errors import RequestError
from tillsync_server.domain.ids import AccountId


class CustomerSyncServicer(customer_sync_service_pb2_grpc.CustomerSyncServiceServicer):
    def __init__(self, sync: SyncRequests, orders: OrderMatching, listing: QueueListing) -> None:
        self._sync = sync
        self._orders = orders
        self._listing = listing

    async def SyncCustomer(  # noqa: N802
        self, request: customer_sync_service_pb2.SyncCustomerRequest, context: Any
    ) -> customer_sync_service_pb2.SyncCustomerResponse:
        priority = enum_or_none(Priority, request.priority) or Priority.LIVE
        result = await self._sync.sync_customer(AccountId(request.account_id), request.epos_customer_id, priority, force=request.force)
        response = customer_sync_service_pb2.SyncCustomerResponse(coalesced=result.coalesced)
        fill_entry(response.entry, result.entry)
        return response

    async def BatchSyncCustomers(  # noqa: N802
        self, request: customer_sync_service_pb2.BatchSyncCustomersRequest, context: Any
    ) -> customer_sync_service_pb2.BatchSyncCustomersResponse:
        priority = enum_or_none(Priority, request.priority) or Priority.BULK
        results = await self._sync.sync_customers(AccountId(request.account_id), list(request.epos_customer_ids), priority)
        response = customer_sync_service_pb2.BatchSyncCustomersResponse()
        async for result in in_slices(results, ENTRIES_AT_A_TIME):
            message = response.results.add()
            if isinstance(result, RequestError):
                message.error.CopyFrom(status_of(result))
            else:
                message.ok.coalesced = result.coalesced
                fill_entry(message.ok.entry, result.entry)
        return response

    async def SyncCustomerType(  # noqa: N802
        self, request: customer_sync_service_pb2.SyncCustomerTypeRequest, context: Any
    ) -> customer_sync_service_pb2.SyncCustomerTypeResponse:
        result = await self._sync.sync_customer_type(AccountId(request.account_id), request.epos_customer_type_id)
        response = customer_sync_service_pb2.SyncCustomerTypeResponse(coalesced=result.coalesced)
        fill_entry(response.entry, result.entry)
        return response

    async def MatchOrderCustomer(  # noqa: N802
        self, request: customer_sync_service_pb2.MatchOrderCustomerRequest, context: Any
    ) -> customer_sync_service_pb2.MatchOrderCustomerResponse:
        answer = await self._orders.match(new_order(request.account_id, request), remaining_seconds=context.time_remaining())
        response = customer_sync_service_pb2.MatchOrderCustomerResponse()
        fill_answer(response, answer)
        return response

    async def BatchMatchOrderCustomers(  # noqa: N802
        self, request: customer_sync_service_pb2.BatchMatchOrderCustomersRequest, context: Any
    ) -> customer_sync_service_pb2.BatchMatchOrderCustomersResponse:
        orders = await new_orders(request.account_id, request.orders)
        return await batch_response(await self._orders.match_many(AccountId(request.account_id), orders))

    async def BatchGetOrderMatches(  # noqa: N802
        self, request: customer_sync_service_pb2.BatchGetOrderMatchesRequest, context: Any
    ) -> customer_sync_service_pb2.BatchGetOrderMatchesResponse:
        return await matches_response(await self._orders.get_many(AccountId(request.account_id), list(request.order_ids)))

    async def ListQueue(  # noqa: N802
        self, request: customer_sync_service_pb2.ListQueueRequest, context: Any
    ) -> customer_sync_service_pb2.ListQueueResponse:
        command = list_queue_command(request)
        return await list_queue_response(await self._listing.list_queue(command), with_attempts=command.with_attempts)
