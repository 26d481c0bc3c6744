"""The gRPC server: addresses, TLS, health, reflection, channelz, internal errors and a bounded stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support.certificates import self_signed
from support.engine import EngineWorld, RecordingHandler
from support.grpc_server import STUBS, Refusal, an_order, grpc_world, match_request
from support.logs import captured_lines
from support.waiting import HANG_SECONDS, NEVER_SECONDS, until, within
from tillsync.v1 import catalog_service_pb2, diagnosis_service_pb2, queue_service_pb2
from tillsync.v1 import customer_sync_service_pb2 as sync_pb2
from tillsync_server.adapters.grpc import server as grpc_server_module
from tillsync_server.adapters.grpc.listening import GrpcSettings, InsecureListenError
from tillsync_server.adapters.tls.certificate_files import CertificateFiles
from tillsync_server.application.use_cases import order_matching
from tillsync_server.domain.enums import Role

pytestmark = pytest.mark.integration
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
LIST_SERVICES = reflection_pb2.ServerReflectionRequest(list_services="")


def stub_on(channel: grpc.aio.Channel, stub: Any) -> Any:
    """A stub of one of gRPC's own services. Their type stubs have no asynchronous channel."""
    return stub(channel)


async def list_services(channel: grpc.aio.Channel, metadata: Any = ()) -> set[str]:
    stub = stub_on(channel, reflection_pb2_grpc.ServerReflectionStub)
    async for answer in stub.ServerReflectionInfo(iter([LIST_SERVICES]), metadata=metadata, timeout=HANG_SECONDS):
        return {service.name for service in answer.list_services_response.service}
    raise AssertionError("no answer")


async def test_reflection_needs_a_token_of_any_role(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await list_services(api.channel)
        listed = await list_services(api.channel, await api.token(Role.SITE, "shop-a"))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert {f"tillsync.v1.{service}" for service in STUBS} | {"grpc.health.v1.Health"} <= listed


async def test_reflection_can_be_public(world: EngineWorld) -> None:
    async with grpc_world(world, GrpcSettings(listen="127.0.0.1:0", public_reflection=True)) as api:
        assert "tillsync.v1.CustomerSyncService" in await list_services(api.channel)


@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("tillsync.v1.CustomerSyncService", "customer_sync_service"),
        ("tillsync.v1.CustomerSyncService.SyncCustomer", "customer_sync_service"),
        ("tillsync.v1.SyncCustomerRequest", "customer_sync_service"),
        ("tillsync.v1.SyncCustomerRequest.account_id", "customer_sync_service"),
        ("tillsync.v1.OUTCOME_UPDATED", "vocabulary"),
        ("tillsync.v1.CustomerSyncService.Unknown", None),
        ("Unknown", None),
    ],
)
async def test_reflection_finds_services_methods_and_messages(world: EngineWorld, symbol: str, file: str | None) -> None:
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    async with grpc_world(world, GrpcSettings(listen="127.0.0.1:0", public_reflection=True)) as api:
        stub = stub_on(api.channel, reflection_pb2_grpc.ServerReflectionStub)
        [answer] = [answer async for answer in stub.ServerReflectionInfo(iter([request]), timeout=HANG_SECONDS)]
    found = [descriptor_pb2.FileDescriptorProto.FromString(each).name for each in answer.file_descriptor_response.file_descriptor_proto]
    if file is None:
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    else:
        assert found[0] == f"tillsync/v1/{file}.proto"


async def test_channelz_needs_an_admin_token(world: EngineWorld) -> None:
    async with grpc_world(world) as api:
        stub = stub_on(api.channel, channelz_pb2_grpc.ChannelzStub)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetServers(channelz_pb2.GetServersRequest(), metadata=await api.token(Role.SUPPORT), timeout=HANG_SECONDS)
        servers = await stub.GetServers(channelz_pb2.GetServersRequest(), metadata=await api.token(Role.ADMIN), timeout=HANG_SECONDS)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert servers.server


async def test_health_needs_no_token_and_follows_database_and_drain(world: EngineWorld) -> None:
    async with grpc_world(world) as api:
        health = stub_on(api.channel, health_pb2_grpc.HealthStub)
        for service in ("", "tillsync.v1.CustomerSyncService"):
            assert (await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=HANG_SECONDS)).status == SERVING
        acquire = world.database.acquire

        def gone(**_options: bool) -> object:
            raise ConnectionRefusedError

        watch = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=HANG_SECONDS)
        assert (await watch.read()).status == SERVING
        world.database.acquire = gone  # type: ignore[assignment,method-assign]
        assert (await watch.read()).status == NOT_SERVING
        world.database.acquire = acquire  # type: ignore[method-assign]
        assert (await watch.read()).status == SERVING
        await api.server.drain()
        assert (await watch.read()).status == NOT_SERVING
        watch.cancel()
        answer = await api.call("CatalogService/ListMessages", catalog_service_pb2.ListMessagesRequest(), await api.token(Role.ADMIN))
        assert answer.messages, "a draining server answers calls"


async def test_unimplemented_methods_answer_unimplemented(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        site = await api.token(Role.SITE, "shop-a")
        refused = await api.refusal("DiagnosisService/ExplainOrder", diagnosis_service_pb2.ExplainOrderRequest(), site)
        watch = api.stub("QueueService").WatchQueue(
            queue_service_pb2.WatchQueueRequest(account_id="shop-a"), metadata=site, timeout=HANG_SECONDS
        )
        with pytest.raises(grpc.aio.AioRpcError) as stream:
            await watch.read()
        foreign = await api.refusal("DiagnosisService/ExplainOrder", diagnosis_service_pb2.ExplainOrderRequest(account_id="shop-b"), site)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_YET_IMPLEMENTED")
    assert refused.message
    assert Refusal.of(stream.value).code is grpc.StatusCode.UNIMPLEMENTED
    assert foreign.code is grpc.StatusCode.PERMISSION_DENIED


async def test_malformed_message_is_an_invalid_argument(world: EngineWorld) -> None:
    async with grpc_world(world) as api:
        raw: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = api.channel.unary_unary("/tillsync.v1.CustomerSyncService/SyncCustomer")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await raw(b"\xff\xff\xff", metadata=await api.token(Role.SERVICE), timeout=HANG_SECONDS)
    assert Refusal.of(refused.value).reason == "MALFORMED_MESSAGE"
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_internal_error_shows_only_an_incident_number(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    with captured_lines() as lines:
        async with grpc_world(world) as api:
            personal = "@".join(("secret-of-a-customer", "example.test"))  # in two parts, because a traceback shows source lines

            async def broken(*_: object, **__: object) -> None:
                raise RuntimeError(personal)

            world.orders.get = broken  # type: ignore[method-assign,assignment]
            refused = await api.refusal(
                "CustomerSyncService/BatchGetOrderMatches",
                sync_pb2.BatchGetOrderMatchesRequest(account_id="shop-a", order_ids=[1]),
                await api.token(Role.SERVICE),
            )
            method = "/tillsync.v1.CustomerSyncService/BatchGetOrderMatches"
            await until(lambda: api.metrics.ended[method, "INTERNAL"] == 1, lambda: api.metrics.ended)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in refused.message
    [logged] = lines.of("call_failed")
    assert logged["incident"] == refused.metadata["incident"]
    assert "secret" not in lines.text


async def test_every_call_is_counted_with_its_code(world: EngineWorld) -> None:
    async with grpc_world(world) as api:
        await api.call("CatalogService/ListMessages", catalog_service_pb2.ListMessagesRequest(), await api.token(Role.ADMIN))
        await api.refusal("CatalogService/ListMessages", catalog_service_pb2.ListMessagesRequest())
        expected = {
            ("/tillsync.v1.CatalogService/ListMessages", "OK"): 1,
            ("/tillsync.v1.CatalogService/ListMessages", "UNAUTHENTICATED"): 1,
        }
        await until(lambda: api.metrics.ended == expected, lambda: api.metrics.ended)  # a call is counted after its answer is sent


async def test_deadline_ends_the_call_on_the_server(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    handler.gate(1042)
    async with grpc_world(world) as api, world.running(handler):
        service = await api.token(Role.SERVICE)

        async def read_forever(key: object, item: object) -> NoReturn:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("unreachable")

        # no read of the entry returns, so only the deadline can end the call
        api.matching._reading.submit = read_forever  # type: ignore[method-assign]
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service, timeout=0.5)
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        method = "/tillsync.v1.CustomerSyncService/MatchOrderCustomer"
        await until(lambda: api.metrics.ended[method, "CANCELLED"], lambda: api.metrics.ended)
        handler.gates[1042].set()


async def test_stop_is_bounded_while_a_call_hangs(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the stop, the call would end long after the test's limit."""
    monkeypatch.setattr(order_matching, "MAX_WAIT_SECONDS", NEVER_SECONDS)
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    gate = handler.gate(1042)
    async with grpc_world(world, GrpcSettings(listen="127.0.0.1:0", stop_grace_seconds=0.3)) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        call = asyncio.create_task(
            api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service, timeout=NEVER_SECONDS)
        )
        await handler.wait_for(lambda: handler.count(1042) == 1)
        await within(api.server.stop())
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call
        assert ended.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        gate.set()
    assert await world.fetch("SELECT 1 FROM order_match"), "the accepted order is stored"


async def test_idle_client_with_pings_keeps_its_connection(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC closes a connection at the third ping that the server does not allow."""
    monkeypatch.setattr(grpc_server_module, "_SHORTEST_PING_MS", 100)
    pings = (("grpc.keepalive_time_ms", 300), ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0))
    async with grpc_world(world) as api, grpc.aio.insecure_channel(f"127.0.0.1:{api.server.port}", options=pings) as channel:
        await within(channel.channel_ready())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):  # eight pings
                await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)


async def test_start_on_a_port_in_use_raises(world: EngineWorld) -> None:
    async with grpc_world(world) as api:
        with pytest.raises(RuntimeError):
            async with grpc_world(world, GrpcSettings(listen=f"127.0.0.1:{api.server.port}")):
                pass


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "10.1.2.3:50051", "till.example.test:50051"])
async def test_plain_text_beyond_loopback_is_refused(world: EngineWorld, address: str) -> None:
    with pytest.raises(InsecureListenError):
        async with grpc_world(world, GrpcSettings(listen=address)):
            pass


async def test_allow_plaintext_permits_plain_text_beyond_loopback(world: EngineWorld) -> None:
    async with grpc_world(world, GrpcSettings(listen="0.0.0.0:0", allow_plaintext=True)) as api:
        assert api.server.port


async def test_server_with_certificate_files_speaks_only_tls(world: EngineWorld, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    settings = GrpcSettings(listen="0.0.0.0:0", certificate=CertificateFiles(certificate, key))
    async with grpc_world(world, settings) as api:
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        async with grpc.aio.secure_channel(f"127.0.0.1:{api.server.port}", credentials) as channel:
            answer = await STUBS["CatalogService"](channel).ListMessages(
                catalog_service_pb2.ListMessagesRequest(), metadata=await api.token(Role.ADMIN), timeout=HANG_SECONDS
            )
        assert answer.messages
        with pytest.raises(grpc.aio.AioRpcError):  # the world's own channel speaks plain text
            await api.call("CatalogService/ListMessages", catalog_service_pb2.ListMessagesRequest(), await api.token(Role.ADMIN), timeout=3)


async def test_certificate_without_its_key_is_refused(world: EngineWorld, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    key.unlink()
    with pytest.raises(ValueError, match="TILLSYNC_TLS_KEY_FILE"):
        async with grpc_world(world, GrpcSettings(listen="127.0.0.1:0", certificate=CertificateFiles(certificate, key))):
            pass
