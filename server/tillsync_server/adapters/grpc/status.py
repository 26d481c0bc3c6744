"""Maps the domain's errors to gRPC codes and rich statuses, for calls and for batch items. A test proves that the table covers the tree."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from tillsync_server.domain.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    NotYetImplemented,
    PermissionDenied,
    RequestError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

ERROR_DOMAIN = "tillsync"
MAX_MESSAGE_LENGTH, MAX_VIOLATIONS = 1000, 20
"""Limits of a rich status, which is sent in trailers. Clients accept 8 kB of trailers by default."""
DETAILS_KEY = "grpc-status-details-bin"
"""Trailer in which gRPC clients look for the rich status."""

CODES: dict[type[RequestError], grpc.StatusCode] = {
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    Aborted: grpc.StatusCode.ABORTED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    NotYetImplemented: grpc.StatusCode.UNIMPLEMENTED,
}


def code_of(error: RequestError) -> grpc.StatusCode:
    return CODES[type(error)]


def status_of(error: RequestError) -> status_pb2.Status:
    """Returns the whole status: code, message, ErrorInfo and, where they apply, BadRequest and RetryInfo. A batch item has it as
    ``error``."""
    number: int = code_of(error).value[0]
    status = status_pb2.Status(code=number, message=utf8(error.message[:MAX_MESSAGE_LENGTH]))
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata)
    status.details.add().Pack(info)
    if isinstance(error, InvalidArgument):
        bad = error_details_pb2.BadRequest()
        for violation in error.violations[:MAX_VIOLATIONS]:
            bad.field_violations.add(field=utf8(violation.field), description=utf8(violation.description))
        status.details.add().Pack(bad)
    if isinstance(error, ResourceExhausted | Unavailable):
        retry = error_details_pb2.RetryInfo()
        delay: Duration = retry.retry_delay
        delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        status.details.add().Pack(retry)
    return status


def utf8(text: str) -> str:
    """Returns ``text`` in a form that a message can hold. Errors quote texts of callers, which may contain half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def retry_seconds(details: Iterable[any_pb2.Any]) -> float | None:
    """Returns the delay of the RetryInfo among the details of a status, in seconds; None without one."""
    retry = error_details_pb2.RetryInfo()
    for packed in details:
        if packed.Unpack(retry):
            delay: Duration = retry.retry_delay
            return delay.ToMilliseconds() / 1000
    return None


def internal_status(incident: str) -> status_pb2.Status:
    """Returns the status of a fault in the service. The caller sees only the number under which the log has the fault."""
    number: int = grpc.StatusCode.INTERNAL.value[0]
    status = status_pb2.Status(code=number, message=f"internal error; the log of the service has it as incident {incident}")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="INTERNAL", domain=ERROR_DOMAIN, metadata={"incident": incident}))
    return status
