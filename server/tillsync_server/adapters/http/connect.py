"""Serves unary calls of the Connect protocol (JSON and binary) for every service. ServedCalls applies the same rights, checks, limits and
errors as for gRPC.

The handler works from the descriptors, so a new RPC needs nothing here. The answer repeats ``x-request-id``.
"""

from __future__ import annotations

import asyncio
import string
import time
from collections.abc import Callable
from enum import Enum
from typing import NoReturn, TypeVar, TypeVarTuple

import grpc
import structlog
from aiohttp import web
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from tillsync.v1 import (
    account_service_pb2,
    bridge_service_pb2,
    catalog_service_pb2,
    customer_sync_service_pb2,
    diagnosis_service_pb2,
    link_service_pb2,
    privacy_service_pb2,
    queue_service_pb2,
)

from tillsync_server.adapters.grpc.failures import CallAborted, Refusal
from tillsync_server.adapters.grpc.message_limits import max_objects
from tillsync_server.adapters.grpc.methods import UnaryMethod
from tillsync_server.adapters.grpc.served_calls import OPEN_REQUEST_SECONDS, REQUEST_SECONDS, ServedCalls
from tillsync_server.adapters.grpc.wire import too_large, too_slow
from tillsync_server.adapters.http.app import mark_caller_known
from tillsync_server.adapters.http.bodies import BodyTooLarge, BodyTooSlow, BodyUnreadable, UnknownEncoding, read_body
from tillsync_server.adapters.http.connect_errors import ConnectError, error_response, from_status
from tillsync_server.adapters.http.unknown_fields import split_unknown
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import InvalidArgument, NotYetImplemented
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Caller

_LOG = structlog.get_logger(__name__)
SERVICE_API, API_HEADER = 3, "Tillsync-Api"
"""Version of the messages that this service reads from a bridge; every answer has it. A service of version 1 (no header) refuses unknown
fields, so a bridge sends it no later fields. Version 2 ignores unknown fields. Version 3 has ScheduleOutboxDrain."""
BIG_BYTES = 64 * 1024
"""Messages of at least this size are read and written beside the event loop, because the loop also renews the leases of lanes."""
DEFAULT_TIMEOUT_SECONDS = 60.0
"""Timeout of a call without Connect-Timeout-Ms, and the longest timeout."""
_KNOWN_HEADERS = ("authorization", "x-request-id", "traceparent")
"""Headers of the request that a servicer may see."""
_FILES = (
    account_service_pb2,
    bridge_service_pb2,
    catalog_service_pb2,
    customer_sync_service_pb2,
    diagnosis_service_pb2,
    link_service_pb2,
    privacy_service_pb2,
    queue_service_pb2,
    health_pb2,
)
_PRINTABLE = frozenset(string.printable) - frozenset(string.whitespace) | {" "}


Ts = TypeVarTuple("Ts")
Result = TypeVar("Result")


class _Codec(Enum):
    """Encodings of messages; the value is the content type."""

    JSON = "application/json"
    BINARY = "application/proto"

    def read(self, body: bytes, message: Message, *, is_bridge: bool = False, max_objects: int = 0) -> None:
        """Parses ``body`` into ``message``. Raises InvalidArgument. Unknown fields are ignored if ``is_bridge``. For other callers they are
        an error, because JSON written by hand may misspell a filter."""
        if self is _Codec.JSON and body.count(b"{") > max_objects > 0:
            text = f"must have at most {max_objects} objects; send its items in several calls"
            raise InvalidArgument.of("body", text, reason="REQUEST_TOO_LARGE")
        try:
            if self is _Codec.JSON:
                text = body.decode("utf-8").strip() or "{}"
                if not text.startswith("{"):
                    raise ValueError("it must be a JSON object")
                _read_json(text, message, is_bridge=is_bridge)
            else:
                message.ParseFromString(body)
        except (json_format.Error, DecodeError, ValueError, TypeError, RecursionError, OverflowError) as error:
            text = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise InvalidArgument.of("body", f"is no {message.DESCRIPTOR.full_name}: {text[:500]}", reason="MALFORMED_BODY") from error

    def write(self, message: Message) -> bytes:
        if self is _Codec.JSON:
            return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode("utf-8")
        return message.SerializeToString()


def _read_json(text: str, message: Message, *, is_bridge: bool) -> None:
    try:
        json_format.Parse(text, message)
    except json_format.ParseError:
        # invariant: only-bridges-send-unknown-fields
        if not is_bridge:
            raise
        known, unknown = split_unknown(text, type(message))
        if not unknown:
            raise
        message.Clear()
        json_format.ParseDict(known, message)
        _LOG.info("unknown_fields_passed_over", type=message.DESCRIPTOR.full_name, fields=len(unknown))


def rpc_methods() -> dict[str, MethodDescriptor]:
    """Returns all methods by path. Streaming methods are included; their answer is UNIMPLEMENTED."""
    return {
        f"/{service.full_name}/{method.name}": method
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


class CallContext:
    """Context of a Connect call with the part of gRPC's context that servicers use."""

    def __init__(self, request: web.Request, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._metadata = _metadata_of(request)
        self._trailers: dict[str, bytes] = {}
        peer = None if request.transport is None else request.transport.get_extra_info("peername")
        self._peer = f"http:{peer}"

    def peer(self) -> str:
        """Returns the caller's connection."""
        return self._peer

    def time_remaining(self) -> float:
        """Returns the seconds until the deadline."""
        return max(self._ends_at - time.monotonic(), 0.0)

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    def set_trailing_metadata(self, trailers: tuple[tuple[str, bytes], ...]) -> None:
        self._trailers = dict(trailers)

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: tuple[tuple[str, bytes], ...] = ()) -> NoReturn:
        raise CallAborted(code, details, {**self._trailers, **dict(trailing_metadata)})


class ConnectHandler:
    """Serves Connect calls. The methods of ``calls`` must be complete before the first request. ``site_called`` gets the account and the
    user agent of each call with a SITE token."""

    def __init__(
        self, calls: ServedCalls, *, site_called: Callable[[AccountId, str], None] = lambda _account_id, _user_agent: None
    ) -> None:
        self._calls = calls
        self._site_called = site_called
        self._methods = rpc_methods()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        # Every package.Service/Method, so that an unknown method gets a Connect error instead of a page.
        router.add_post(r"/{service:[A-Za-z_][\w.]*\.[A-Za-z_]\w*}/{method:[A-Za-z_]\w*}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        codec = _codec_of(request)
        if codec is None:
            # The specification's answer to a caller that does not speak the protocol, so no Connect error.
            return web.Response(status=415, headers={"Accept-Post": "application/json, application/proto"})
        try:
            response = await self._call(request, codec)
        except ConnectError as error:
            response = error_response(error)
        response.headers[API_HEADER] = str(SERVICE_API)
        return response

    async def _call(self, request: web.Request, codec: _Codec) -> web.Response:
        unary = self._unary_of(request)
        version = request.headers.get("Connect-Protocol-Version", "1")
        if version != "1":
            raise ConnectError("invalid_argument", "Connect-Protocol-Version must be 1", "PROTOCOL_VERSION")
        context = CallContext(request, _timeout_of(request))
        authorization = dict(context.invocation_metadata()).get("authorization", "")

        async def read(caller: Caller | None) -> Message:
            if caller is not None:
                mark_caller_known(request)
                if caller.account_id is not None and not caller.is_revoked:
                    self._site_called(caller.account_id, request.headers.get("User-Agent", ""))
            body = await _body_of(request, unary.method.max_bytes, OPEN_REQUEST_SECONDS if caller is None else REQUEST_SECONDS)
            message = GetMessageClass(self._methods[request.path].input_type)()
            is_bridge = caller is not None and caller.role is Role.SITE
            limit = max_objects(request.path)
            await self._run_by_size(len(body), lambda: codec.read(body, message, is_bridge=is_bridge, max_objects=limit))
            return message

        try:
            async with asyncio.timeout(context.time_remaining()):
                answer = await self._calls.answer(unary, authorization, read, context)
                if isinstance(answer, Refusal):
                    raise from_status(answer.status)
                content = await self._run_by_size(answer.ByteSize(), codec.write, answer)
        except TimeoutError:
            raise ConnectError("deadline_exceeded", "the call took longer than its deadline", "DEADLINE_EXCEEDED") from None
        return web.Response(body=content, content_type=codec.value, headers=_request_id_of(request))

    def _unary_of(self, request: web.Request) -> UnaryMethod:
        """Returns the unary method of the request's path. Raises ConnectError if there is none."""
        unary = self._calls.unary.get(request.path) if request.path in self._methods else None
        if unary is not None:
            return unary
        if request.path in self._methods:
            raise ConnectError("unimplemented", f"{request.path} streams: call it by gRPC", "STREAMING_NOT_SUPPORTED")
        raise ConnectError("unimplemented", f"there is no method {request.path}", "METHOD_NOT_FOUND")

    async def _run_by_size(self, size: int, work: Callable[[*Ts], Result], *arguments: *Ts) -> Result:
        """Runs small work in the event loop and big work beside it."""
        return work(*arguments) if size < BIG_BYTES else await self._calls.beside_loop.run(work, *arguments)


def _codec_of(request: web.Request) -> _Codec | None:
    if request.content_type == "application/proto":
        return _Codec.BINARY
    if request.content_type == "application/json" and (request.charset or "utf-8").lower() in ("utf-8", "utf8"):
        return _Codec.JSON
    return None


def _timeout_of(request: web.Request) -> float:
    text = request.headers.get("Connect-Timeout-Ms")
    if text is None:
        return DEFAULT_TIMEOUT_SECONDS
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ConnectError("invalid_argument", "Connect-Timeout-Ms must be a whole number of at most 10 digits", "TIMEOUT_HEADER")
    return min(int(text) / 1000, DEFAULT_TIMEOUT_SECONDS)


async def _body_of(request: web.Request, max_bytes: int, seconds: float) -> bytes:
    """Returns the inflated body. Raises InvalidArgument, NotYetImplemented."""
    try:
        return await read_body(request, max_bytes, seconds=seconds)
    except UnknownEncoding:
        raise NotYetImplemented("Content-Encoding may be gzip, deflate or identity", reason="CONTENT_ENCODING") from None
    except BodyTooLarge:
        raise too_large(max_bytes) from None
    except BodyTooSlow:
        raise too_slow(seconds) from None
    except BodyUnreadable:
        raise InvalidArgument.of("body", "is cut short or not encoded as it says", reason="MALFORMED_BODY") from None


def _metadata_of(request: web.Request) -> tuple[tuple[str, str], ...]:
    """Returns the known headers with printable ASCII values, as gRPC carries them. Other values cannot be a valid token or id."""
    found = ((name, request.headers.get(name, "").strip()) for name in _KNOWN_HEADERS)
    return tuple((name, value) for name, value in found if value and len(value) <= 4096 and _PRINTABLE.issuperset(value))


def _request_id_of(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in _metadata_of(request) if name == "x-request-id"}
