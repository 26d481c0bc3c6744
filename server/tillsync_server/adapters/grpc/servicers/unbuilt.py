"""Methods that the contract announces for a later release. After the check of rights they answer UNIMPLEMENTED and name an alternative."""

from __future__ import annotations

from typing import Any, NoReturn

from tillsync.v1 import diagnosis_service_pb2, diagnosis_service_pb2_grpc

from tillsync_server.domain.errors import NotYetImplemented

_PACKAGE = "/tillsync.v1."
UNBUILT = frozenset(
    _PACKAGE + method
    for method in (
        "QueueService/WatchQueue",
        "DiagnosisService/ExplainCustomer",
        "DiagnosisService/ExplainOrder",
    )
)
"""Methods whose requests are not checked, because the answer is always UNIMPLEMENTED."""


class DiagnosisServicer(diagnosis_service_pb2_grpc.DiagnosisServiceServicer):
    async def ExplainCustomer(  # noqa: N802
        self, request: diagnosis_service_pb2.ExplainCustomerRequest, context: Any
    ) -> diagnosis_service_pb2.ExplainCustomerResponse:
        _not_yet("ExplainCustomer comes in a later release: ListQueue with epos_customer_id and view FULL shows what happened")

    async def ExplainOrder(  # noqa: N802
        self, request: diagnosis_service_pb2.ExplainOrderRequest, context: Any
    ) -> diagnosis_service_pb2.ExplainOrderResponse:
        _not_yet("ExplainOrder comes in a later release: ListQueue with order_id and view FULL shows what happened")


def _not_yet(text: str) -> NoReturn:
    raise NotYetImplemented(text)
