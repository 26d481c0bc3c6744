"""CatalogService: the catalogue of messages as data."""

from __future__ import annotations

from typing import Any

from tillsync.v1 import catalog_service_pb2, catalog_service_pb2_grpc

from tillsync_server.domain.catalogue import CATALOGUE, RESPONSE_TEMPLATE


class CatalogServicer(catalog_service_pb2_grpc.CatalogServiceServicer):
    async def ListMessages(  # noqa: N802
        self, request: catalog_service_pb2.ListMessagesRequest, context: Any
    ) -> catalog_service_pb2.ListMessagesResponse:
        response = catalog_service_pb2.ListMessagesResponse()
        for outcome in sorted(CATALOGUE):
            message = CATALOGUE[outcome]
            m: Any = response.messages.add()  # enum numbers equal the domain's (messages/entries.py)
            m.outcome = outcome
            m.code = outcome.name
            m.text = message.text or RESPONSE_TEMPLATE
            m.text_is_verbatim = bool(message.text)
            m.meaning = message.meaning
            m.what_to_do = message.what_to_do
            m.message_class = message.message_class
            m.responsible = message.responsible
            m.states.extend(message.states)
        return response
