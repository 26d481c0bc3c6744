"""LinkService: links, and a person's decisions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from tillsync.v1 import link_pb2
from tillsync.v1 import link_service_pb2 as pb
from tillsync.v1.link_service_pb2_grpc import LinkServiceStub

from tillsync_client.connection import Connection

_TILL_DEADLINE_SECONDS = 45.0
"""Deadline of calls that ask the till. The till may be slow, and the service may wait for its request allowance."""


class Links:
    """Links of till customers with shop customers, and a person's decisions. Methods raise NotFoundError for an unknown account, entry or
    link."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = LinkServiceStub(connection.channel)

    async def list_links(
        self,
        account_id: str,
        *,
        epos_customer_id: int = 0,
        woo_customer_id: int = 0,
        broken_only: bool = False,
        unconfirmed_only: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[link_pb2.Link]:
        """Links in ascending order of till customer id. A customer id of 0 matches any. Pages of ``page_size`` (0: 50, at most 500) are
        fetched when needed."""
        request = pb.ListLinksRequest(
            account_id=account_id,
            epos_customer_id=epos_customer_id,
            woo_customer_id=woo_customer_id,
            broken_only=broken_only,
            unconfirmed_only=unconfirmed_only,
            page_size=page_size,
        )
        while True:
            page = await self._connection.call(self._stub.ListLinks, request)
            for link in page.links:
                yield link
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_link(self, account_id: str, *, epos_customer_id: int | None = None, woo_customer_id: int | None = None) -> link_pb2.Link:
        """The link of one customer. Give exactly one id (ValueError). Raises NotFoundError if that customer is not linked."""
        request = pb.GetLinkRequest(account_id=account_id)
        _name_customer(request, epos_customer_id, woo_customer_id)
        return (await self._connection.call(self._stub.GetLink, request)).link

    async def create_link(self, account_id: str, epos_customer_id: int, woo_customer_id: int) -> pb.CreateLinkResponse:
        """Links two customers by hand, and requeues held orders of the shop customer. The same link may be created again.

        Raises AlreadyExistsError if one of the two has another link, and FailedPreconditionError for the default customer, which cannot be
        linked.
        """
        request = pb.CreateLinkRequest(account_id=account_id, epos_customer_id=epos_customer_id, woo_customer_id=woo_customer_id)
        return await self._connection.call(self._stub.CreateLink, request)

    async def delete_link(
        self, account_id: str, *, epos_customer_id: int | None = None, woo_customer_id: int | None = None
    ) -> pb.DeleteLinkResponse:
        """Deletes the link of one customer. Give exactly one id (ValueError). The client never repeats the call. If you repeat it after a
        lost answer, NotFoundError means that the first call succeeded."""
        request = pb.DeleteLinkRequest(account_id=account_id)
        _name_customer(request, epos_customer_id, woo_customer_id)
        return await self._connection.call(self._stub.DeleteLink, request)

    async def list_candidates(self, account_id: str, entry_id: str) -> pb.ListCandidatesResponse:
        """The till customers that a person can choose for a held order, read from the till now. Waits up to 45 seconds.

        Raises FailedPreconditionError if the entry is no HELD order, and UnavailableError if the till cannot be read.
        """
        request = pb.ListCandidatesRequest(account_id=account_id, entry_id=entry_id)
        return await self._connection.call(self._stub.ListCandidates, request, deadline_seconds=_TILL_DEADLINE_SECONDS)

    async def search_epos_customers(self, account_id: str, query: str, *, page_size: int = 0) -> pb.SearchEposCustomersResponse:
        """Searches the till by id (digits), email (with @) or part of a name, 1 to 254 characters. ``page_size``: most customers (0: 20, at
        most 50). Waits up to 45 seconds.

        Raises FailedPreconditionError if the till's search ignores this filter. Raises ResourceExhaustedError if the till's request budget
        is used up, or two searches are running.
        """
        request = pb.SearchEposCustomersRequest(account_id=account_id, query=query, page_size=page_size)
        return await self._connection.call(self._stub.SearchEposCustomers, request, deadline_seconds=_TILL_DEADLINE_SECONDS)

    async def resolve_order(
        self, account_id: str, entry_id: str, epos_customer_id: int, *, create_link: bool = False
    ) -> pb.ResolveOrderCustomerResponse:
        """Chooses the till customer of a held or failed order, and requeues the order. With ``create_link`` the shop customer is linked
        too. Waits up to 45 seconds. A repeated decision has the answer of the first one.

        Raises FailedPreconditionError if the order is not HELD or FAILED, or if a guest's order should be linked. Raises AlreadyExistsError
        if one of the two customers has another link, and NotFoundError also for an unknown till customer.
        """
        request = pb.ResolveOrderCustomerRequest(
            account_id=account_id, entry_id=entry_id, epos_customer_id=epos_customer_id, create_link=create_link
        )
        return await self._connection.call(self._stub.ResolveOrderCustomer, request, deadline_seconds=_TILL_DEADLINE_SECONDS)

    async def report_shop_users(self, account_id: str, changes: Sequence[pb.ShopUserChange]) -> pb.ReportShopUsersResponse:
        """Reports deleted users of the shop and changed emails, 1 to 100 changes, oldest first."""
        request = pb.ReportShopUsersRequest(account_id=account_id, changes=changes)
        return await self._connection.call(self._stub.ReportShopUsers, request)


def _name_customer(request: pb.GetLinkRequest | pb.DeleteLinkRequest, epos_customer_id: int | None, woo_customer_id: int | None) -> None:
    if (epos_customer_id is None) == (woo_customer_id is None):
        raise ValueError("give exactly one of epos_customer_id and woo_customer_id")
    if epos_customer_id is not None:
        request.epos_customer_id = epos_customer_id
    if woo_customer_id is not None:
        request.woo_customer_id = woo_customer_id
