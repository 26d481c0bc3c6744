"""Joins stores, gateways and the worker; `servers` joins the servers. This module starts nothing: `service` starts the parts in order."""

from __future__ import annotations

from dataclasses import dataclass

from tillsync_server.adapters.bridge_releases.release_folder import BridgeReleaseFolder
from tillsync_server.adapters.epos.gateway import EposGateway
from tillsync_server.adapters.epos.settings import EposAdapterSettings
from tillsync_server.adapters.http_client import HttpClient
from tillsync_server.adapters.observability.limit_log import LimitLog
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.accounts.account_warnings import PostgresAccountWarnings
from tillsync_server.adapters.postgres.accounts.subject_accounts import PostgresSubjectAccounts
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.adapters.postgres.engine.lane_store import PostgresLaneStore
from tillsync_server.adapters.postgres.engine.side_history import PostgresSideHistory
from tillsync_server.adapters.postgres.events.event_outbox import PostgresEvents
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.order_linker import PostgresOrderLinker
from tillsync_server.adapters.postgres.links.shop_state import PostgresShopState
from tillsync_server.adapters.postgres.maintenance.email_rekey import PostgresEmailRekey
from tillsync_server.adapters.postgres.maintenance.retention import PostgresHistory
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.adapters.postgres.queues.requeue import PostgresRequeue
from tillsync_server.adapters.postgres.tills.intents import PostgresIntents
from tillsync_server.adapters.postgres.tills.sales import PostgresSales
from tillsync_server.adapters.postgres.tills.till_budget import PostgresTillBudget
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.adapters.postgres.tokens.token_store import PostgresTokens
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.engine.worker import Worker
from tillsync_server.application.events.sender import EventSender
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.application.use_cases.sale_reading import SaleReading
from tillsync_server.application.use_cases.till_hints import TillHints
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import Storage


@dataclass(frozen=True, slots=True)
class WorkerComponents:
    """Components of a process's worker, with its recurring work. ``sale_hints`` is closed when the worker stops."""

    worker: Worker
    requeue: PostgresRequeue
    email_rekey: PostgresEmailRekey
    history: PostgresHistory
    events: EventSender
    sales: SaleReading
    sale_hints: Enqueuer


class Wiring:
    """Components that servers and worker share. It is made inside the running loop, with a started ``storage``. Both send their outgoing
    requests with ``http``."""

    def __init__(self, settings: ServiceSettings, storage: Storage, http: HttpClient, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.limits = LimitLog()
        self.wakeups = storage.notifications
        database, notifier = storage.database, storage.notifications
        self.database, self.notifier = database, notifier
        self.secret_box = storage.secret_box
        self.tokens = PostgresTokens(database, notifier)
        self.accounts = PostgresAccounts(database, storage.secret_box, notifier)
        self.links = PostgresLinks(database)
        self.knowledge = PostgresTillKnowledge(database)
        budget = PostgresTillBudget(database, share=settings.till_share)
        self.tills = EposGateway(http, budget, EposAdapterSettings(timeout_seconds=settings.till_timeout_seconds))
        self.warnings = PostgresAccountWarnings(database)
        self.bridge_releases = BridgeReleaseFolder(settings.bridge_releases_dir)
        self.shops = WooGateway(http, WooAdapterSettings(timeout_seconds=settings.shop_timeout_seconds), warnings=self.warnings)

    async def check_bridge_releases(self) -> None:
        """Reads the release folder, so that the log names a wrong file before a shop asks."""
        await self.bridge_releases.read()

    async def close(self) -> None:
        """Logs the hits of limits that no line has yet."""
        self.limits.close()

    def worker_components(self) -> WorkerComponents:
        database, notifier = self.database, self.notifier
        flows = FlowHandler(
            FlowServices(
                tills=self.tills,
                shops=self.shops,
                knowledge=self.knowledge,
                intents=PostgresIntents(database),
                links=self.links,
                shop_state=PostgresShopState(database, notifier),
                order_linker=PostgresOrderLinker(database, notifier),
                side_history=PostgresSideHistory(database),
                settings=self.settings.flows(),
                database_gone=DATABASE_GONE,
            )
        )
        worker = Worker(
            PostgresLaneStore(database, notifier),
            self.wakeups,
            flows,
            self.accounts,
            self.settings.engine(),
            database_gone=DATABASE_GONE,
        )
        events = EventSender(
            PostgresEvents(database),
            self.accounts,
            self.shops,
            self.wakeups,
            self.settings.events(),
            database_gone=DATABASE_GONE,
        )
        sales = PostgresSales(database, notifier, till_share=self.settings.till_share)
        enqueuer = Enqueuer(PostgresHintStore(database, notifier))
        admission = Admission(PostgresQueueReader(database), self.settings.admission())
        hints = TillHints(PostgresSubjectAccounts(database), sales, enqueuer, admission)
        return WorkerComponents(
            worker=worker,
            requeue=PostgresRequeue(database, notifier),
            email_rekey=PostgresEmailRekey(database),
            history=PostgresHistory(database),
            events=events,
            sales=SaleReading(sales, self.accounts, self.tills, hints, observe=self.metrics.sale_read),
            sale_hints=enqueuer,
        )
