"""The gRPC server with our services, health, reflection and channelz. It runs in the running loop, and its stop is bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import structlog
from grpc_channelz.v1 import channelz, channelz_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from tillsync.v1 import (
    account_service_pb2_grpc,
    bridge_service_pb2_grpc,
    catalog_service_pb2_grpc,
    customer_sync_service_pb2_grpc,
    diagnosis_service_pb2_grpc,
    link_service_pb2_grpc,
    privacy_service_pb2_grpc,
    queue_service_pb2_grpc,
)

from tillsync_server.adapters.grpc.access import ADMIN_ONLY
from tillsync_server.adapters.grpc.listening import GrpcSettings, credentials_of
from tillsync_server.adapters.grpc.message_limits import MAX_RECEIVED_BYTES
from tillsync_server.adapters.grpc.methods import UnaryMethod, method_of
from tillsync_server.adapters.grpc.reflection import reflection_servicer
from tillsync_server.adapters.grpc.served_calls import ServedCalls
from tillsync_server.adapters.grpc.servicers.catalog import CatalogServicer
from tillsync_server.adapters.grpc.servicers.unbuilt import DiagnosisServicer
from tillsync_server.adapters.grpc.wire import GrpcHandlers
from tillsync_server.application.concurrency.recurring import Recurring, without_due_time
from tillsync_server.domain.enums import Role

_LOG = structlog.get_logger(__name__)
_HEALTH_SECONDS = 2.0
_SHORTEST_PING_MS = 10_000
"""gRPC closes the connection of an idle client that pings more often (too_many_pings)."""
_STREAMS_OF_CONNECTION = 256
"""Concurrent calls of one connection. Its client keeps further calls back, so calls on other connections do not wait for them."""
_ENDED_STREAMS = 10_000
"""Answered calls of one connection that gRPC has not freed yet. Without this option gRPC refuses new calls once they exceed the streams."""
_PENDING_CALLS = 100_000
"""Calls that have arrived and wait for their handler. gRPC's default cancels those above a thousand. The limits of connections and streams
bound them already."""
_HANDSHAKE_MS = 5_000
"""Time from the connection to the caller's HTTP/2 settings, TLS included. gRPC closes a connection that stays silent."""
_IDLE_MS = 30_000
"""gRPC asks a connection to end (GOAWAY) after this time without a call. The client's next call opens another connection."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcServices:
    """The servicers that composition makes from use cases. GrpcServer makes the servicers that need none."""

    customer_sync: customer_sync_service_pb2_grpc.CustomerSyncServiceServicer
    queue: queue_service_pb2_grpc.QueueServiceServicer
    link: link_service_pb2_grpc.LinkServiceServicer
    account: account_service_pb2_grpc.AccountServiceServicer
    privacy: privacy_service_pb2_grpc.PrivacyServiceServicer
    bridge: bridge_service_pb2_grpc.BridgeServiceServicer


class _Registrar:
    """Replaces the server when generated code registers a servicer, and routes each method through the one path of calls.

    Methods are never *registered* with gRPC itself. Its asyncio server then keeps one pending call for each method and waits on all of them
    at every call. With our methods that costs a third of the throughput.
    """

    def __init__(self, calls: ServedCalls) -> None:
        self._calls = calls
        self._handlers = GrpcHandlers(calls)
        self._roles: frozenset[Role] | None = None
        self._is_open = False
        self.services: dict[str, dict[str, Any]] = {}
        """Handlers by service and method."""

    def for_callers(self, roles: frozenset[Role] | None = None, *, is_open: bool = False) -> Any:
        """Sets the callers of the services that are registered next and are outside the contract. ``roles`` may call them (None: every
        valid token); ``is_open`` admits callers without a token."""
        self._roles, self._is_open = roles, is_open
        return self

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Does nothing. Generated code registers each service twice, and only add_registered_method_handlers names the methods."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self.services[service] = {name: self._handler_of(service, name, handler) for name, handler in handlers.items()}

    def _handler_of(self, service: str, name: str, handler: Any) -> Any:
        ended = self._calls.metrics.of_method(f"/{service}/{name}")
        method = method_of(service, name, ended, roles=self._roles, is_open=self._is_open)
        if handler.unary_unary is None:
            return self._handlers.stream(method, handler)
        unary = UnaryMethod(
            method=method, parse=handler.request_deserializer, behaviour=handler.unary_unary, serialize=handler.response_serializer
        )
        self._calls.unary[method.path] = unary
        return self._handlers.unary(unary)


class GrpcServer:
    """Serves gRPC. ``database_answers`` returns whether the database answers now, and never raises. Health follows it."""

    def __init__(
        self,
        services: GrpcServices,
        calls: ServedCalls,
        settings: GrpcSettings,
        *,
        database_answers: Callable[[], Awaitable[bool]],
    ) -> None:
        self._calls = calls
        self._settings = settings
        self._database_answers = database_answers
        self._health = health.aio.HealthServicer()
        self._handlers, contract = self._registered(services)
        self._service_names = ["", *contract]
        self._server: grpc.aio.Server | None = None
        self._health_checks = Recurring("grpc-health", without_due_time(self._check_health), seconds=_HEALTH_SECONDS, database_gone=())
        self.port = 0
        """TCP port of the started server."""

    async def start(self) -> None:
        """Listens and serves. Raises InsecureListenError, OSError (files), RuntimeError (an address that cannot be bound)."""
        credentials = credentials_of(self._settings)
        server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", 0),  # a second process on the same port fails loudly
                ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),  # gRPC also applies it while it inflates a request
                ("grpc.http2.bdp_probe", 0),  # disabled, so that unread data stays below 64 kB a call on lines of any speed
                ("grpc.max_concurrent_streams", _STREAMS_OF_CONNECTION),
                ("grpc.http2.max_deallocating_streams", _ENDED_STREAMS),
                ("grpc.server.max_pending_requests", _PENDING_CALLS),
                ("grpc.server.max_pending_requests_hard_limit", _PENDING_CALLS),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_permit_without_calls", 1),
                # gRPC's header names it GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS; gRPC ignores options of unknown names
                ("grpc.http2.min_ping_interval_without_data_ms", _SHORTEST_PING_MS),
                ("grpc.max_allowed_incoming_connections", self._settings.max_connections),
                ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
                ("grpc.max_connection_idle_ms", _IDLE_MS),
            ),
        )
        for service, handlers in self._handlers.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        if credentials is None:
            self.port = server.add_insecure_port(self._settings.listen)
        else:
            self.port = server.add_secure_port(self._settings.listen, credentials)
        await self._check_health()
        await server.start()
        self._server = server
        self._health_checks.start()
        _LOG.info("grpc_listening", address=self._settings.listen, port=self.port, tls=credentials is not None)

    async def drain(self) -> None:
        """Sets health to NOT_SERVING for good. The server still serves calls."""
        await self._health.enter_graceful_shutdown()

    async def stop(self) -> None:
        """Drains, refuses new calls, gives calls under way their grace, and ends. Bounded in time. Call it before the pool closes."""
        await self.drain()
        await self._health_checks.stop()
        if self._server is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.stop_grace_seconds + 5):
                    await self._server.stop(self._settings.stop_grace_seconds)
            self._server = None

    def _registered(self, services: GrpcServices) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """Returns the handlers by service and method, and the names of the contract's services."""
        registrar = _Registrar(self._calls)
        ours = registrar.for_callers()
        customer_sync_service_pb2_grpc.add_CustomerSyncServiceServicer_to_server(services.customer_sync, ours)
        queue_service_pb2_grpc.add_QueueServiceServicer_to_server(services.queue, ours)
        link_service_pb2_grpc.add_LinkServiceServicer_to_server(services.link, ours)
        account_service_pb2_grpc.add_AccountServiceServicer_to_server(services.account, ours)
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogServicer(), ours)
        diagnosis_service_pb2_grpc.add_DiagnosisServiceServicer_to_server(DiagnosisServicer(), ours)
        privacy_service_pb2_grpc.add_PrivacyServiceServicer_to_server(services.privacy, ours)
        bridge_service_pb2_grpc.add_BridgeServiceServicer_to_server(services.bridge, ours)
        contract = list(registrar.services)
        channelz_pb2_grpc.add_ChannelzServicer_to_server(channelz.aio.ChannelzServicer(), registrar.for_callers(ADMIN_ONLY))
        listed = (*registrar.services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, registrar.for_callers(is_open=True))
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call]
            reflection_servicer(listed), registrar.for_callers(is_open=self._settings.public_reflection)
        )
        return registrar.services, contract

    async def _check_health(self) -> None:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                answers = await self._database_answers()
        except TimeoutError:
            answers = False
        for service in self._service_names:
            await self._health.set(service, _SERVING if answers else _NOT_SERVING)
