"""The HTTP ports of the whole service: Connect JSON, probes and metrics."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from prometheus_client.parser import text_string_to_metric_families
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, RunningService, running_service
from support.waiting import until
from tillsync.v1 import token_pb2

pytestmark = pytest.mark.integration
BUF = Path(sys.executable).with_name("buf")
BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


async def call(running: RunningService, method: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> tuple[int, Any]:
    url = f"{running.http_url}/tillsync.v1.{method}"
    async with running.http.post(url, json=body, headers=BEARER if headers is None else headers) as response:
        return response.status, await response.json()


async def metric(running: RunningService, name: str, **labels: str) -> float | None:
    async with running.http.get(f"{running.operations_url}/metrics") as response:
        assert response.status == 200
        text = await response.text()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return next((sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()), None)


async def test_connect_calls_have_the_effect_of_grpc_calls(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=False) as running:
        status, created = await call(
            running, "AccountService/CreateAccount", {"accountId": "shop-1", "account": {"name": "A shop", "epos": {"apiKey": "k"}}}
        )
        assert (status, created["account"]["name"]) == (200, "A shop")
        assert "apiKey" not in created["account"]["epos"]
        assert (await running.client.accounts.get_account("shop-1")).name == "A shop"
        status, answer = await call(running, "CustomerSyncService/SyncCustomer", {"accountId": "shop-1", "eposCustomerId": "90001"})
        assert (status, answer["entry"]["eposCustomerId"], answer["entry"]["state"]) == (200, "90001", "ENTRY_STATE_PENDING")
        repeated = await running.client.sync.sync_customer("shop-1", 90001)
        assert repeated.coalesced
        assert repeated.entry.entry_id == answer["entry"]["entryId"]


async def test_connect_errors_have_the_details_of_grpc(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=False) as running:
        status, error = await call(running, "AccountService/ListAccounts", {}, {})
        assert (status, error["code"]) == (401, "unauthenticated")
        status, error = await call(running, "AccountService/ListAccounts", {}, {"Authorization": "Bearer nothing-we-know"})
        assert (status, error["details"][0]["debug"]["reason"]) == (401, "TOKEN_UNKNOWN")
        status, error = await call(running, "CustomerSyncService/SyncCustomer", {"accountId": "shop-1", "eposCustomerId": "-5"})
        assert (status, error["code"]) == (400, "invalid_argument")
        [violation] = error["details"][1]["debug"]["fieldViolations"]
        assert violation["field"] == "epos_customer_id"
        status, error = await call(running, "CustomerSyncService/SyncCustomer", {"accountId": "nobody", "eposCustomerId": "5"})
        assert (status, error["code"]) == (404, "not_found")
        status, error = await call(running, "DiagnosisService/ExplainOrder", {"accountId": "shop-1", "orderId": "5"})
        assert (status, error["code"]) == (501, "unimplemented")


async def test_site_token_reaches_only_its_account_over_connect(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=False) as running:
        for account in ("mine", "other"):
            await running.add_account(account)
        made = await running.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="mine")
        site = {"Authorization": f"Bearer {made.secret}"}
        hint = {"eposCustomerId": "5"}
        assert (await call(running, "CustomerSyncService/SyncCustomer", {"accountId": "mine", **hint}, site))[0] == 200
        for foreign in ("other", "nobody"):
            status, error = await call(running, "CustomerSyncService/SyncCustomer", {"accountId": foreign, **hint}, site)
            assert (status, error["code"]) == (403, "permission_denied"), "the denial does not show whether the account exists"


async def test_buf_calls_a_method_over_connect(database: TestDatabase, tmp_path: Path) -> None:
    """buf is an independent implementation of the Connect protocol."""
    schema = tmp_path / "schema.binpb"
    schema.write_bytes(descriptor_set("tillsync/v1/catalog_service.proto").SerializeToString())
    async with running_service(database.dsn, works=False) as running:
        for method in ("CatalogService/ListMessages", "CatalogService/Nothing"):
            command = [str(BUF), "curl", "--schema", str(schema), "--protocol", "connect", "-d", "{}"]
            command += ["-H", f"Authorization: Bearer {ADMIN_TOKEN}", f"{running.http_url}/tillsync.v1.{method}"]
            run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
            if method.endswith("Nothing"):
                assert run.returncode != 0
            else:
                assert run.returncode == 0, run.stderr
                assert len(json.loads(run.stdout)["messages"]) == 14


def descriptor_set(name: str) -> descriptor_pb2.FileDescriptorSet:
    """The file and all its imports, from the generated code."""
    made, seen = descriptor_pb2.FileDescriptorSet(), set()

    def add(file: Any) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for dependency in file.dependencies:
                add(dependency)
            file.CopyToProto(made.file.add())

    add(descriptor_pool.Default().FindFileByName(name))
    return made


async def test_probes_answer_and_metrics_count_calls_and_sample_queues(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=True) as running:
        for path, text in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
            for url in (running.http_url, running.operations_url):
                async with running.http.get(url + path) as response:
                    assert (response.status, await response.text()) == (200, text)
        await running.add_account()
        await call(running, "CustomerSyncService/SyncCustomer", {"accountId": "nobody", "eposCustomerId": "5"})
        method, refused = "AccountService/CreateAccount", "CustomerSyncService/SyncCustomer"

        async def counted() -> tuple[float | None, ...]:
            return (
                await metric(running, "tillsync_requests_total", method=method, code="OK"),
                await metric(running, "tillsync_request_seconds_count", method=method),
                await metric(running, "tillsync_requests_total", method=refused, code="NOT_FOUND"),
            )

        async def each_call_is_counted() -> bool:
            return await counted() == (1, 1, 1)

        await until(each_call_is_counted, counted)  # the server counts a call after it has sent the answer
        assert await metric(running, "tillsync_worker_lost_wakeups_total") == 0

        async def is_sampled() -> bool:
            return await metric(running, "tillsync_live_entries") is not None

        await until(is_sampled)
        assert await metric(running, "tillsync_oldest_ready_lane_seconds") is not None


async def test_metrics_name_no_account(database: TestDatabase) -> None:
    async with running_service(database.dsn) as running:
        await running.add_account("a-very-special-shop")
        await running.client.sync.sync_customer("a-very-special-shop", 90001)
        async with running.http.get(f"{running.operations_url}/metrics") as response:
            assert "a-very-special-shop" not in await response.text()


async def test_http_port_has_no_metrics_and_operations_port_has_no_calls(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=False) as running:
        await running.add_account()
        assert running.service.settings.operations_listen.is_loopback
        async with running.http.get(f"{running.http_url}/metrics", headers=BEARER) as response:
            assert (response.status, "tillsync_" in await response.text()) == (404, False)
        for path in ("tillsync.v1.AccountService/ListAccounts", "webhooks/eposnow/shop-1"):
            async with running.http.post(f"{running.operations_url}/{path}", json={}, headers=BEARER) as response:
                assert response.status == 404


async def test_worker_without_server_has_only_probes_and_metrics(database: TestDatabase) -> None:
    async with running_service(database.dsn, serves=False) as running:
        assert (running.service.grpc_port, running.service.http_port) == (0, 0)
        async with running.http.get(f"{running.operations_url}/readyz") as response:
            assert response.status == 200
        assert await metric(running, "tillsync_worker_leases_total") == 0
        url = f"{running.operations_url}/tillsync.v1.AccountService/ListAccounts"
        async with running.http.post(url, json={}, headers=BEARER) as response:
            assert response.status == 404


async def test_service_is_not_ready_during_its_stop(database: TestDatabase) -> None:
    async with running_service(database.dsn) as running:
        stopping = asyncio.create_task(running.service.stop())
        statuses = []
        for url in (running.http_url, running.operations_url):
            while not stopping.done():
                try:
                    async with running.http.get(f"{url}/readyz") as response:
                        statuses.append(response.status)
                except aiohttp.ClientError:
                    break
        await stopping
        assert 200 not in statuses
        assert 503 in statuses
