"""One process of tillsync. It starts its parts in order and stops them in the reverse order; each step of a stop is bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import structlog

from tillsync_server.adapters.http.app import HttpSide
from tillsync_server.adapters.http.metrics_page import MetricsPage
from tillsync_server.adapters.http.probes import Probes
from tillsync_server.adapters.http.wrong_protocol import OPERATIONS_PORT
from tillsync_server.adapters.http_client import HttpClientSettings
from tillsync_server.adapters.observability.measured import MeasuredHttpClient
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.maintenance.db_health import DatabaseHealth
from tillsync_server.adapters.tls.certificate_files import CertificateError, CertificateFiles
from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.application.concurrency.recurring import Recurring, Work, while_more, without_due_time
from tillsync_server.application.engine.worker import Worker
from tillsync_server.composition.after_restore import require_no_restore
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.first_token import ensure_admin_token
from tillsync_server.composition.open_files import OPERATIONS_CONNECTIONS, open_files, open_files_problem
from tillsync_server.composition.settings import ServiceSettings, SettingsError
from tillsync_server.composition.storage import Storage
from tillsync_server.composition.wiring import Wiring

if TYPE_CHECKING:
    from tillsync_server.composition.servers import Servers

_LOG = structlog.get_logger(__name__)
EMAIL_REKEY_SECONDS = 60.0
HISTORY_SECONDS = 3600.0
REFUSED_EVENTS_SECONDS = 600.0
SAMPLE_SECONDS = 15.0
BRIDGE_RELEASES_SECONDS = 60.0
CERTIFICATE_SECONDS = 10.0
QUICK_SECONDS, DATABASE_SECONDS, EMBEDDED_SECONDS = 3.0, 8.0, 25.0
"""Time limits of the steps of a stop. Steps that drain get the drain's grace and ten seconds."""

_Step = tuple[str, float, Callable[[], Awaitable[object]]]


class Service:
    """Runs one process. ``serves``: it serves gRPC, Connect and webhooks. ``works``: it runs entries. Each may be alone. The operations
    listener, with probes and metrics, always runs.

    ``async with Service(settings)`` starts it, and stops it afterwards. Raises StartError or SettingsError if it cannot start.
    """

    def __init__(self, settings: ServiceSettings, *, serves: bool = True, works: bool = True) -> None:
        self.settings = settings
        self.metrics = Metrics(version("tillsync"))
        self.storage = Storage(settings, self.metrics)
        self.worker: Worker | None = None
        self.grpc_port = 0
        """Ports of the started process."""
        self.http_port = 0
        self.operations_port = 0
        self.admin_token_file: Path | None = None
        """File of the first admin token, if this process or an earlier one made it."""
        self._serves, self._works = serves, works
        self._servers: type[Servers] | None = None
        if serves:
            from tillsync_server.composition.servers import Servers  # gRPC takes 14 MB, which a process that only works saves

            self._servers = Servers
        self._started = False
        self._draining = False
        self._drain_delay_ended = asyncio.Event()
        self._logged_holder: tuple[int | None, str] | None = None
        """Process id and name of the program whose old transaction the log has already."""
        self._steps: list[_Step] = []
        """Steps that stop the started parts, in the order of the start."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts the database first, then the HTTP client, the servers, and the worker last. A failed step stops the parts before it."""
        problems = self.settings.problems(serves=self._serves, works=self._works)
        if problems:
            raise SettingsError(problems)
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Sets health to NOT_SERVING, waits for the drain delay and the calls under way, releases the lanes and closes the database.

        It is bounded in time even if the database never answers. A late step is cancelled, but not awaited, because its cancellation could
        take as long. It ends when the pool is closed.
        """
        self._draining = True
        steps = BackgroundTasks()
        while self._steps:
            name, seconds, step = self._steps.pop()
            _, late = await asyncio.wait([steps.start(_run_step(name, step), name=f"stop {name}")], timeout=seconds)
            for task in late:
                _LOG.error("stop_step_took_too_long", step=name)
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUICK_SECONDS):
                await steps.join()

    def end_drain_delay(self) -> None:
        """Ends the drain delay of a stop immediately."""
        self._drain_delay_ended.set()

    # starting

    def _on_stop(self, name: str, step: Callable[[], Awaitable[object]], *, seconds: float = QUICK_SECONDS) -> None:
        self._steps.append((name, seconds, step))

    async def _start(self) -> None:
        settings, storage = self.settings, self.storage
        self._on_stop("embedded postgresql", storage.stop_embedded, seconds=EMBEDDED_SECONDS)
        self._on_stop("database", storage.close_database, seconds=DATABASE_SECONDS)
        await storage.start()
        await require_no_restore(storage.database)
        notifications = storage.notifications
        self._on_stop("notifications", notifications.stop)
        notifications.start()
        http = MeasuredHttpClient(self.metrics, HttpClientSettings(allowed_hosts=settings.hosts(serves=self._serves)))
        self._on_stop("http client", http.close)
        wiring = Wiring(settings, storage, http, self.metrics)
        self._on_stop("limit log", wiring.close)
        db_health = DatabaseHealth(storage.database)
        probes = Probes(db_health.answers, self._why_not_ready)
        certificate = self._certificate()
        await self._start_operations(wiring, probes, certificate)
        start_worker = self._prepare_worker(wiring) if self._works else None
        gauges = _recurring("gauges", without_due_time(lambda: self._sample(db_health)), SAMPLE_SECONDS)
        self._on_stop(gauges.name, gauges.stop)
        gauges.start()
        if self._serves:
            token = settings.admin_token.get_secret_value() if settings.admin_token is not None else None
            self.admin_token_file = await ensure_admin_token(wiring.tokens, token, settings.data_dir)
            await self._start_servers(wiring, db_health, probes, certificate)
        if start_worker is not None:
            start_worker()
        self._started = True
        few_files = open_files_problem(open_files())
        if few_files:
            _LOG.warning("few_open_files", open_files=open_files(), reason=few_files)
        _LOG.info(
            "started",
            version=version("tillsync"),
            grpc_port=self.grpc_port,
            http_port=self.http_port,
            operations_port=self.operations_port,
            open_files=open_files(),
            serves=self._serves,
            works=self._works,
        )

    def _prepare_worker(self, wiring: Wiring) -> Callable[[], None]:
        """Makes the worker and returns its start. It starts last, so that no work begins if an address is in use. It stops after the
        servers."""
        components = wiring.worker_components()
        self.worker = components.worker
        self.metrics.watch_worker(components.worker.counters)
        self.metrics.watch_events(components.events.counters)
        floor, wakeups = self.settings.side_work_seconds, self.storage.notifications
        requeue = _recurring("requeue", components.requeue.run, floor)
        sales = _recurring("sales", components.sales.run, floor)
        recurring = (
            requeue,
            sales,
            _recurring("email rekey", while_more(components.email_rekey.run_chunk), EMAIL_REKEY_SECONDS),
            _recurring("history", without_due_time(components.history.maintain), HISTORY_SECONDS),
            _recurring("refused events", while_more(components.events.resend_refused), REFUSED_EVENTS_SECONDS),
        )
        wakeups.on_requeue_waiting(requeue.wake)
        wakeups.on_sales_waiting(sales.wake)
        self._on_stop("hints of sales", components.sale_hints.close)
        for each in recurring:
            self._on_stop(each.name, each.stop)
        self._on_stop("events", components.events.stop)
        self._on_stop("worker", components.worker.stop, seconds=self.settings.longest_drain_seconds)

        def start() -> None:
            for each in (*recurring, components.events, components.worker):
                each.start()

        return start

    async def _start_servers(self, wiring: Wiring, db_health: DatabaseHealth, probes: Probes, certificate: CertificateFiles | None) -> None:
        assert self._servers is not None
        servers = self._servers(wiring, self.worker, db_health, probes, certificate=certificate, on_stop=self._on_stop)
        self.grpc_port = await servers.start_grpc()
        try:
            await servers.http_side.start()
        except OSError as error:
            raise StartError(f"HTTP cannot listen on {self.settings.http_listen}: {error.strerror or error}") from error
        self._on_stop("http", servers.http_side.stop, seconds=self.settings.longest_drain_seconds)
        self.http_port = servers.http_side.port
        self._on_stop("drain delay", self._delay_drain, seconds=self.settings.drain_delay + QUICK_SECONDS)
        self._on_stop("health", servers.drain)
        releases = _recurring("bridge releases", without_due_time(wiring.check_bridge_releases), BRIDGE_RELEASES_SECONDS)
        self._on_stop(releases.name, releases.stop)
        releases.start()

    async def _start_operations(self, wiring: Wiring, probes: Probes, certificate: CertificateFiles | None) -> None:
        """Starts the operations listener. It starts before the servers and the worker and stops after them, because it reports on both."""
        listen = self.settings.operations_listen
        side = HttpSide(
            listen.host,
            listen.port,
            *(probes, MetricsPage(self.metrics.scrape)),
            ssl_context=None if certificate is None or listen.is_loopback else certificate.https_context(),
            grace_seconds=QUICK_SECONDS / 2,
            max_connections=OPERATIONS_CONNECTIONS,
            name=OPERATIONS_PORT,
            on_limit=lambda limit: wiring.limits.hit(f"{limit} of operations"),
        )
        try:
            await side.start()
        except OSError as error:
            raise StartError(
                f"operations cannot listen on {listen}: {error.strerror or error}. Set TILLSYNC_OPERATIONS_LISTEN to another host:port"
            ) from error
        self._on_stop("operations", side.stop)
        self.operations_port = side.port

    def _why_not_ready(self) -> str:
        if self._draining:
            return "draining"
        return "" if self._started else "starting"

    def _certificate(self) -> CertificateFiles | None:
        """Returns the certificate, and starts to reload its files. Returns None without a listener that needs it. Raises StartError."""
        settings = self.settings
        certificate, key = settings.tls_cert_file, settings.tls_key_file
        if certificate is None or key is None or (settings.operations_listen.is_loopback and not self._serves):
            return None
        try:
            files = CertificateFiles(certificate, key)
        except CertificateError as error:
            raise StartError(str(error)) from error
        self.metrics.watch_certificate(lambda: files.ends_at)
        reloads = _recurring("certificate", without_due_time(files.reload), CERTIFICATE_SECONDS)
        self._on_stop(reloads.name, reloads.stop)
        reloads.start()
        return files

    async def _delay_drain(self) -> None:
        """Waits while load balancers notice NOT_SERVING, until the delay is over or :meth:`end_drain_delay` ends it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_delay):
                await self._drain_delay_ended.wait()

    async def _sample(self, db_health: DatabaseHealth) -> None:
        sample = await db_health.sample()
        self.metrics.queues_sampled(sample)
        foreign = sample.oldest_foreign
        holder = (foreign.pid, foreign.name) if foreign is not None and foreign.is_old else None
        if foreign is not None and holder not in (None, self._logged_holder):  # once for each program, not at every sample
            _LOG.warning("foreign_transaction_open", where=foreign.described(), reason=foreign.remedy())
        self._logged_holder = holder


def _recurring(name: str, work: Work, seconds: float) -> Recurring:
    return Recurring(name, work, seconds=seconds, database_gone=DATABASE_GONE)


async def _run_step(name: str, step: Callable[[], Awaitable[object]]) -> None:
    try:
        await step()
    except Exception:  # noqa: BLE001 - the steps after it must run in any case
        _LOG.exception("stop_step_failed", step=name)


async def run_until_signalled(service: Service, started: Callable[[Service], None] = lambda _service: None) -> None:
    """Starts ``service``, calls ``started``, waits for SIGTERM or SIGINT, and stops it. A signal during the start stops it too. A second
    signal ends the drain delay."""
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if signalled.is_set():
            service.end_drain_delay()
        _LOG.info("stopping", signal=number.name)
        signalled.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    starting = asyncio.create_task(service.start(), name="start")
    waiting = asyncio.create_task(signalled.wait(), name="signal")
    try:
        await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            started(service)
            await waiting
    finally:
        starting.cancel()
        waiting.cancel()
        await asyncio.gather(starting, waiting, return_exceptions=True)
        await service.stop()
        _LOG.info("stopped")
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
