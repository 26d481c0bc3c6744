"""The metrics of ``/metrics``. Labels name methods and sides, never accounts or persons."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest
from fakes.permit import FakePermit
from prometheus_client.parser import text_string_to_metric_families
from support.raw_http import http_answer, raw_server
from tillsync_server.adapters.http.webhook_answers import WebhookReason
from tillsync_server.adapters.http_client import AllowedHosts, HttpClientSettings
from tillsync_server.adapters.observability.measured import MeasuredDatabase, MeasuredHttpClient
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.maintenance.db_health import DatabaseHealth, QueueSample
from tillsync_server.application.engine.lane_statements import WorkerCounters
from tillsync_server.application.events.sender import EventCounters
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import LeaseTooShort, Unreachable
from tillsync_server.domain.foreign_transactions import ForeignTransaction

LOOPBACK = HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_calls_are_counted_by_method_and_code() -> None:
    metrics = Metrics("1.2.3")
    ended = metrics.of_method("/tillsync.v1.CustomerSyncService/SyncCustomer")
    ended("OK", 0.002)
    ended("OK", 0.2)
    ended("NOT_FOUND", 0.001)
    method = "CustomerSyncService/SyncCustomer"
    assert value(metrics, "tillsync_requests_total", method=method, code="OK") == 2
    assert value(metrics, "tillsync_requests_total", method=method, code="NOT_FOUND") == 1
    assert value(metrics, "tillsync_request_seconds_bucket", method=method, le="0.0025") == 2
    assert value(metrics, "tillsync_build_info", version="1.2.3") == 1


def test_worker_counters_are_read_at_each_scrape() -> None:
    metrics, counters = Metrics("1"), WorkerCounters()
    metrics.watch_worker(counters)
    counters.lost_wakeups, counters.lapsed_leases, counters.completed = 1, 2, 3
    assert value(metrics, "tillsync_worker_lost_wakeups_total") == 1
    assert value(metrics, "tillsync_worker_lapsed_leases_total") == 2
    assert value(metrics, "tillsync_worker_completed_total") == 3


def test_event_sender_counters_are_read_at_each_scrape() -> None:
    metrics, counters = Metrics("1"), EventCounters()
    metrics.watch_events(counters)
    counters.delivered, counters.refused, counters.failed_tries = 5, 1, 2
    assert value(metrics, "tillsync_events_delivered_total") == 5
    assert value(metrics, "tillsync_events_refused_total") == 1
    assert value(metrics, "tillsync_events_failed_tries_total") == 2


def test_webhooks_are_counted_with_their_reason() -> None:
    metrics = Metrics("1")
    metrics.webhook_received("customer", 202, WebhookReason.QUEUED)
    metrics.webhook_received("customer", 401, WebhookReason.WRONG_CREDENTIALS)
    metrics.webhook_received("customer", 401, WebhookReason.WRONG_CREDENTIALS)
    assert value(metrics, "tillsync_webhooks_total", object="customer", status="202", reason="queued") == 1
    assert value(metrics, "tillsync_webhooks_total", object="customer", status="401", reason="wrong_credentials") == 2


def test_sales_are_counted_by_outcome() -> None:
    metrics = Metrics("1")
    metrics.sale_read("hinted")
    assert value(metrics, "tillsync_sales_total", outcome="hinted") == 1


def test_queue_gauges_are_absent_before_the_first_sample() -> None:
    metrics = Metrics("1")
    assert value(metrics, "tillsync_live_entries") is None
    metrics.queues_sampled(QueueSample(live_entries=7, lanes=5, leased=1, ready=2, paused=3, with_problem=4, oldest_ready_seconds=9.5))
    assert value(metrics, "tillsync_live_entries") == 7
    assert value(metrics, "tillsync_oldest_ready_lane_seconds") == 9.5
    assert [value(metrics, "tillsync_lanes", state=state) for state in ("all", "leased", "ready", "paused", "problem")] == [5, 1, 2, 3, 4]


def test_the_oldest_foreign_transaction_is_a_gauge() -> None:
    metrics = Metrics("1")
    sample = QueueSample(live_entries=0, lanes=0, leased=0, ready=0, paused=0, with_problem=0, oldest_ready_seconds=0.0)
    metrics.queues_sampled(sample)
    assert value(metrics, "tillsync_oldest_foreign_transaction_seconds") == 0
    assert value(metrics, "tillsync_foreign_transactions_seen") == 1
    metrics.queues_sampled(
        replace(sample, oldest_foreign=ForeignTransaction(7, "pg_dump", "backup", "active", 301.5), sees_all_sessions=False)
    )
    assert value(metrics, "tillsync_oldest_foreign_transaction_seconds") == 301.5
    assert value(metrics, "tillsync_foreign_transactions_seen") == 0


def test_prometheus_parses_the_scrape() -> None:
    metrics = Metrics("1")
    metrics.watch_worker(WorkerCounters())
    metrics.webhook_received("customer", 202, "queued")
    body, content_type = metrics.scrape()
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert content_type.startswith("text/plain")
    assert {"tillsync_requests", "tillsync_webhooks", "tillsync_upstream_requests", "tillsync_worker_leases"} <= set(families)
    assert all(family.documentation for family in families.values())


async def test_upstream_requests_are_counted_by_outcome() -> None:
    metrics = Metrics("1")
    http = MeasuredHttpClient(metrics, LOOPBACK)

    async with raw_server() as server:
        server.answers(http_answer(200), http_answer(503))
        for _ in range(2):
            await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)
        with pytest.raises(LeaseTooShort):
            await http.request(Side.SHOP, "POST", server.url, body=b"x", timeout_seconds=5, permit=FakePermit.of_seconds(0.0))
        dead = server.url
    with pytest.raises(Unreachable):
        await http.request(Side.TILL, "GET", dead, timeout_seconds=5)
    await http.close()
    counted = {
        (side, outcome): value(metrics, "tillsync_upstream_requests_total", side=side, outcome=outcome)
        for side, outcome in (("shop", "2xx"), ("shop", "5xx"), ("shop", "not_sent"), ("till", "unreachable"))
    }
    assert set(counted.values()) == {1.0}
    assert value(metrics, "tillsync_upstream_seconds_count", side="shop") == 3


async def test_unavailable_database_is_counted() -> None:
    metrics = Metrics("1")
    database = MeasuredDatabase(metrics, "postgresql://u@127.0.0.1:1/none", acquire_timeout_seconds=1)
    assert not await DatabaseHealth(database).answers()
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await DatabaseHealth(database).sample()
    await database.close()
    assert value(metrics, "tillsync_database_errors_total", error="ConnectionRefusedError") == 2
