"""Everything joined: stores, gateways, use cases, servicers. Nothing here starts; `service` does that, in order."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from tillsync_server.adapters.epos.gateway import EposGateway
from tillsync_server.adapters.epos.settings import EposAdapterSettings
from tillsync_server.adapters.grpc.interceptor import Interceptor
from tillsync_server.adapters.grpc.server import GrpcServices
from tillsync_server.adapters.grpc.servicers.account import AccountServicer
from tillsync_server.adapters.grpc.servicers.customer_sync import CustomerSyncServicer
from tillsync_server.adapters.grpc.servicers.link import LinkServicer
from tillsync_server.adapters.grpc.servicers.privacy import PrivacyServicer
from tillsync_server.adapters.grpc.servicers.queue import QueueServicer
from tillsync_server.adapters.http.webhook import WebhookReceiver
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.outbound import AllowedHosts, OutboundHttp
from tillsync_server.adapters.postgres.account_warnings import PostgresAccountWarnings
from tillsync_server.adapters.postgres.accounts import PostgresAccounts
from tillsync_server.adapters.postgres.email_rekey import PostgresEmailRekey
from tillsync_server.adapters.postgres.events import PostgresEvents
from tillsync_server.adapters.postgres.hints import PostgresHintStore
from tillsync_server.adapters.postgres.history import PostgresHistory
from tillsync_server.adapters.postgres.intents import PostgresIntents
from tillsync_server.adapters.postgres.lane_store import PostgresLaneStore
from tillsync_server.adapters.postgres.link_keeper import PostgresLinkKeeper
from tillsync_server.adapters.postgres.links import PostgresLinks
from tillsync_server.adapters.postgres.order_intake import PostgresOrderIntake
from tillsync_server.adapters.postgres.order_linker import PostgresOrderLinker
from tillsync_server.adapters.postgres.page_token_sealer import PageTokenSealer
from tillsync_server.adapters.postgres.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.privacy import PostgresPrivacy
from tillsync_server.adapters.postgres.queue_actions import PostgresQueueActions
from tillsync_server.adapters.postgres.queue_reader import PostgresQueueReader
from tillsync_server.adapters.postgres.requeue import PostgresRequeue
from tillsync_server.adapters.postgres.sales import PostgresSales
from tillsync_server.adapters.postgres.shop_state import PostgresShopState
from tillsync_server.adapters.postgres.side_history import PostgresSideHistory
from tillsync_server.adapters.postgres.subject_accounts import PostgresSubjectAccounts
from tillsync_server.adapters.postgres.till_budget import PostgresTillBudget
from tillsync_server.adapters.postgres.till_knowledge import PostgresTillKnowledge
from tillsync_server.adapters.postgres.tokens import PostgresTokens
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.engine.worker import Worker
from tillsync_server.application.events.sender import EventSender
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.use_cases.account_check import AccountCheck
from tillsync_server.application.use_cases.account_settings import AccountSettings
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.application.use_cases.authentication import Authenticator
from tillsync_server.application.use_cases.known_accounts import KnownAccounts
from tillsync_server.application.use_cases.link_decisions import LinkDecisions
from tillsync_server.application.use_cases.order_matching import OrderMatching
from tillsync_server.application.use_cases.person_resolution import PersonResolver
from tillsync_server.application.use_cases.privacy import Privacy
from tillsync_server.application.use_cases.queue_listing import QueueListing
from tillsync_server.application.use_cases.queue_work import QueueWork
from tillsync_server.application.use_cases.sale_reading import SaleReading
from tillsync_server.application.use_cases.shop_connection import ShopConnection
from tillsync_server.application.use_cases.shop_users import ShopUserReports
from tillsync_server.application.use_cases.site_settings import SiteSettings
from tillsync_server.application.use_cases.sync_requests import SyncRequests
from tillsync_server.application.use_cases.till_hints import TillHints
from tillsync_server.application.use_cases.till_lookup import TillLookup
from tillsync_server.application.use_cases.token_desk import TokenDesk
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import Storage


@dataclass(frozen=True, slots=True)
class ServerComponents:
    """What the servers of a process consist of. ``enqueuer``, ``orders`` and ``authenticator`` are closed when the servers stop."""

    services: GrpcServices
    interceptor: Interceptor
    webhooks: WebhookReceiver
    enqueuer: Enqueuer
    orders: OrderMatching
    authenticator: Authenticator


@dataclass(frozen=True, slots=True)
class WorkerComponents:
    """What the worker of a process consists of, with its recurring work. ``sale_hints`` is closed when the worker stops."""

    worker: Worker
    requeue: PostgresRequeue
    email_rekey: PostgresEmailRekey
    history: PostgresHistory
    events: EventSender
    sales: SaleReading
    sale_hints: Enqueuer


class Wiring:
    """Inside the running loop, on a started ``storage``. ``http`` is the way out, shared by both sides."""

    def __init__(self, settings: ServiceSettings, storage: Storage, http: OutboundHttp, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._wakeups = storage.notifications
        database, notifier = storage.database, storage.notifications
        self._database, self._notifier = database, notifier
        self._secret_box = storage.secret_box
        self.tokens = PostgresTokens(database, notifier)
        self._accounts = PostgresAccounts(database, storage.secret_box, notifier)
        self._links = PostgresLinks(database)
        self._knowledge = PostgresTillKnowledge(database)
        budget = PostgresTillBudget(database, share=settings.till_share)
        self._tills = EposGateway(http, budget, EposAdapterSettings(timeout_seconds=settings.till_timeout_seconds))
        self._warnings = PostgresAccountWarnings(database)
        self._shops = WooGateway(http, WooAdapterSettings(timeout_seconds=settings.shop_timeout_seconds), warnings=self._warnings)

    def server_components(self) -> ServerComponents:
        settings, database, notifier = self._settings, self._database, self._notifier
        queues = PostgresQueueReader(database)
        intake = PostgresOrderIntake(database, notifier)
        enqueuer = Enqueuer(PostgresHintStore(database, notifier))
        admission = Admission(queues, settings.admission())
        sync = SyncRequests(enqueuer, admission)
        orders = OrderMatching(intake, intake, queues, admission, self._wakeups)
        lookup = TillLookup(self._accounts, self._tills, self._links)
        keeper = PostgresLinkKeeper(database, notifier)
        warnings = self._warnings
        persons = PostgresPrivacy(database, notifier)
        authenticator = Authenticator(self.tokens, self._wakeups)
        services = GrpcServices(
            customer_sync=CustomerSyncServicer(sync, orders, QueueListing(queues)),
            queue=QueueServicer(QueueWork(queues, PostgresQueueActions(database, notifier))),
            link=LinkServicer(LinkDecisions(self._accounts, self._links, keeper, queues, lookup), ShopUserReports(keeper)),
            privacy=PrivacyServicer(
                Privacy(
                    persons,
                    self._accounts,
                    PersonResolver(persons, lookup, self._shops, self._shops),
                    PageTokenSealer(self._secret_box),
                )
            ),
            account=AccountServicer(
                AccountSettings(self._accounts, warnings, plain_http_allowed=inside(settings.hosts(serves=True))),
                SiteSettings(self._accounts),
                AccountCheck(self._accounts, self._tills, self._shops, self._knowledge, self._accounts, warnings),
                ShopConnection(self._accounts, self._shops, self.tokens),
                TokenDesk(self.tokens, self._accounts, public_url=settings.public_url),
            ),
        )
        return ServerComponents(
            services=services,
            interceptor=Interceptor(authenticator, KnownAccounts(queues), self._metrics, database_gone=DATABASE_GONE),
            webhooks=WebhookReceiver(
                self._accounts,
                TillHints(
                    PostgresSubjectAccounts(database),
                    PostgresSales(database, notifier, till_share=settings.till_share),
                    enqueuer,
                    admission,
                ),
                database_gone=DATABASE_GONE,
                observe=self._metrics.webhook_received,
            ),
            enqueuer=enqueuer,
            orders=orders,
            authenticator=authenticator,
        )

    def worker_components(self) -> WorkerComponents:
        database, notifier = self._database, self._notifier
        flows = FlowHandler(
            FlowServices(
                tills=self._tills,
                shops=self._shops,
                knowledge=self._knowledge,
                intents=PostgresIntents(database),
                links=self._links,
                shop_state=PostgresShopState(database, notifier),
                order_linker=PostgresOrderLinker(database, notifier),
                side_history=PostgresSideHistory(database),
                settings=self._settings.flows(),
                database_gone=DATABASE_GONE,
            )
        )
        worker = Worker(
            PostgresLaneStore(database, notifier),
            self._wakeups,
            flows,
            self._accounts,
            self._settings.engine(),
            database_gone=DATABASE_GONE,
        )
        events = EventSender(
            PostgresEvents(database),
            self._accounts,
            self._shops,
            self._wakeups,
            self._settings.events(),
            database_gone=DATABASE_GONE,
        )
        sales = PostgresSales(database, notifier, till_share=self._settings.till_share)
        enqueuer = Enqueuer(PostgresHintStore(database, notifier))
        admission = Admission(PostgresQueueReader(database), self._settings.admission())
        hints = TillHints(PostgresSubjectAccounts(database), sales, enqueuer, admission)
        return WorkerComponents(
            worker=worker,
            requeue=PostgresRequeue(database, notifier),
            email_rekey=PostgresEmailRekey(database),
            history=PostgresHistory(database),
            events=events,
            sales=SaleReading(sales, self._accounts, self._tills, hints, observe=self._metrics.sale_read),
            sale_hints=enqueuer,
        )


def inside(allowed: AllowedHosts) -> Callable[[str, int], bool]:
    """Whether a till may be asked in plain http there: the operator named it, so it is on a network of theirs."""

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
