"""The stop of a real ``tillsync serve`` behind a load balancer.

Both ports report the stop, serve requests during the drain delay, and then drain."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, child, environment
from support.waiting import HANG_SECONDS, NEVER_SECONDS, until
from tillsync_client import TillsyncClient

pytestmark = pytest.mark.processes
LIST_ACCOUNTS = "/tillsync.v1.AccountService/ListAccounts"


async def readiness(http_url: str) -> int:
    """The status of ``/readyz``, over a new connection."""
    async with aiohttp.ClientSession() as http, http.get(f"{http_url}/readyz") as response:
        return response.status


async def health(port: int) -> int:
    """The status of gRPC health, over a new connection."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(), timeout=HANG_SECONDS)).status)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_both_ports_serve_until_the_second_signal(database: TestDatabase, tmp_path: Path, second: signal.Signals) -> None:
    variables = environment(database.dsn, TILLSYNC_DATA_DIR=str(tmp_path), TILLSYNC_DRAIN_DELAY="300")
    assert NEVER_SECONDS > 300 > HANG_SECONDS
    with child(["serve"], variables, tmp_path) as serving:
        await serving.started()
        assert (await readiness(serving.http_url), await health(serving.grpc_port)) == (200, health_pb2.HealthCheckResponse.SERVING)
        serving.process.send_signal(signal.SIGTERM)
        await until(lambda: '"stopping"' in serving.errors, lambda: serving.errors)

        async def both_report_the_stop() -> bool:
            found = (await readiness(serving.http_url), await health(serving.grpc_port))
            return found == (503, health_pb2.HealthCheckResponse.NOT_SERVING)

        await until(both_report_the_stop, lambda: serving.errors)
        async with TillsyncClient(f"127.0.0.1:{serving.grpc_port}", ADMIN_TOKEN) as client:
            assert [account async for account in client.accounts.list_accounts()] == [], "the gRPC port serves a new connection"
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        async with aiohttp.ClientSession() as http, http.post(serving.http_url + LIST_ACCOUNTS, json={}, headers=headers) as response:
            assert (response.status, await response.json()) == (200, {})
        assert await serving.stop(second) == 0
        assert "stop_step" not in serving.errors


async def test_drain_starts_after_the_delay_without_a_second_signal(database: TestDatabase, tmp_path: Path) -> None:
    variables = environment(database.dsn, TILLSYNC_DATA_DIR=str(tmp_path), TILLSYNC_DRAIN_DELAY="1.5")
    with child(["serve"], variables, tmp_path) as serving:
        await serving.started()
        began = time.monotonic()
        serving.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(serving.process.wait, HANG_SECONDS) == 0
        assert time.monotonic() - began >= 1.5
        assert "stop_step" not in serving.errors
