"""Connect errors: a JSON body with the code that clients branch on, and the same details as over gRPC."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import grpc
from aiohttp import web
from google.protobuf import any_pb2, json_format
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from tillsync_server.adapters.grpc.status import retry_seconds

HTTP_STATUS = {
    "canceled": 499,
    "unknown": 500,
    "invalid_argument": 400,
    "deadline_exceeded": 504,
    "not_found": 404,
    "already_exists": 409,
    "permission_denied": 403,
    "resource_exhausted": 429,
    "failed_precondition": 400,
    "aborted": 409,
    "out_of_range": 400,
    "unimplemented": 501,
    "internal": 500,
    "unavailable": 503,
    "data_loss": 500,
    "unauthenticated": 401,
}
_CODES: dict[int, str] = {
    code.value[0]: "canceled" if code is grpc.StatusCode.CANCELLED else code.name.lower()
    for code in grpc.StatusCode
    if code is not grpc.StatusCode.OK
}


class ConnectError(Exception):
    """Error of a Connect call. ``code``: one of the sixteen of HTTP_STATUS. ``details``: packed as for gRPC; without them ``reason``
    becomes an ErrorInfo."""

    def __init__(self, code: str, message: str, reason: str = "", *, details: tuple[any_pb2.Any, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        if reason and not details:
            packed = any_pb2.Any()
            packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="tillsync"))
            self.details = (packed,)


def from_status(status: status_pb2.Status) -> ConnectError:
    """Converts a gRPC status to the same Connect error."""
    return ConnectError(_CODES[status.code], status.message, details=tuple(status.details))


def error_response(error: ConnectError) -> web.Response:
    body: dict[str, Any] = {"code": error.code}
    if error.message:
        body["message"] = error.message
    if error.details:
        body["details"] = [_detail(packed) for packed in error.details]
    headers = {}
    if (seconds := retry_seconds(error.details)) is not None:
        headers["Retry-After"] = str(max(math.ceil(seconds), 1))
    if error.code == "unauthenticated":
        headers["WWW-Authenticate"] = 'Bearer realm="tillsync"'
    return web.Response(
        status=HTTP_STATUS[error.code],
        body=json.dumps(body, ensure_ascii=False).encode("utf-8"),
        content_type="application/json",
        headers=headers,
    )


def _detail(packed: any_pb2.Any) -> dict[str, Any]:
    """Returns one detail. ``debug`` repeats it as plain JSON for callers without protobuf, such as PHP; the protocol allows that."""
    detail: dict[str, Any] = {"type": packed.TypeName(), "value": base64.b64encode(packed.value).decode().rstrip("=")}
    try:
        readable = json_format.MessageToDict(packed)
    except (TypeError, DecodeError, json_format.Error):  # a type this build does not know
        return detail
    readable.pop("@type", None)
    return detail | {"debug": readable}
