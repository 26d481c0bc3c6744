"""Runs `tillsync serve` as it is deployed in a separate process, with a till that takes 100 ms a request and a shop that takes 200 ms.

Till and shop are the sandboxes, in this process. All accounts share one till and one shop; every account has its own
customers, its own allowance and its own knowledge of its till.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.service_world import ServiceWorld
from benchmarks.sides_log import SpanLog
from support.service import ADMIN_TOKEN, child, environment
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill

TILL_SECONDS, SHOP_SECONDS = 0.1, 0.2
_SHORT_DELAYS = ("TILLSYNC_POLL_SECONDS", "TILLSYNC_RETRY_BASE_SECONDS", "TILLSYNC_DRAIN_SECONDS")
"""Settings that the tests shorten. The benchmark uses the service's defaults."""


@dataclass
class ServedWorld(ServiceWorld):
    http_url: str
    till_spans: SpanLog
    shop_spans: SpanLog


@asynccontextmanager
async def served_world(bench: Bench) -> AsyncIterator[ServedWorld]:
    dsn = await bench.make_ours("served")
    variables = environment(dsn, TILLSYNC_LOG_LEVEL="warning")
    for name in _SHORT_DELAYS:
        del variables[name]
    async with SandboxTill() as till, SandboxShop() as shop:
        till.switches.latency_seconds, shop.switches.latency_seconds = TILL_SECONDS, SHOP_SECONDS
        with child(["serve"], variables, bench.directory) as service:
            await service.started()
            async with TillsyncClient(f"127.0.0.1:{service.grpc_port}", ADMIN_TOKEN) as client:
                yield ServedWorld(dsn, client, till, shop, service.http_url, SpanLog(till.log), SpanLog(shop.log))
            await service.stop()
    await bench.drop_database("served")
