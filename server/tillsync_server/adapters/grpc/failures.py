"""Converts the error of a call to a status, and logs the service's own faults."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from tillsync_server.adapters.grpc.status import DETAILS_KEY, internal_status, status_of
from tillsync_server.domain.errors import InvalidArgument, RequestError, Unavailable

_LOG = structlog.get_logger(__name__)
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error status of a call, in place of an answer. It has no reference to the error, whose traceback would keep the request alive."""

    status: status_pb2.Status

    @property
    def code(self) -> grpc.StatusCode:
        return _CODES[self.status.code]


class CallAborted(Exception):
    """Raised by ``context.abort`` outside gRPC, when a servicer that is not ours (health) ends its call."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: Mapping[str, bytes]) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.trailers = trailers


class Failures:
    """Makes refusals of errors. ``database_gone``: exceptions that mean the database does not answer now. Such calls end UNAVAILABLE, and
    the caller repeats them."""

    def __init__(self, database_gone: tuple[type[BaseException], ...] = (OSError,)) -> None:
        self._database_gone = database_gone

    def refusal_of(self, error: Exception, path: str) -> Refusal:
        """Returns the refusal for an error of a call. ``path``: the method's, ``/package.Service/Method``."""
        if isinstance(error, RequestError):
            return Refusal(status_of(error))
        if isinstance(error, DecodeError):
            return Refusal(status_of(InvalidArgument.of("request", "is not a message of this method", reason="MALFORMED_MESSAGE")))
        if isinstance(error, CallAborted):
            return Refusal(_status_of_abort(error))
        if isinstance(error, self._database_gone):
            _LOG.warning("database_unavailable", during=path, error=type(error).__name__)
            return Refusal(status_of(Unavailable("the database does not answer just now; repeat the call", reason="DATABASE_UNAVAILABLE")))
        incident = secrets.token_hex(4)
        # the line has no text of the exception, which may carry values of the request
        stack = "".join(traceback.format_tb(error.__traceback__))
        _LOG.error("call_failed", method=path, incident=incident, error=type(error).__name__, stack=stack)
        return Refusal(internal_status(incident))


def _status_of_abort(error: CallAborted) -> status_pb2.Status:
    details = error.trailers.get(DETAILS_KEY)
    if details is not None:
        return status_pb2.Status.FromString(details)
    number: int = error.code.value[0]
    return status_pb2.Status(code=number, message=error.details)
