"""PrivacyService: what tillsync keeps about one person."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tillsync.v1 import privacy_service_pb2 as pb
from tillsync.v1.privacy_service_pb2_grpc import PrivacyServiceStub

from tillsync_client.connection import Connection

_DEADLINE_SECONDS = 60.0
"""Till and shop are asked, and an erasure waits for the shop."""


class Privacy:
    """At least one of ``email``, ``woo_customer_id`` and ``epos_customer_id`` says who is meant (InvalidArgumentError). Calls wait up to 60
    seconds: till and shop are asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = PrivacyServiceStub(connection.channel)

    async def export_person(
        self, account_id: str, *, email: str = "", woo_customer_id: int = 0, epos_customer_id: int = 0, page_size: int = 0
    ) -> AsyncIterator[pb.PersonRecord]:
        """Everything kept about the person, unmasked; pages are fetched as they are needed."""
        async for page in self.export_person_pages(
            account_id, email=email, woo_customer_id=woo_customer_id, epos_customer_id=epos_customer_id, page_size=page_size
        ):
            for record in page.records:
                yield record

    async def export_person_pages(
        self, account_id: str, *, email: str = "", woo_customer_id: int = 0, epos_customer_id: int = 0, page_size: int = 0
    ) -> AsyncIterator[pb.ExportPersonResponse]:
        """The first page says what else the person is known as, and which side was not asked."""
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
        """Close the person's live entries and take the person out of everything kept. Repeat until ``retained`` is empty."""
        person = pb.Person(email=email, woo_customer_id=woo_customer_id, epos_customer_id=epos_customer_id)
        request = pb.ErasePersonRequest(account_id=account_id, person=person, validate_only=validate_only)
        return await self._connection.call(self._stub.ErasePerson, request, deadline_seconds=_DEADLINE_SECONDS)
