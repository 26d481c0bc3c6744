"""The servers of a process: gRPC, Connect and webhooks. A process that only works does not import them, because gRPC takes 14 MB."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tillsync_server.adapters.grpc.listening import GrpcSettings, InsecureListenError
from tillsync_server.adapters.grpc.served_calls import ServedCalls
from tillsync_server.adapters.grpc.server import GrpcServer, GrpcServices
from tillsync_server.adapters.grpc.servicers.account import AccountServicer
from tillsync_server.adapters.grpc.servicers.bridge import BridgeServicer
from tillsync_server.adapters.grpc.servicers.customer_sync import CustomerSyncServicer
from tillsync_server.adapters.grpc.servicers.link import LinkServicer
from tillsync_server.adapters.grpc.servicers.privacy import PrivacyServicer
from tillsync_server.adapters.grpc.servicers.queue import QueueServicer
from tillsync_server.adapters.http.app import HttpSide
from tillsync_server.adapters.http.connect import ConnectHandler
from tillsync_server.adapters.http.probes import Probes
from tillsync_server.adapters.http.webhook import WebhookReceiver
from tillsync_server.adapters.http_client import AllowedHosts
from tillsync_server.adapters.postgres.accounts.seen_bridges import PostgresSeenBridges
from tillsync_server.adapters.postgres.accounts.subject_accounts import PostgresSubjectAccounts
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.encryption.page_token_sealer import PageTokenSealer
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.maintenance.db_health import DatabaseHealth
from tillsync_server.adapters.postgres.orders.order_intake import PostgresOrderIntake
from tillsync_server.adapters.postgres.privacy.privacy_store import PostgresPrivacy
from tillsync_server.adapters.postgres.queues.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.adapters.postgres.tills.sales import PostgresSales
from tillsync_server.adapters.tls.certificate_files import CertificateFiles
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.engine.worker import Worker
from tillsync_server.application.use_cases.account_check import AccountCheck
from tillsync_server.application.use_cases.account_settings import AccountSettings
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.application.use_cases.authentication import Authenticator
from tillsync_server.application.use_cases.bridge_sightings import BridgeSightings
from tillsync_server.application.use_cases.bridge_updates import BridgeUpdates
from tillsync_server.application.use_cases.known_accounts import KnownAccounts
from tillsync_server.application.use_cases.link_decisions import LinkDecisions
from tillsync_server.application.use_cases.order_matching import OrderMatching
from tillsync_server.application.use_cases.outbox_drains import OutboxDrains
from tillsync_server.application.use_cases.person_resolution import PersonResolver
from tillsync_server.application.use_cases.privacy import Privacy
from tillsync_server.application.use_cases.queue_listing import QueueListing
from tillsync_server.application.use_cases.queue_work import QueueWork
from tillsync_server.application.use_cases.shop_connection import ShopConnection
from tillsync_server.application.use_cases.shop_users import ShopUserReports
from tillsync_server.application.use_cases.site_settings import SiteSettings
from tillsync_server.application.use_cases.sync_requests import SyncRequests
from tillsync_server.application.use_cases.till_hints import TillHints
from tillsync_server.application.use_cases.till_lookup import TillLookup
from tillsync_server.application.use_cases.token_service import TokenService
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.open_files import ConnectionLimits, open_files
from tillsync_server.composition.wiring import Wiring


class OnStop(Protocol):
    def __call__(self, name: str, step: Callable[[], Awaitable[object]], *, seconds: float = ...) -> None: ...


class Servers:
    """Makes and starts the servers. ``worker``: the worker of this process, which leases the lanes that hints and orders wake. ``on_stop``
    registers the step that stops each started part."""

    def __init__(
        self,
        wiring: Wiring,
        worker: Worker | None,
        db_health: DatabaseHealth,
        probes: Probes,
        *,
        certificate: CertificateFiles | None,
        on_stop: OnStop,
    ) -> None:
        self._settings = settings = wiring.settings
        self._on_stop = on_stop
        components = _components(wiring, worker)
        on_stop("enqueuer", components.enqueuer.close)
        on_stop("authenticator", components.authenticator.close)
        on_stop("orders", components.orders.close)
        on_stop("bridge sightings", components.sightings.close)
        on_stop("outbox drains", components.drains.close)
        on_stop("webhooks", components.webhooks.close)
        limits = ConnectionLimits.of(open_files())
        self._grpc = GrpcServer(
            components.services,
            components.calls,
            GrpcSettings(
                listen=str(settings.grpc_listen),
                certificate=certificate,
                allow_plaintext=settings.allow_plaintext,
                public_reflection=settings.public_reflection,
                max_connections=limits.grpc,
                stop_grace_seconds=settings.drain_seconds,
            ),
            database_answers=db_health.answers,
        )
        self.http_side = HttpSide(
            settings.http_listen.host,
            settings.http_listen.port,
            *(ConnectHandler(components.calls, site_called=components.sightings.called), components.webhooks, probes),
            ssl_context=None if certificate is None else certificate.https_context(),
            grace_seconds=settings.drain_seconds,
            max_connections=limits.http,
            on_limit=lambda limit: wiring.limits.hit(f"{limit} of HTTP"),
        )
        """The HTTP side, which the service starts after gRPC."""

    async def start_grpc(self) -> int:
        """Starts gRPC and returns its port. Raises StartError."""
        settings = self._settings
        try:
            await self._grpc.start()
        except (InsecureListenError, OSError, RuntimeError, ValueError) as error:
            raise StartError(f"gRPC cannot listen on {settings.grpc_listen} (is the port taken?): {error}") from error
        self._on_stop("grpc", self._grpc.stop, seconds=settings.longest_drain_seconds)
        return self._grpc.port

    async def drain(self) -> None:
        await self._grpc.drain()


@dataclass(frozen=True, slots=True)
class _Components:
    """Components of the servers. All except ``services`` and ``calls`` are closed when the servers stop."""

    services: GrpcServices
    calls: ServedCalls
    webhooks: WebhookReceiver
    enqueuer: Enqueuer
    orders: OrderMatching
    authenticator: Authenticator
    sightings: BridgeSightings
    drains: OutboxDrains


def _components(wiring: Wiring, worker: Worker | None) -> _Components:
    settings, database, notifier = wiring.settings, wiring.database, wiring.notifier
    queues = PostgresQueueReader(database)
    offer = None if worker is None else worker.offer
    intake = PostgresOrderIntake(database, notifier, offer)
    enqueuer = Enqueuer(PostgresHintStore(database, notifier, offer))
    admission = Admission(queues, settings.admission())
    sync = SyncRequests(enqueuer, admission)
    orders = OrderMatching(intake, intake, queues, admission, wiring.wakeups)
    lookup = TillLookup(wiring.accounts, wiring.tills, wiring.links)
    writer = PostgresLinkWriter(database, notifier)
    warnings = wiring.warnings
    persons = PostgresPrivacy(database, notifier)
    authenticator = Authenticator(wiring.tokens, wiring.wakeups)
    seen_bridges = PostgresSeenBridges(database)
    drains = OutboxDrains(wiring.accounts, wiring.shops, database_gone=DATABASE_GONE)
    services = GrpcServices(
        customer_sync=CustomerSyncServicer(sync, orders, QueueListing(queues)),
        queue=QueueServicer(QueueWork(queues, PostgresQueueActions(database, notifier))),
        link=LinkServicer(LinkDecisions(wiring.accounts, wiring.links, writer, queues, lookup), ShopUserReports(writer)),
        privacy=PrivacyServicer(
            Privacy(
                persons,
                wiring.accounts,
                PersonResolver(persons, lookup, wiring.shops, wiring.shops),
                PageTokenSealer(wiring.secret_box),
            )
        ),
        account=AccountServicer(
            AccountSettings(wiring.accounts, warnings, plain_http_allowed=named_by_operator(settings.hosts(serves=True))),
            SiteSettings(wiring.accounts, lookup),
            AccountCheck(wiring.accounts, wiring.tills, wiring.shops, wiring.knowledge, wiring.accounts, warnings),
            ShopConnection(wiring.accounts, wiring.shops, wiring.tokens),
            TokenService(wiring.tokens, wiring.accounts, public_url=settings.public_url),
        ),
        bridge=BridgeServicer(BridgeUpdates(wiring.bridge_releases, seen_bridges), drains),
    )
    return _Components(
        services=services,
        calls=ServedCalls(authenticator, KnownAccounts(queues), wiring.metrics, database_gone=DATABASE_GONE, limit_hit=wiring.limits.hit),
        webhooks=WebhookReceiver(
            wiring.accounts,
            TillHints(
                PostgresSubjectAccounts(database),
                PostgresSales(database, notifier, till_share=settings.till_share),
                enqueuer,
                admission,
            ),
            wiring.wakeups,
            database_gone=DATABASE_GONE,
            observe=wiring.metrics.webhook_received,
        ),
        enqueuer=enqueuer,
        orders=orders,
        authenticator=authenticator,
        sightings=BridgeSightings(seen_bridges),
        drains=drains,
    )


def named_by_operator(allowed: AllowedHosts) -> Callable[[str, int], bool]:
    """Returns a predicate of a till's host and port: whether the operator named them. Plain http is allowed there, because a named host is
    in the operator's own network."""

    def is_named(host: str, port: int) -> bool:
        name = host.lower().rstrip(".")
        if name in allowed.hosts or (name, port) in allowed.host_ports:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return any(address.version == network.version and address in network for network in allowed.networks)

    return is_named
