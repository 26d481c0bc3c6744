"""LinkService: links, the decisions that only a person can make, and reports of changed shop users."""

from __future__ import annotations

from typing import Any

from tillsync.v1 import link_service_pb2, link_service_pb2_grpc

from tillsync_server.adapters.grpc.messages.entries import fill_entry
from tillsync_server.adapters.grpc.messages.links import fill_customer, fill_link, link_key, reported_changes
from tillsync_server.application.use_cases.link_decisions import LinkDecisions, ListLinks
from tillsync_server.application.use_cases.shop_users import ShopUserReports
from tillsync_server.domain.ids import AccountId


class LinkServicer(link_service_pb2_grpc.LinkServiceServicer):
    def __init__(self, decisions: LinkDecisions, shop_users: ShopUserReports) -> None:
        self._decisions = decisions
        self._shop_users = shop_users

    async def ListLinks(self, request: link_service_pb2.ListLinksRequest, context: Any) -> link_service_pb2.ListLinksResponse:  # noqa: N802
        page = await self._decisions.list_links(
            ListLinks(
                account_id=AccountId(request.account_id),
                epos_customer_id=request.epos_customer_id,
                woo_customer_id=request.woo_customer_id,
                broken_only=request.broken_only,
                unconfirmed_only=request.unconfirmed_only,
                page_size=request.page_size,
                page_token=request.page_token,
            )
        )
        response = link_service_pb2.ListLinksResponse(next_page_token=page.next_page_token)
        for link in page.links:
            fill_link(response.links.add(), link)
        return response

    async def GetLink(self, request: link_service_pb2.GetLinkRequest, context: Any) -> link_service_pb2.GetLinkResponse:  # noqa: N802
        response = link_service_pb2.GetLinkResponse()
        fill_link(response.link, await self._decisions.get_link(link_key(request)))
        return response

    async def CreateLink(self, request: link_service_pb2.CreateLinkRequest, context: Any) -> link_service_pb2.CreateLinkResponse:  # noqa: N802
        made = await self._decisions.create_link(AccountId(request.account_id), request.epos_customer_id, request.woo_customer_id)
        response = link_service_pb2.CreateLinkResponse(
            refresh_entry_id=str(made.refresh_entry_id), released_order_count=made.requeued_order_entries
        )
        fill_link(response.link, made.link)
        return response

    async def DeleteLink(self, request: link_service_pb2.DeleteLinkRequest, context: Any) -> link_service_pb2.DeleteLinkResponse:  # noqa: N802
        removed = await self._decisions.delete_link(link_key(request))
        response = link_service_pb2.DeleteLinkResponse(removal_entry_id=str(removed.removal_entry_id))
        fill_link(response.link, removed.link)
        return response

    async def ListCandidates(  # noqa: N802
        self, request: link_service_pb2.ListCandidatesRequest, context: Any
    ) -> link_service_pb2.ListCandidatesResponse:
        choice = await self._decisions.candidates(AccountId(request.account_id), request.entry_id)
        response = link_service_pb2.ListCandidatesResponse()
        fill_entry(response.entry, choice.entry)
        for customer in choice.customers:
            fill_customer(response.candidates.add(), customer)
        return response

    async def SearchEposCustomers(  # noqa: N802
        self, request: link_service_pb2.SearchEposCustomersRequest, context: Any
    ) -> link_service_pb2.SearchEposCustomersResponse:
        found = await self._decisions.search(AccountId(request.account_id), request.query, request.page_size)
        response = link_service_pb2.SearchEposCustomersResponse(truncated=found.truncated)
        for customer in found.customers:
            fill_customer(response.customers.add(), customer)
        return response

    async def ResolveOrderCustomer(  # noqa: N802
        self, request: link_service_pb2.ResolveOrderCustomerRequest, context: Any
    ) -> link_service_pb2.ResolveOrderCustomerResponse:
        resolution = await self._decisions.resolve_order(
            AccountId(request.account_id), request.entry_id, request.epos_customer_id, create_link=request.create_link
        )
        response = link_service_pb2.ResolveOrderCustomerResponse(released_order_count=resolution.resolved.requeued_order_entries)
        fill_entry(response.entry, resolution.entry)
        if resolution.resolved.link is not None:
            fill_link(response.link, resolution.resolved.link)
        return response

    async def ReportShopUsers(  # noqa: N802
        self, request: link_service_pb2.ReportShopUsersRequest, context: Any
    ) -> link_service_pb2.ReportShopUsersResponse:
        reported = await self._shop_users.report(AccountId(request.account_id), reported_changes(request))
        return link_service_pb2.ReportShopUsersResponse(unlinked_count=reported.unlinked, released_order_count=reported.requeued)
