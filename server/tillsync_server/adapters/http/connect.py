"""Connect unary calls (JSON and binary) for every service, forwarded to our own gRPC server: one path for rights, checks and errors.

Generic from the descriptors: a new RPC needs nothing here. Only ``authorization``, ``x-request-id`` and ``traceparent`` travel on.

Reading JSON into a message costs seconds for each megabyte of small objects, so a stranger's body is not read at all: the token is
looked at here as well, before. What it may do is still the gRPC side's question alone.
"""

from __future__ import annotations

import asyncio
import string
from collections.abc import Awaitable, Callable
from enum import Enum
from functools import partial
from typing import TypeVar, TypeVarTuple

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
    catalog_service_pb2,
    customer_sync_service_pb2,
    diagnosis_service_pb2,
    link_service_pb2,
    privacy_service_pb2,
    queue_service_pb2,
)

from tillsync_server.adapters.http.app import MAX_REQUEST_BYTES
from tillsync_server.adapters.http.connect_errors import ConnectError, error_response, from_grpc
from tillsync_server.adapters.http.unknown_fields import split_unknown
from tillsync_server.application.use_cases.authentication import Caller
from tillsync_server.domain.errors import Unauthenticated
from tillsync_server.domain.vocabulary import Role

_LOG = structlog.get_logger(__name__)
SERVICE_API, API_HEADER = 2, "Tillsync-Api"
"""Which messages of a bridge this service reads, said with every answer. 1 (no header): it refuses fields that it does not know, so a
bridge sends it none that came later. 2: it passes over them."""
MAX_OPEN_REQUEST_BYTES = 4096
"""Of methods that need no token."""
BIG_BYTES, _BIG_AT_ONCE = 64 * 1024, 2
"""From this size a message is read and written in a thread, few at once: the event loop also renews the leases of lanes."""
DEFAULT_TIMEOUT_SECONDS = 60.0
"""Of a call without Connect-Timeout-Ms; also the most that is granted."""
FORWARDED_HEADERS = ("authorization", "x-request-id", "traceparent")
_FILES = (
    account_service_pb2,
    catalog_service_pb2,
    customer_sync_service_pb2,
    diagnosis_service_pb2,
    link_service_pb2,
    privacy_service_pb2,
    queue_service_pb2,
    health_pb2,
)
_OPEN_SERVICES = frozenset({health_pb2.DESCRIPTOR.services_by_name["Health"].full_name})
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
_PRINTABLE = frozenset(string.printable) - frozenset(string.whitespace) | {" "}


Ts = TypeVarTuple("Ts")
Result = TypeVar("Result")


class _Codec(Enum):
    """How messages are written, by content type."""

    JSON = "application/json"
    BINARY = "application/proto"

    def read(self, body: bytes, message: Message, *, is_bridge: bool = False) -> None:
        """``is_bridge``: unknown fields are passed over. Whoever writes JSON by hand is told of them: a misspelt filter would be none."""
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
            raise ConnectError(
                "invalid_argument", f"the body is no {message.DESCRIPTOR.full_name}: {text[:500]}", "MALFORMED_BODY"
            ) from error

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
    """All methods by path, server-streaming ones included (they are answered UNIMPLEMENTED)."""
    return {
        f"/{service.full_name}/{method.name}": method
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


Authenticate = Callable[[str], Awaitable[Caller]]
"""Asked with the ``authorization`` header's value. Unauthenticated; or what the store raises."""


class ConnectHandler:
    """``target``: address of our own gRPC server (``unix:/…``). ``open`` inside the running loop; ``close`` at the end.

    ``database_gone``: exceptions of ``authenticate`` that mean the database cannot be asked now.
    """

    def __init__(self, target: str, authenticate: Authenticate, *, database_gone: tuple[type[Exception], ...] = (OSError,)) -> None:
        self._target = target
        self._authenticate = authenticate
        self._database_gone = database_gone
        self._big = asyncio.Semaphore(_BIG_AT_ONCE)
        self._methods = rpc_methods()
        self._channel: grpc.aio.Channel | None = None

    async def open(self) -> None:
        self._channel = grpc.aio.insecure_channel(
            self._target,
            options=[
                ("grpc.max_receive_message_length", -1),  # our own answers
                ("grpc.max_send_message_length", -1),
                ("grpc.default_authority", "localhost"),
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.enable_http_proxy", 0),
                ("grpc.max_reconnect_backoff_ms", 1000),
            ],
        )

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close(grace=None)
            self._channel = None

    def add_routes(self, router: web.UrlDispatcher) -> None:
        # Any package.Service/Method: what is not there is a Connect error, not a page.
        router.add_post(r"/{service:[A-Za-z_][\w.]*\.[A-Za-z_]\w*}/{method:[A-Za-z_]\w*}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        codec = _codec_of(request)
        if codec is None:
            # No Connect error: the caller does not speak the protocol (the specification's own answer).
            return web.Response(status=415, headers={"Accept-Post": "application/json, application/proto"})
        try:
            response = await self._call(request, codec)
        except ConnectError as error:
            response = error_response(error)
        except grpc.aio.AioRpcError as error:
            response = error_response(from_grpc(error))
        response.headers[API_HEADER] = str(SERVICE_API)
        return response

    async def _call(self, request: web.Request, codec: _Codec) -> web.Response:
        method = self._methods.get(request.path)
        if method is None:
            raise ConnectError("unimplemented", f"there is no method {request.path}", "METHOD_NOT_FOUND")
        if method.client_streaming or method.server_streaming:
            raise ConnectError("unimplemented", f"{request.path} streams: call it by gRPC", "STREAMING_NOT_SUPPORTED")
        version = request.headers.get("Connect-Protocol-Version", "1")
        if version != "1":
            raise ConnectError("invalid_argument", "Connect-Protocol-Version must be 1", "PROTOCOL_VERSION")
        timeout = _timeout_of(request)
        is_open = method.containing_service.full_name in _OPEN_SERVICES
        is_bridge = not is_open and (await self._look_at_token(request)).role is Role.SITE
        body = await _body_of(request, MAX_OPEN_REQUEST_BYTES if is_open else MAX_REQUEST_BYTES)
        message = GetMessageClass(method.input_type)()
        await self._in_its_place(len(body), partial(codec.read, is_bridge=is_bridge), body, message)
        if self._channel is None:
            raise ConnectError("unavailable", "the service is stopping", "UNAVAILABLE")
        response_class = GetMessageClass(method.output_type)
        call = self._channel.unary_unary(
            request.path, request_serializer=type(message).SerializeToString, response_deserializer=response_class.FromString
        )
        answer: Message = await call(message, timeout=timeout, metadata=_metadata_of(request))
        content = await self._in_its_place(answer.ByteSize(), codec.write, answer)
        return web.Response(body=content, content_type=codec.value, headers=_request_id_of(request))

    async def _look_at_token(self, request: web.Request) -> Caller:
        authorization = dict(_metadata_of(request)).get("authorization", "")
        try:
            return await self._authenticate(authorization)
        except Unauthenticated as error:
            raise ConnectError("unauthenticated", error.message, error.reason) from error
        except self._database_gone as error:
            text = "the database does not answer just now; repeat the call"
            raise ConnectError("unavailable", text, "DATABASE_UNAVAILABLE") from error

    async def _in_its_place(self, size: int, work: Callable[[*Ts], Result], *arguments: *Ts) -> Result:
        """Small work at once, big work beside the event loop."""
        if size < BIG_BYTES:
            return work(*arguments)
        async with self._big:
            return await asyncio.to_thread(work, *arguments)


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


async def _body_of(request: web.Request, limit: int) -> bytes:
    if request.headers.get("Content-Encoding", "").lower() not in _ENCODINGS:
        raise ConnectError("unimplemented", "Content-Encoding may be gzip, deflate or identity", "CONTENT_ENCODING")
    too_large = ConnectError("resource_exhausted", f"the request is larger than {limit} bytes", "REQUEST_TOO_LARGE")
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    try:
        while chunk := await request.content.readany():  # decompressed
            body += chunk
            if len(body) > limit:
                raise too_large
        return bytes(body)
    except (web.RequestPayloadError, asyncio.IncompleteReadError) as error:
        raise ConnectError("invalid_argument", "the body is cut short or not encoded as it says", "MALFORMED_BODY") from error


def _metadata_of(request: web.Request) -> tuple[tuple[str, str], ...]:
    """What gRPC can carry: printable ASCII. Anything else cannot be a valid token or id, and is left out."""
    found = ((name, request.headers.get(name, "").strip()) for name in FORWARDED_HEADERS)
    return tuple((name, value) for name, value in found if value and len(value) <= 4096 and _PRINTABLE.issuperset(value))


def _request_id_of(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in _metadata_of(request) if name == "x-request-id"}
