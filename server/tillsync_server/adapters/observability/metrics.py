"""Prometheus metrics of one process. Labels are words of the service (methods, codes, sides), never accounts or persons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tillsync_server.adapters.postgres.maintenance.db_health import QueueSample
from tillsync_server.application.engine.lane_statements import WorkerCounters
from tillsync_server.application.events.sender import EventCounters
from tillsync_server.domain.enums import Side

_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_UPSTREAM_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0)
_WORKER_COUNTERS = (
    ("leases", "Lanes leased."),
    ("lapsed_leases", "Lanes leased after a lease that ran out before its release, because a worker died or was stopped."),
    ("lost_leases", "Leases of this process that another process took over."),
    ("claimed", "Entries claimed."),
    ("completed", "Runs of entries whose result was stored."),
    ("dropped", "Runs of entries whose result was dropped, because the lane was lost or the settings changed."),
    ("lost_wakeups", "Lanes that the slow sweep found asleep with due work. Must stay 0."),
)
_EVENT_COUNTERS = (
    ("delivered", "Order events that shops accepted."),
    ("refused", "Order events that shops refused for good. Must stay 0; otherwise plugin and service do not fit."),
    ("failed_tries", "Attempts to send order events that did not reach a shop. They are repeated."),
)


class Metrics:
    """One per process, with a registry of its own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Gauge("tillsync_build_info", "1, labelled with the version.", ["version"], registry=self.registry).labels(version).set(1)
        self._requests = Counter("tillsync_requests", "gRPC calls by method and status code.", ["method", "code"], registry=self.registry)
        self._request_seconds = Histogram(
            "tillsync_request_seconds", "Time of gRPC calls.", ["method"], buckets=_CALL_SECONDS, registry=self.registry
        )
        self._webhooks = Counter(
            "tillsync_webhooks",
            "Webhook deliveries by object, HTTP status and reason: queued, or why they were refused or ignored.",
            ["object", "status", "reason"],
            registry=self.registry,
        )
        self._sales = Counter(
            "tillsync_sales",
            "Sales of which the till named only the transaction, by the outcome of reading it: hinted, nobody (no link), no_customer, "
            "missing, postponed (read again later), given_up.",
            ["outcome"],
            registry=self.registry,
        )
        self._upstream = Counter(
            "tillsync_upstream_requests",
            "Requests to tills and shops. outcome: status class (2xx), unreachable, unanswered, misaddressed, unreadable, not_sent.",
            ["side", "outcome"],
            registry=self.registry,
        )
        self._upstream_seconds = Histogram(
            "tillsync_upstream_seconds", "Time of requests to tills and shops.", ["side"], buckets=_UPSTREAM_SECONDS, registry=self.registry
        )
        self._database_errors = Counter(
            "tillsync_database_errors", "Statements that failed because the database was away, by error.", ["error"], registry=self.registry
        )
        self._queues = _QueueGauges()
        self.registry.register(self._queues)
        for side in Side:
            self._upstream_seconds.labels(side.name.lower())

    def watch_worker(self, counters: WorkerCounters) -> None:
        """Adds the worker's counters, which each scrape reads. Call it once."""
        self.registry.register(_Counters("tillsync_worker", _WORKER_COUNTERS, counters))

    def watch_events(self, counters: EventCounters) -> None:
        """Adds the event sender's counters, which each scrape reads. Call it once."""
        self.registry.register(_Counters("tillsync_events", _EVENT_COUNTERS, counters))

    def watch_certificate(self, ends_at: Callable[[], float]) -> None:
        """Adds the end of the certificate. Each scrape calls ``ends_at`` (Unix time). Call it once."""
        text = "Unix time at which the served TLS certificate ends."
        Gauge("tillsync_certificate_end_timestamp_seconds", text, registry=self.registry).set_function(ends_at)

    # called by the edges and adapters

    def of_method(self, method: str) -> Callable[[str, float], None]:
        """Returns the callback for ended calls of a gRPC method (``/package.Service/Method``). It gets the code (``OK``, ``NOT_FOUND``) and
        the duration in seconds."""
        name = method.removeprefix("/").rpartition(".")[2]
        codes: dict[str, Counter] = {}

        def ended(code: str, seconds: float) -> None:
            counter = codes.get(code)
            if counter is None:  # made at the first call, so that methods without calls have no time series
                counter = codes[code] = self._requests.labels(name, code)
            counter.inc()
            self._request_seconds.labels(name).observe(seconds)

        return ended

    def webhook_received(self, kind: str, status: int, reason: str) -> None:
        """Counts a delivery. ``reason`` is of a closed list, as every label here."""
        self._webhooks.labels(kind, str(status), reason).inc()

    def sale_read(self, outcome: str) -> None:
        self._sales.labels(outcome).inc()

    def upstream_done(self, side: Side, outcome: str, seconds: float) -> None:
        self._upstream.labels(side.name.lower(), outcome).inc()
        self._upstream_seconds.labels(side.name.lower()).observe(seconds)

    def database_failed(self, error: BaseException) -> None:
        self._database_errors.labels(type(error).__name__).inc()

    def queues_sampled(self, sample: QueueSample) -> None:
        self._queues.sample = sample

    def scrape(self) -> tuple[bytes, str]:
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Counters(Collector):
    """Collects fields of ``counters``. ``names``: each field with its meaning."""

    def __init__(self, prefix: str, names: Sequence[tuple[str, str]], counters: WorkerCounters | EventCounters) -> None:
        self._prefix = prefix
        self._names = names
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        for name, meaning in self._names:
            yield CounterMetricFamily(f"{self._prefix}_{name}", meaning, value=getattr(self._counters, name))


class _QueueGauges(Collector):
    """Gauges of the last sample. There are none before the first sample, so that a missing database does not look like empty queues."""

    def __init__(self) -> None:
        self.sample: QueueSample | None = None

    def collect(self) -> Sequence[Metric]:
        sample = self.sample
        if sample is None:
            return []
        lanes = GaugeMetricFamily("tillsync_lanes", "Accounts by the state of their lane. An account may be in several.", labels=["state"])
        for state, value in (
            ("all", sample.lanes),
            ("leased", sample.leased),
            ("ready", sample.ready),
            ("paused", sample.paused),
            ("problem", sample.with_problem),
        ):
            lanes.add_metric([state], value)
        return [
            GaugeMetricFamily("tillsync_live_entries", "Waiting and held entries, estimated from statistics.", value=sample.live_entries),
            GaugeMetricFamily(
                "tillsync_oldest_ready_lane_seconds",
                "Time for which the most overdue lane has waited for a worker.",
                value=sample.oldest_ready_seconds,
            ),
            GaugeMetricFamily(
                "tillsync_oldest_foreign_transaction_seconds",
                "Age of the oldest open transaction of another program in this database. PostgreSQL keeps every dead row since its start. "
                "0: none is seen. `tillsync status` and the log name it.",
                value=sample.oldest_foreign.seconds if sample.oldest_foreign is not None else 0.0,
            ),
            GaugeMetricFamily(
                "tillsync_foreign_transactions_seen",
                "1: transactions of all roles are seen. 0: the database's role lacks pg_read_all_stats, so that one may be open unseen.",
                value=float(sample.sees_all_sessions),
            ),
            GaugeMetricFamily(
                "tillsync_history_weeks_ahead",
                "Weeks after this one that have a partition for finished entries. Maintenance keeps 5 to 9. "
                "0: results go into the partition for later, and the log says why no week is made.",
                value=sample.history_weeks_ahead,
            ),
            lanes,
        ]
