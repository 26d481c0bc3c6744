"""Connect unary calls over HTTP: content types, headers, deadlines, limits, and errors in the form of the protocol."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from support.grpc_server import RecordingMetrics, unimplemented
from support.waiting import within
from tillsync.v1 import (
    account_service_pb2_grpc,
    bridge_service_pb2_grpc,
    link_service_pb2_grpc,
    privacy_service_pb2_grpc,
    queue_service_pb2_grpc,
)
from tillsync.v1 import customer_sync_service_pb2 as pb
from tillsync.v1 import customer_sync_service_pb2_grpc as pb_grpc
from tillsync_server.adapters.grpc.listening import GrpcSettings
from tillsync_server.adapters.grpc.message_limits import max_bytes, max_objects
from tillsync_server.adapters.grpc.served_calls import ServedCalls
from tillsync_server.adapters.grpc.server import GrpcServer, GrpcServices
from tillsync_server.adapters.http.app import HttpSide
from tillsync_server.adapters.http.connect import (
    BIG_BYTES,
    DEFAULT_TIMEOUT_SECONDS,
    ConnectHandler,
    _Codec,
    rpc_methods,
)
from tillsync_server.adapters.http.connect_errors import HTTP_STATUS
from tillsync_server.application.use_cases.authentication import Authenticator
from tillsync_server.application.use_cases.known_accounts import KnownAccounts
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import Unauthenticated
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Caller

SYNC = "/tillsync.v1.CustomerSyncService/SyncCustomer"
MATCH = "/tillsync.v1.CustomerSyncService/BatchMatchOrderCustomers"
HEALTH = "/grpc.health.v1.Health/Check"
JSON = {"Content-Type": "application/json"}
Behaviour = Callable[[pb.SyncCustomerRequest, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[pb.SyncCustomerResponse]]


async def _echo(request: pb.SyncCustomerRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.SyncCustomerResponse:
    response = pb.SyncCustomerResponse(coalesced=request.force)
    response.entry.epos_customer_id = request.epos_customer_id
    response.entry.account_id = request.account_id
    return response


@dataclass
class Scripted(pb_grpc.CustomerSyncServiceServicer):
    behaviour: Behaviour = _echo
    requests: list[pb.SyncCustomerRequest] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    seconds_left: float | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def SyncCustomer(  # noqa: N802
        self, request: pb.SyncCustomerRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.SyncCustomerResponse:
        self.requests.append(request)
        self.metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        self.seconds_left = context.time_remaining()
        self.arrived.set()
        try:
            return await self.behaviour(request, context)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@dataclass
class ScriptedAuthenticator:
    """An Authenticator that accepts every token until the test sets a refusal."""

    refusal: Exception | None = None
    authorizations: list[str] = field(default_factory=list)
    caller: Caller = field(default_factory=lambda: Caller(Role.SUPPORT, None, "token-1"))

    def cached(self, authorization: str) -> Caller | None:
        return None

    async def authenticate(self, authorization: str, *, allow_revoked: bool = False) -> Caller:
        self.authorizations.append(authorization)
        if self.refusal is not None:
            raise self.refusal
        return self.caller


@dataclass
class Edge:
    url: str
    session: ClientSession
    servicer: Scripted
    door: ScriptedAuthenticator

    async def post(
        self, path: str = SYNC, body: bytes | object = b"{}", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self.session.post(self.url + path, data=data, headers=JSON if headers is None else headers) as response:
            return response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read()

    async def error(
        self, path: str = SYNC, body: bytes | object = b"{}", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        status, sent, content = await self.post(path, body, headers)
        assert status != 200
        assert sent["content-type"] == "application/json", "an error is always JSON"
        return status, json.loads(content)


def scripted_services(customer_sync: Scripted) -> GrpcServices:
    return GrpcServices(
        customer_sync=customer_sync,
        queue=unimplemented(queue_service_pb2_grpc.QueueServiceServicer),
        link=unimplemented(link_service_pb2_grpc.LinkServiceServicer),
        account=unimplemented(account_service_pb2_grpc.AccountServiceServicer),
        privacy=unimplemented(privacy_service_pb2_grpc.PrivacyServiceServicer),
        bridge=unimplemented(bridge_service_pb2_grpc.BridgeServiceServicer),
    )


async def always() -> bool:
    return True


@pytest_asyncio.fixture
async def edge() -> AsyncIterator[Edge]:
    servicer, door = unimplemented(Scripted), ScriptedAuthenticator()
    calls = ServedCalls(cast(Authenticator, door), cast(KnownAccounts, object()), RecordingMetrics())
    GrpcServer(scripted_services(servicer), calls, GrpcSettings(), database_answers=always)
    for path, unary in calls.unary.items():
        # these tests do not cover rights and request checks
        method = replace(unary.method, roles=None, check=None, has_account=False, account_must_exist=False)
        calls.unary[path] = replace(unary, method=method)
    side = HttpSide("127.0.0.1", 0, ConnectHandler(calls), grace_seconds=1)
    await side.start()
    async with ClientSession() as session:
        yield Edge(f"http://127.0.0.1:{side.port}", session, servicer, door)
    await side.stop()


async def test_json_call_returns_canonical_json(edge: Edge) -> None:
    status, headers, body = await edge.post(body={"accountId": "shop-1", "eposCustomerId": "9007199254740993", "force": True})
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"entry": {"accountId": "shop-1", "eposCustomerId": "9007199254740993"}, "coalesced": True}
    assert edge.servicer.requests[0].epos_customer_id == 9007199254740993


async def test_json_accepts_proto_field_names_and_plain_numbers(edge: Edge) -> None:
    status, _, _ = await edge.post(body={"account_id": "shop-1", "epos_customer_id": 5, "priority": "PRIORITY_BULK"})
    assert status == 200
    assert (edge.servicer.requests[0].epos_customer_id, edge.servicer.requests[0].priority) == (5, 2)


async def test_binary_call_returns_binary(edge: Edge) -> None:
    request = pb.SyncCustomerRequest(account_id="shop-1", epos_customer_id=7)
    status, headers, body = await edge.post(body=request.SerializeToString(), headers={"Content-Type": "application/proto"})
    assert (status, headers["content-type"]) == (200, "application/proto")
    assert pb.SyncCustomerResponse.FromString(body).entry.epos_customer_id == 7


async def test_an_empty_body_is_an_empty_message(edge: Edge) -> None:
    assert (await edge.post(body=b""))[0] == 200
    assert edge.servicer.requests == [pb.SyncCustomerRequest()]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/connect+json", "application/grpc", "application/json; charset=latin-1"],
)
async def test_other_content_types_are_refused(edge: Edge, content_type: str) -> None:
    status, headers, _ = await edge.post(headers={"Content-Type": content_type})
    assert status == 415
    assert headers["accept-post"] == "application/json, application/proto"
    assert edge.servicer.requests == []


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "APPLICATION/JSON"])
async def test_json_content_type_is_accepted_in_any_spelling(edge: Edge, content_type: str) -> None:
    assert (await edge.post(headers={"Content-Type": content_type}))[0] == 200


async def test_only_listed_headers_become_metadata(edge: Edge) -> None:
    headers = {
        **JSON,
        "Authorization": "Bearer abc",
        "X-Request-Id": "r-1",
        "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Cookie": "c=1",
        "X-Tillsync-Role": "admin",
        "Grpc-Timeout": "1n",
        "X-Forwarded-For": "192.0.2.1",
    }
    status, answered, _ = await edge.post(headers=headers)
    assert status == 200
    assert answered["x-request-id"] == "r-1"
    known = {name: value for name, value in edge.servicer.metadata.items() if name != "user-agent"}
    assert known == {"authorization": "Bearer abc", "x-request-id": "r-1", "traceparent": headers["Traceparent"]}


async def test_headers_invalid_in_grpc_are_dropped(edge: Edge) -> None:
    assert (await edge.post(headers={**JSON, "Authorization": "Bearer ü", "X-Request-Id": "r" * 5000}))[0] == 200
    assert not {"authorization", "x-request-id"} & set(edge.servicer.metadata)


async def test_timeout_header_becomes_the_deadline(edge: Edge) -> None:
    await edge.post(headers={**JSON, "Connect-Timeout-Ms": "2500"})
    assert edge.servicer.seconds_left is not None
    assert 2 < edge.servicer.seconds_left <= 2.6
    await edge.post(headers={**JSON, "Connect-Timeout-Ms": "9999999999"})
    assert 0 < edge.servicer.seconds_left <= DEFAULT_TIMEOUT_SECONDS + 1
    await edge.post()
    assert 0 < edge.servicer.seconds_left <= DEFAULT_TIMEOUT_SECONDS + 1


async def test_exceeded_deadline_is_deadline_exceeded(edge: Edge) -> None:
    async def never(request: pb.SyncCustomerRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.SyncCustomerResponse:
        await asyncio.Event().wait()
        raise AssertionError

    edge.servicer.behaviour = never
    status, error = await edge.error(headers={**JSON, "Connect-Timeout-Ms": "50"})
    assert (status, error["code"]) == (504, "deadline_exceeded")
    assert (await edge.error(headers={**JSON, "Connect-Timeout-Ms": "0"}))[1]["code"] == "deadline_exceeded"


@pytest.mark.parametrize("value", ["", "-1", "1.5", "soon", "12345678901", "٣"])
async def test_invalid_timeout_is_refused(edge: Edge, value: str) -> None:
    status, error = await edge.error(headers={**JSON, "Connect-Timeout-Ms": value})
    assert (status, error["code"]) == (400, "invalid_argument")
    assert edge.servicer.requests == []


async def test_other_protocol_versions_are_refused(edge: Edge) -> None:
    assert (await edge.post(headers={**JSON, "Connect-Protocol-Version": "1"}))[0] == 200
    assert (await edge.error(headers={**JSON, "Connect-Protocol-Version": "2"}))[1]["code"] == "invalid_argument"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_every_status_has_its_code(edge: Edge, code: grpc.StatusCode) -> None:
    async def fail(request: pb.SyncCustomerRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.SyncCustomerResponse:
        await context.abort(code, "what happened: ü")

    edge.servicer.behaviour = fail
    expected = "canceled" if code is grpc.StatusCode.CANCELLED else code.name.lower()
    status, error = await edge.error(headers={"Content-Type": "application/proto"}, body=b"")
    assert (status, error) == (HTTP_STATUS[expected], {"code": expected, "message": "what happened: ü"})


def test_http_statuses_equal_those_of_the_protocol() -> None:
    by_status = {
        499: "canceled",
        500: "unknown internal data_loss",
        400: "invalid_argument failed_precondition out_of_range",
        504: "deadline_exceeded",
        404: "not_found",
        409: "already_exists aborted",
        403: "permission_denied",
        429: "resource_exhausted",
        501: "unimplemented",
        503: "unavailable",
        401: "unauthenticated",
    }
    assert {code: status for status, codes in by_status.items() for code in codes.split()} == HTTP_STATUS


async def test_error_details_are_sent_as_in_grpc_and_readable(edge: Edge) -> None:
    async def fail(request: pb.SyncCustomerRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.SyncCustomerResponse:
        status = status_pb2.Status(code=8, message="busy")
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason="RATE_EXCEEDED", domain="tillsync", metadata={"a": "b"}))
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(1200)
        status.details.add().Pack(retry)
        status.details.append(any_pb2.Any(type_url="type.googleapis.com/some.Unknown", value=b"\x01"))
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")

    edge.servicer.behaviour = fail
    status, headers, content = await edge.post()
    error = json.loads(content)
    assert (status, headers["retry-after"]) == (429, "2")
    info, retry, unknown = error["details"]
    assert info["type"] == "google.rpc.ErrorInfo"
    assert "=" not in info["value"]
    padded = info["value"] + "=" * (-len(info["value"]) % 4)
    assert error_details_pb2.ErrorInfo.FromString(base64.b64decode(padded)).reason == "RATE_EXCEEDED"
    assert info["debug"] == {"reason": "RATE_EXCEEDED", "domain": "tillsync", "metadata": {"a": "b"}}
    assert retry["debug"] == {"retryDelay": "1.200s"}
    assert unknown == {"type": "some.Unknown", "value": "AQ"}


async def test_unauthenticated_call_gets_www_authenticate(edge: Edge) -> None:
    async def fail(request: pb.SyncCustomerRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.SyncCustomerResponse:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

    edge.servicer.behaviour = fail
    status, headers, _ = await edge.post()
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="tillsync"')


async def test_unauthenticated_body_is_not_parsed(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing one megabyte of empty objects would block the event loop for seconds."""
    edge.door.refusal = Unauthenticated("this token is not known, or it has been revoked", reason="TOKEN_UNKNOWN")
    read: list[int] = []
    monkeypatch.setattr(_Codec, "read", lambda self, body, message: read.append(len(body)))
    body = b'{"orders": [' + b",".join([b"{}"] * 50_000) + b"]}"
    status, headers, content = await edge.post(MATCH, body, {**JSON, "Authorization": "Bearer wrong"})
    assert (status, headers["www-authenticate"], edge.door.authorizations) == (401, 'Bearer realm="tillsync"', ["Bearer wrong"])
    error = json.loads(content)
    assert (error["code"], error["details"][0]["debug"]["reason"]) == ("unauthenticated", "TOKEN_UNKNOWN")
    assert (read, edge.servicer.requests) == ([], [])


async def test_unavailable_database_makes_a_call_unavailable(edge: Edge) -> None:
    edge.door.refusal = ConnectionRefusedError()
    status, error = await edge.error()
    assert (status, error["code"], error["details"][0]["debug"]["reason"]) == (503, "unavailable", "DATABASE_UNAVAILABLE")


async def test_health_needs_no_token_and_accepts_only_a_small_body(edge: Edge) -> None:
    edge.door.refusal = Unauthenticated("no token", reason="TOKEN_MISSING")
    status, _, body = await edge.post(HEALTH)
    assert (status, json.loads(body)) == (200, {"status": "SERVING"})
    status, error = await edge.error(HEALTH, {"service": "x" * 5000})
    assert (status, error["details"][0]["debug"]["reason"]) == (400, "REQUEST_TOO_LARGE")
    assert edge.door.authorizations == []


async def test_big_message_is_parsed_in_a_thread(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[bool] = []
    original = _Codec.read

    def noting(self: _Codec, body: bytes, message: Any, **options: Any) -> None:
        threads.append(threading.current_thread() is threading.main_thread())
        original(self, body, message, **options)

    monkeypatch.setattr(_Codec, "read", noting)
    for account_id in ("shop-1", "x" * BIG_BYTES):
        assert (await edge.post(body={"accountId": account_id}))[0] == 200
    assert threads == [True, False]
    assert edge.servicer.requests[1].account_id == "x" * BIG_BYTES


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"{",
            b"[]",
            b"null",
            b'"x"',
            b"1",
            b"\xff",
            b"[" * 100_000,
            b'{"accountId": 5}',
            b'{"eposCustomerId": "x"}',
            b'{"eposCustomerId": 1e400}',
        ),
        *(
            b'{"eposCustomerId": 9223372036854775808}',
            b'{"priority": "LOUD"}',
            b'{"unknownField": 1}',
            b'{"eposCustomerId": ' + b"9" * 5000 + b"}",
        ),
        *(b'{"accountId": "a", "accountId": "b"}',),
    ],
    ids=lambda body: repr(body)[:40],
)
@pytest.mark.catches("only-bridges-send-unknown-fields")
async def test_invalid_json_is_malformed_body(edge: Edge, body: bytes) -> None:
    status, error = await edge.error(body=body)
    assert (status, error["code"]) == (400, "invalid_argument")
    assert "tillsync.v1.SyncCustomerRequest" in error["message"]
    assert error["details"][0]["debug"]["reason"] == "MALFORMED_BODY"
    assert edge.servicer.requests == []


BRIDGE = Caller(Role.SITE, AccountId("shop-1"), "token-2")


async def test_unknown_fields_of_a_newer_bridge_are_ignored(edge: Edge) -> None:
    edge.door.caller = BRIDGE
    status, headers, _ = await edge.post(body={"accountId": "shop-1", "eposCustomerId": "7", "tier": {"name": "Gold"}, "seen": [1]})
    assert (status, headers["tillsync-api"]) == (200, "3")
    [request] = edge.servicer.requests
    assert (request.account_id, request.epos_customer_id) == ("shop-1", 7)


@pytest.mark.parametrize("body", [b'{"priority": "LOUD", "tier": 1}', b'{"eposCustomerId": "x", "tier": 1}', b'{"tier": 1, "tier": 2}'])
async def test_unknown_values_of_a_bridge_are_refused(edge: Edge, body: bytes) -> None:
    edge.door.caller = BRIDGE
    status, headers, content = await edge.post(body=body)
    assert (status, json.loads(content)["code"], headers["tillsync-api"]) == (400, "invalid_argument", "3")
    assert edge.servicer.requests == []


@pytest.mark.parametrize(
    ("body", "named"), [(b'{"priority": "LOUD"}', "priority"), (b'{"eposCustomerId": "x"}', "eposCustomerId"), (b'{"wrong": 1}', "wrong")]
)
async def test_invalid_field_is_named(edge: Edge, body: bytes, named: str) -> None:
    assert named in (await edge.error(body=body))[1]["message"]


async def test_invalid_binary_is_refused(edge: Edge) -> None:
    status, error = await edge.error(body=b"\xff\xff\xff", headers={"Content-Type": "application/proto"})
    assert (status, error["code"]) == (400, "invalid_argument")


async def test_gzip_requests_are_accepted_and_other_encodings_refused(edge: Edge) -> None:
    body = gzip.compress(json.dumps({"accountId": "shop-1"}).encode())
    assert (await edge.post(body=body, headers={**JSON, "Content-Encoding": "gzip"}))[0] == 200
    assert edge.servicer.requests[0].account_id == "shop-1"
    assert (await edge.post(body=b"no gzip", headers={**JSON, "Content-Encoding": "gzip"}))[
        0
    ] == 400  # refused by aiohttp or by the service
    assert (await edge.error(body=b"x", headers={**JSON, "Content-Encoding": "snappy"}))[1]["code"] == "unimplemented"


async def test_too_large_bodies_are_refused_packed_and_unpacked(edge: Edge) -> None:
    large = json.dumps({"accountId": "x" * max_bytes(SYNC)}).encode()
    for body, headers in ((large, JSON), (gzip.compress(large), {**JSON, "Content-Encoding": "gzip"})):
        status, error = await edge.error(body=body, headers=headers)
        assert (status, error["code"], error["details"][0]["debug"]["reason"]) == (400, "invalid_argument", "REQUEST_TOO_LARGE")
    assert edge.servicer.requests == []


async def test_body_of_too_many_objects_is_refused(edge: Edge) -> None:
    """Parsing four megabytes of them would take ten seconds."""
    most = max_objects(MATCH)
    body = b'{"accountId": "shop-1", "orders": [' + b",".join([b"{}"] * most) + b"]}"
    status, error = await edge.error(MATCH, body)
    assert (status, error["details"][0]["debug"]["reason"]) == (400, "REQUEST_TOO_LARGE")
    assert f"at most {most} objects" in error["message"]


@pytest.mark.parametrize("path", ["/tillsync.v1.CustomerSyncService/Nothing", "/tillsync.v1.NoService/SyncCustomer", "/some.Other/Call"])
async def test_unknown_methods_are_unimplemented(edge: Edge, path: str) -> None:
    status, error = await edge.error(path)
    assert (status, error["code"]) == (501, "unimplemented")


async def test_streaming_methods_are_unimplemented(edge: Edge) -> None:
    status, error = await edge.error("/tillsync.v1.QueueService/WatchQueue")
    assert (status, error["code"]) == (501, "unimplemented")


async def test_only_post_is_allowed(edge: Edge) -> None:
    async with edge.session.get(edge.url + SYNC) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/tillsync", "/favicon.ico", "/a/b/c"])
async def test_other_paths_are_not_found(edge: Edge, path: str) -> None:
    async with edge.session.post(edge.url + path, data=b"{}", headers=JSON) as response:
        assert response.status == 404


async def test_disconnected_caller_cancels_the_call(edge: Edge) -> None:
    async def wait(request: pb.SyncCustomerRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.SyncCustomerResponse:
        await asyncio.Event().wait()
        raise AssertionError

    edge.servicer.behaviour = wait
    call = asyncio.create_task(edge.post())
    await edge.servicer.arrived.wait()
    call.cancel()
    await within(edge.servicer.cancelled.wait())


def test_every_unary_method_of_every_service_is_served() -> None:
    methods = rpc_methods()
    assert {path.split("/")[1] for path in methods} == {
        "grpc.health.v1.Health",
        *(
            f"tillsync.v1.{name}Service"
            for name in ("Account", "Bridge", "Catalog", "CustomerSync", "Diagnosis", "Link", "Privacy", "Queue")
        ),
    }
    assert [path for path, method in methods.items() if method.server_streaming] == [
        "/tillsync.v1.QueueService/WatchQueue",
        "/grpc.health.v1.Health/Watch",
    ]
