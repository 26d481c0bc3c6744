"""A complete gRPC server in this process, on the real stores of a test database, with a channel for each role."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from support.engine import EngineWorld
from support.waiting import HANG_SECONDS, within
from tillsync.v1 import (
    account_service_pb2_grpc,
    bridge_service_pb2_grpc,
    catalog_service_pb2_grpc,
    customer_sync_service_pb2,
    customer_sync_service_pb2_grpc,
    diagnosis_service_pb2_grpc,
    link_service_pb2_grpc,
    order_pb2,
    privacy_service_pb2_grpc,
    queue_service_pb2_grpc,
)
from tillsync_server.adapters.grpc.call_places import CallLimits, CallPlaces
from tillsync_server.adapters.grpc.listening import GrpcSettings
from tillsync_server.adapters.grpc.methods import CallEnded
from tillsync_server.adapters.grpc.served_calls import ServedCalls
from tillsync_server.adapters.grpc.server import GrpcServer, GrpcServices
from tillsync_server.adapters.grpc.servicers.customer_sync import CustomerSyncServicer
from tillsync_server.adapters.grpc.servicers.queue import QueueServicer
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.maintenance.db_health import DatabaseHealth
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.adapters.postgres.tokens.token_store import PostgresTokens
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.use_cases.admission import Admission, AdmissionSettings
from tillsync_server.application.use_cases.authentication import Authenticator
from tillsync_server.application.use_cases.known_accounts import KnownAccounts
from tillsync_server.application.use_cases.order_matching import OrderMatching
from tillsync_server.application.use_cases.queue_listing import QueueListing
from tillsync_server.application.use_cases.queue_work import QueueWork
from tillsync_server.application.use_cases.sync_requests import SyncRequests
from tillsync_server.domain.enums import Role
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Token, new_token_id, new_token_secret, token_hash

STUBS: dict[str, Callable[[grpc.aio.Channel], Any]] = {
    "CustomerSyncService": customer_sync_service_pb2_grpc.CustomerSyncServiceStub,
    "QueueService": queue_service_pb2_grpc.QueueServiceStub,
    "LinkService": link_service_pb2_grpc.LinkServiceStub,
    "AccountService": account_service_pb2_grpc.AccountServiceStub,
    "CatalogService": catalog_service_pb2_grpc.CatalogServiceStub,
    "DiagnosisService": diagnosis_service_pb2_grpc.DiagnosisServiceStub,
    "PrivacyService": privacy_service_pb2_grpc.PrivacyServiceStub,
    "BridgeService": bridge_service_pb2_grpc.BridgeServiceStub,
}


@dataclass
class RecordingMetrics:
    """Implements CallMetrics."""

    ended: Counter[tuple[str, str]] = field(default_factory=Counter)

    def of_method(self, method: str) -> CallEnded:
        def ended(code: str, seconds: float) -> None:
            assert seconds >= 0
            self.ended[method, code] += 1

        return ended


@dataclass
class GrpcWorld:
    engine: EngineWorld
    server: GrpcServer
    channel: grpc.aio.Channel
    tokens: PostgresTokens
    metrics: RecordingMetrics
    authenticator: Authenticator
    matching: OrderMatching

    def stub(self, service: str = "CustomerSyncService") -> Any:
        return STUBS[service](self.channel)

    async def token(self, role: Role, account: str | None = None) -> tuple[tuple[str, str]]:
        """Metadata of a new token."""
        secret = new_token_secret()
        token = Token(
            token_id=new_token_id(),
            role=role,
            account_id=None if account is None else AccountId(account),
            name="test",
            create_time=datetime.now(UTC),
        )
        await self.tokens.create(token, token_hash(secret))
        return (("authorization", f"Bearer {secret}"),)

    async def call(self, method: str, request: Message, metadata: Sequence[tuple[str, str]] = (), timeout: float = HANG_SECONDS) -> Any:
        """``method``: ``Service/Method``. Raises grpc.aio.AioRpcError."""
        service, _, name = method.partition("/")
        return await getattr(self.stub(service), name)(request, metadata=tuple(metadata), timeout=timeout)

    async def refusal(self, method: str, request: Message, metadata: Sequence[tuple[str, str]] = ()) -> Refusal:
        """Makes a call that must fail, and returns its error."""
        try:
            answer = await self.call(method, request, metadata)
        except grpc.aio.AioRpcError as error:
            return Refusal.of(error)
        raise AssertionError(f"{method} was answered: {answer}")


@dataclass(frozen=True)
class Refusal:
    """An error as a client gets it, with its details unpacked."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: dict[str, str]
    """Field violations."""
    retry_seconds: float | None

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Refusal:
        status: Any = rpc_status.from_call(cast(grpc.Call, error))  # the type stubs have only the synchronous call
        assert status is not None, f"no rich status: {error.code()} {error.details()}"
        return cls.from_status(status)

    @classmethod
    def from_status(cls, status: status_pb2.Status) -> Refusal:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        retry_seconds = None
        for detail in status.details:
            if detail.Unpack(info):
                assert info.domain == "tillsync"
            detail.Unpack(bad)
            if detail.Unpack(retry):
                retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()
        [code] = [code for code in grpc.StatusCode if code.value[0] == status.code]
        fields = {violation.field: violation.description for violation in bad.field_violations}
        return cls(code, status.message, info.reason, dict(info.metadata), fields, retry_seconds)


ServicerT = TypeVar("ServicerT")


def unimplemented(servicer: Callable[[], ServicerT]) -> ServicerT:
    """Makes a generated servicer whose methods answer UNIMPLEMENTED unless overridden. Only its type stub is abstract."""
    return servicer()


@asynccontextmanager
async def grpc_world(
    engine: EngineWorld,
    settings: GrpcSettings | None = None,
    admission: AdmissionSettings | None = None,
    max_waiters_per_account: int = 200,
    link: link_service_pb2_grpc.LinkServiceServicer | None = None,
    account: account_service_pb2_grpc.AccountServiceServicer | None = None,
    privacy: privacy_service_pb2_grpc.PrivacyServiceServicer | None = None,
    bridge: bridge_service_pb2_grpc.BridgeServiceServicer | None = None,
    limits: CallLimits | None = None,
) -> AsyncIterator[GrpcWorld]:
    """``settings.listen`` should have port 0. The link and account servicers are the contract's empty ones by default."""
    database, notifications = engine.database, engine.notifications
    reader = PostgresQueueReader(database)
    tokens = PostgresTokens(database, notifications)
    admitting = Admission(reader, admission)
    enqueuer = Enqueuer(engine.hints)
    matching = OrderMatching(
        engine.orders, engine.orders, reader, admitting, notifications, max_waiters_per_account=max_waiters_per_account
    )
    metrics = RecordingMetrics()
    authenticator = Authenticator(tokens, notifications)
    calls = ServedCalls(
        authenticator, KnownAccounts(reader), metrics, database_gone=DATABASE_GONE, places=CallPlaces(limits or CallLimits())
    )
    server = GrpcServer(
        GrpcServices(
            customer_sync=CustomerSyncServicer(SyncRequests(enqueuer, admitting), matching, QueueListing(reader)),
            queue=QueueServicer(QueueWork(reader, PostgresQueueActions(database, notifications))),
            link=link or unimplemented(link_service_pb2_grpc.LinkServiceServicer),
            account=account or unimplemented(account_service_pb2_grpc.AccountServiceServicer),
            privacy=privacy or unimplemented(privacy_service_pb2_grpc.PrivacyServiceServicer),
            bridge=bridge or unimplemented(bridge_service_pb2_grpc.BridgeServiceServicer),
        ),
        calls,
        settings or GrpcSettings(listen="127.0.0.1:0", stop_grace_seconds=1.0),
        database_answers=DatabaseHealth(database).answers,
    )
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
    try:
        yield GrpcWorld(engine, server, channel, tokens, metrics, authenticator, matching)
    finally:
        await channel.close()
        await server.stop()
        await within(matching.close())
        await enqueuer.close()
        await authenticator.close()


def an_order(order_id: int = 1042, **fields: Any) -> order_pb2.Order:
    """A valid order of a shop customer. ``fields`` replace its fields."""
    order = order_pb2.Order(
        order_id=order_id,
        order_key=hashlib.sha256(f"wc_order_{order_id}".encode()).hexdigest(),
        order_number=str(order_id),
        woo_customer_id=12,
        account_email="ada@example.test",
        billing_email="ada@example.test",
        first_name="Ada",
        last_name="Byron",
    )
    order.create_time.FromDatetime(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    for name, value in fields.items():
        setattr(order, name, value)
    return order


def match_request(account: str, order: order_pb2.Order, **fields: Any) -> customer_sync_service_pb2.MatchOrderCustomerRequest:
    return customer_sync_service_pb2.MatchOrderCustomerRequest(account_id=account, order=order, **fields)
