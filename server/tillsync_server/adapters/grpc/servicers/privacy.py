"""PrivacyService: exports or erases everything that is stored about one person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tillsync.v1 import privacy_service_pb2, privacy_service_pb2_grpc

from tillsync_server.application.use_cases.person_resolution import Alias, PersonKeys, SideNotAsked
from tillsync_server.application.use_cases.privacy import Privacy
from tillsync_server.domain.ids import AccountId


class PrivacyServicer(privacy_service_pb2_grpc.PrivacyServiceServicer):
    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy

    async def ExportPerson(  # noqa: N802
        self, request: privacy_service_pb2.ExportPersonRequest, context: Any
    ) -> privacy_service_pb2.ExportPersonResponse:
        page = await self._privacy.export(AccountId(request.account_id), _person(request.person), request.page_size, request.page_token)
        response = privacy_service_pb2.ExportPersonResponse(
            next_page_token=page.next_page_token,
            also_known_as=_aliases(page.also_known_as),
            sides_not_asked=_sides(page.sides_not_asked),
        )
        for record in page.records:
            message = response.records.add(category=record.category.value, record_id=record.record_id)
            if record.create_time is not None:
                message.create_time.FromDatetime(record.create_time)
            for label, value in record.fields:
                message.fields.add(label=label, value=value)
        return response

    async def ErasePerson(  # noqa: N802
        self, request: privacy_service_pb2.ErasePersonRequest, context: Any
    ) -> privacy_service_pb2.ErasePersonResponse:
        answer = await self._privacy.erase(AccountId(request.account_id), _person(request.person), validate_only=request.validate_only)
        response = privacy_service_pb2.ErasePersonResponse(
            also_known_as=_aliases(answer.also_known_as), sides_not_asked=_sides(answer.sides_not_asked)
        )
        for category, count in answer.erased.counts.items():
            response.erased.add(category=category.value, count=count)
        for retention in answer.erased.retained:
            message = response.retained.add(category=retention.category.value, count=retention.count, reason=retention.reason)
            message.retry_time.FromDatetime(retention.retry_time)
        return response


def _person(message: privacy_service_pb2.Person) -> PersonKeys:
    return PersonKeys(email=message.email, woo_customer_id=message.woo_customer_id, epos_customer_id=message.epos_customer_id)


def _aliases(aliases: Iterable[Alias]) -> list[privacy_service_pb2.PersonAlias]:
    return [
        privacy_service_pb2.PersonAlias(kind=alias.kind.value, value=alias.value, followed=alias.followed, reason=alias.reason)
        for alias in aliases
    ]


def _sides(sides: Iterable[SideNotAsked]) -> list[privacy_service_pb2.SideNotAsked]:
    made = []
    for one in sides:
        message: Any = privacy_service_pb2.SideNotAsked(reason=one.reason)
        message.side = one.side
        made.append(message)
    return made
