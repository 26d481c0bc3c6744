"""PrivacyService: exports and erases what tillsync stores about one person."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tillsync.v1 import privacy_service_pb2 as pb
from tillsync.v1.privacy_service_pb2_grpc import PrivacyServiceStub

from tillsync_client.connection import Connection

_DEADLINE_SECONDS = 60.0
"""The service asks till and shop, and an erasure waits for the shop."""


class Privacy:
    """Identify the person by at least one of ``email``, ``woo_customer_id`` and ``epos_customer_id`` (InvalidArgumentError). Calls wait up
    to 60 seconds, because the service asks till and shop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = PrivacyServiceStub(connection.channel)

    async def export_person(
        self, account_id: str, *, email: str = "", woo_customer_id: int = 0, epos_customer_id: int = 0, page_size: int = 0
    ) -> AsyncIterator[pb.PersonRecord]:
        """Everything that is stored about the person, unmasked. Pages are fetched when needed."""
        async for page in self.export_person_pages(
            account_id, email=email, woo_customer_id=woo_customer_id, epos_customer_id=epos_customer_id, page_size=page_size
        ):
            for record in page.records:
                yield record

    async def export_person_pages(
        self, account_id: str, *, email: str = "", woo_customer_id: int = 0, epos_customer_id: int = 0, page_size: int = 0
    ) -> AsyncIterator[pb.ExportPersonResponse]:
        """The same as pages. The first page has the person's other emails and ids, and names a side that was not asked."""
        person = pb.Person(email=email, woo_customer_id=woo_customer_id, epos_customer_id=epos_customer_id)
        request = pb.ExportPersonRequest(account_id=account_id, person=person, page_size=page_size)
        while True:
            page = await self._connection.call(self._stub.ExportPerson, request, deadline_seconds=_DEADLINE_SECONDS)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def erase_person(
        self, account_id: str, *, email: str = "", woo_customer_id: int = 0, epos_customer_id: int = 0, validate_only: bool = False
    ) -> pb.ErasePersonResponse:
        """Closes the person's live entries, and removes the person from all records. Repeat the call until ``retained`` is empty."""
        person = pb.Person(email=email, woo_customer_id=woo_customer_id, epos_customer_id=epos_customer_id)
        request = pb.ErasePersonRequest(account_id=account_id, person=person, validate_only=validate_only)
        return await self._connection.call(self._stub.ErasePerson, request, deadline_seconds=_DEADLINE_SECONDS)
