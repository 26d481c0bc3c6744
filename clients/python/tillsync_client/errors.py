"""The errors of a call.

::

    TillsyncError                code, message, reason, metadata
    ├── InvalidArgumentError     violations: each field and its remedy
    ├── UnauthenticatedError, PermissionDeniedError
    ├── NotFoundError, AlreadyExistsError, FailedPreconditionError, AbortedError
    ├── ResourceExhaustedError   retry_after_seconds: the delay until the next call; raised after the client's own retries
    ├── UnavailableError         the same; the service or its database is not available
    │   └── NotReachedError      no service answered at this address: wrong port, TLS to plain text, plain text to TLS, no listener, …
    ├── DeadlineError            the deadline passed; accepted work is committed, so call again
    └── NotImplementedYetError   the contract announces the method, but the service does not have it yet

``reason`` is the stable ErrorInfo reason of domain "tillsync" (``ACCOUNT_NOT_FOUND``). Empty: the transport failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2

_STATUS_TRAILER = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request, and its remedy."""

    field: str
    description: str


class TillsyncError(Exception):
    """Base of all errors of this client."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: tuple[FieldViolation, ...] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = violations
        self.retry_after_seconds = retry_after_seconds


class InvalidArgumentError(TillsyncError): ...


class UnauthenticatedError(TillsyncError): ...


class PermissionDeniedError(TillsyncError): ...


class NotFoundError(TillsyncError): ...


class AlreadyExistsError(TillsyncError): ...


class FailedPreconditionError(TillsyncError): ...


class AbortedError(TillsyncError): ...


class ResourceExhaustedError(TillsyncError): ...


class UnavailableError(TillsyncError): ...


class NotReachedError(UnavailableError): ...


class DeadlineError(TillsyncError): ...


class NotImplementedYetError(TillsyncError): ...


_KINDS: dict[grpc.StatusCode, type[TillsyncError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.ABORTED: AbortedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.UNIMPLEMENTED: NotImplementedYetError,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def from_rpc_error(error: grpc.aio.AioRpcError | grpc.Call) -> TillsyncError:
    """Converts the error of a failed call, with the service's rich details. A blocking call raises an RpcError that is also a Call."""
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_TRAILER and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    kind = _KINDS.get(error.code(), TillsyncError)
    return kind(error.details() or error.code().name, code=error.code())


def from_status(status: status_pb2.Status) -> TillsyncError:
    """Converts the rich status of a failed call, or of one item of a batch."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    reason, metadata, retry_after = "", {}, None
    violations: list[FieldViolation] = []
    info, bad_request, retry_info = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad_request):
            violations += [FieldViolation(each.field, each.description) for each in bad_request.field_violations]
        elif detail.Unpack(retry_info):
            retry_after = retry_info.retry_delay.ToTimedelta().total_seconds()
    kind = _KINDS.get(code, TillsyncError)
    return kind(
        status.message,
        code=code,
        reason=reason,
        metadata=metadata,
        violations=tuple(violations),
        retry_after_seconds=retry_after,
    )
