"""The composed service in the test's process: database outages, stops, the first admin token, TLS, and two services on one database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import grpc
import psutil
import pytest
from support.certificates import self_signed
from support.directories import reachable_directory
from support.engine import engine_world
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, RunningService, environment, running_service
from support.waiting import HANG_SECONDS, NEVER_SECONDS, hang_limit, until, within
from tillsync.v1 import account_service_pb2, account_service_pb2_grpc, queue_entry_pb2, token_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient, UnauthenticatedError
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres
from tillsync_server.adapters.postgres.migrations import migrate
from tillsync_server.application.use_cases import authentication
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import SettingsError, load_settings

pytestmark = pytest.mark.integration


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


async def newest_entry(client: TillsyncClient, account: str) -> queue_entry_pb2.QueueEntry:
    async for entry in client.sync.list_queue(account, vocabulary_pb2.QUEUE_CUSTOMERS):
        return entry
    raise AssertionError("no entry")


async def until_skipped(client: TillsyncClient, customer: int, seconds: float = HANG_SECONDS) -> None:
    async def is_skipped() -> bool:
        entry = await newest_entry(client, "shop-1")
        return entry.epos_customer_id == customer and entry.state == vocabulary_pb2.ENTRY_STATE_SKIPPED

    await until(is_skipped, lambda: newest_entry(client, "shop-1"), seconds)


async def until_ready(running: RunningService) -> None:
    async def probe() -> int:
        async with running.http.get(f"{running.http_url}/readyz") as response:
            return response.status

    async def is_ready() -> bool:
        return await probe() == 200

    await until(is_ready, probe)


@pytest.mark.own_server
async def test_service_resumes_after_a_database_outage(directory: Path) -> None:
    """During the outage, requests get UNAVAILABLE. Afterwards requests, worker, notifications and probes work without a restart."""
    postgres = EmbeddedPostgres(directory, bin_dir=WHEEL, durable=True)
    dsn = await postgres.start()
    try:
        await migrate(dsn)
        async with running_service(dsn) as running:
            await running.add_account()
            await running.client.sync.sync_customer("shop-1", 1)
            await until_skipped(running.client, 1)
            await postgres.stop()
            for customer in range(2, 7):
                async with running.http.post(
                    f"{running.http_url}/tillsync.v1.CustomerSyncService/SyncCustomer",
                    json={"accountId": "shop-1", "eposCustomerId": str(customer)},
                    headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
                ) as response:
                    assert (response.status, (await response.json())["code"]) == (503, "unavailable")
            async with running.http.get(f"{running.http_url}/readyz") as response:
                assert response.status == 503
            async with running.http.get(f"{running.http_url}/healthz") as response:
                assert response.status == 200, "a restart of the service does not help"
            async with running.http.post(
                f"{running.http_url}/webhooks/eposnow/shop-1", json=5, headers={"Epos-Object": "Customer", "Authorization": "Basic eDp5"}
            ) as response:
                assert response.status == 503
            await postgres.start()
            await until_ready(running)
            await running.client.sync.sync_customer("shop-1", 3)
            await until_skipped(running.client, 3)
            listening = running.service.storage.notifications.listening
            await within(listening.wait())
            assert running.service.worker is not None
            assert running.service.worker.counters.lost_wakeups == 0
    finally:
        await postgres.stop()


@pytest.mark.own_server
async def test_stop_is_bounded_when_the_database_never_answers(directory: Path) -> None:
    """PostgreSQL's processes are suspended. Connections stay open, but PostgreSQL answers nothing, not even a cancel request."""
    postgres = EmbeddedPostgres(directory, bin_dir=WHEEL, durable=False)
    dsn = await postgres.start()
    suspended: list[psutil.Process] = []
    try:
        await migrate(dsn)
        service = Service(load_settings(environment(dsn, TILLSYNC_DRAIN_SECONDS="1")))
        await service.start()
        assert postgres.pid is not None
        server = psutil.Process(postgres.pid)
        suspended = [server, *server.children()]
        for process in suspended:
            process.suspend()
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{service.http_port}/readyz") as response:
            assert response.status == 503, "a database that hangs counts as unavailable"
        async with hang_limit("the stop"):
            await service.stop()
        leaked = {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        assert leaked <= {"embedded-postgres"}
    finally:
        for process in suspended:
            with contextlib.suppress(psutil.Error):
                process.resume()
        await postgres.stop()


async def test_stop_waits_for_a_call_under_way(database: TestDatabase) -> None:
    """The call waits for the lane's lock, which the test holds. The service answers the call before the stop, and stores the entry."""
    async with engine_world(database.dsn) as world, running_service(database.dsn, works=False) as running:
        await running.add_account()
        async with world.database.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("SELECT 1 FROM lane WHERE account_id = 'shop-1' FOR UPDATE")
            call = asyncio.create_task(running.client.sync.sync_customer("shop-1", 7))
            await world.until_lock_wait()
            stopping = asyncio.create_task(running.service.stop())
            await asyncio.sleep(0)
            await transaction.rollback()
        assert (await call).entry.epos_customer_id == 7
        await stopping
        assert await world.live("shop-1", 7) is not None


async def test_stop_of_an_idle_service_skips_the_drain_time_and_can_be_repeated(database: TestDatabase) -> None:
    """The drain time is longer than the test's limit."""
    service = Service(load_settings(environment(database.dsn, TILLSYNC_DRAIN_SECONDS="300")))
    await service.start()
    async with hang_limit("the stop"):
        await service.stop()
    await service.stop()
    leaked = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert leaked == []


async def test_failed_start_leaves_no_task(database: TestDatabase) -> None:
    async with running_service(database.dsn) as running:
        taken = f"127.0.0.1:{running.service.http_port}"
        with pytest.raises(StartError, match="HTTP cannot listen"):
            async with running_service(database.dsn, changes={"TILLSYNC_HTTP_LISTEN": taken}):
                raise AssertionError
    leaked = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert leaked == []


async def test_invalid_setting_prevents_the_start(database: TestDatabase) -> None:
    with pytest.raises(SettingsError, match="TILLSYNC_LEASE_SECONDS"):
        await Service(load_settings(environment(database.dsn, TILLSYNC_LEASE_SECONDS="20"))).start()


async def test_two_services_share_one_database(database: TestDatabase) -> None:
    """One service only serves and the other only works. NOTIFY wakes the worker before its next poll."""
    changes = {"TILLSYNC_POLL_SECONDS": "60"}
    async with (
        running_service(database.dsn, works=False, changes=changes) as serving,
        running_service(database.dsn, serves=False, changes=changes) as working,
    ):
        await within(working.service.storage.notifications.listening.wait())
        await serving.add_account()
        assert working.service.worker is not None
        counters = working.service.worker.counters
        await serving.client.sync.sync_customer("shop-1", 1)
        await until_skipped(serving.client, 1, seconds=30)  # half the polling interval
        await until(lambda: counters.completed >= 1, lambda: counters)  # the worker counts a completion after its commit


async def test_token_revoked_at_one_process_is_refused_by_the_other(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """NOTIFY invalidates the other process's cached result, which would otherwise last longer than the test's limit."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", NEVER_SECONDS)
    async with running_service(database.dsn, works=False) as one, running_service(database.dsn, works=False) as other:
        await within(other.service.storage.notifications.listening.wait())
        made = await one.client.accounts.create_token(token_pb2.TOKEN_ROLE_SUPPORT)
        async with TillsyncClient(other.grpc_address, made.secret) as client:
            await client.catalog.list_messages()
            await one.client.accounts.revoke_token(made.token.token_id)

            async def is_refused() -> bool:
                return not await accepts(other.service, made.secret)

            await until(is_refused)


async def accepts(service: Service, token: str) -> bool:
    async with TillsyncClient(f"127.0.0.1:{service.grpc_port}", token) as client:
        try:
            await client.catalog.list_messages()
        except UnauthenticatedError:
            return False
        return True


async def test_first_admin_token_is_created_once_and_kept(database: TestDatabase, directory: Path) -> None:
    def service() -> Service:
        return Service(load_settings(environment(database.dsn, TILLSYNC_ADMIN_TOKEN="", TILLSYNC_DATA_DIR=str(directory))), works=False)

    async with service() as first:
        path = first.admin_token_file
        assert path == directory / "admin-token"
        token = path.read_text().strip()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await accepts(first, token)
    async with service() as restarted:
        assert restarted.admin_token_file == path
        assert path.read_text().strip() == token
    path.unlink()
    async with service() as without_file:
        assert without_file.admin_token_file is None, "the service creates no second token while a valid admin token exists"
        assert not path.exists()


async def test_revoked_first_token_stays_revoked_after_a_restart(database: TestDatabase, directory: Path) -> None:
    settings = load_settings(environment(database.dsn, TILLSYNC_ADMIN_TOKEN="", TILLSYNC_DATA_DIR=str(directory)))
    async with Service(settings, works=False) as service:
        token = (directory / "admin-token").read_text().strip()
        async with TillsyncClient(f"127.0.0.1:{service.grpc_port}", token) as client:
            await client.accounts.create_token(token_pb2.TOKEN_ROLE_ADMIN, name="another")
            [first] = [made async for made in client.accounts.list_tokens() if made.name == "first admin token"]
            await client.accounts.revoke_token(first.token_id)
    async with Service(settings, works=False) as service:
        assert not await accepts(service, token)


async def test_token_file_that_other_users_can_read_prevents_the_start(database: TestDatabase, directory: Path) -> None:
    (directory / "admin-token").write_text("tls_" + "x" * 43)
    os.chmod(directory / "admin-token", 0o644)
    with pytest.raises(StartError, match="can be read by other users"):
        async with running_service(database.dsn, changes={"TILLSYNC_ADMIN_TOKEN": "", "TILLSYNC_DATA_DIR": str(directory)}):
            raise AssertionError


async def test_configured_admin_token_replaces_the_former_one(database: TestDatabase) -> None:
    one, two = "given-token-number-one-0123456789", "given-token-number-two-0123456789"

    def service(token: str) -> Service:
        return Service(load_settings(environment(database.dsn, TILLSYNC_ADMIN_TOKEN=token)), works=False)

    async with service(one) as first:
        assert first.admin_token_file is None
        assert await accepts(first, one)
        async with service(two) as second:
            assert await accepts(second, two)
            assert not await accepts(second, one)
            async with engine_world(database.dsn) as world:
                stored = await world.fetch("SELECT token_hash FROM token")
                assert all(two.encode() not in bytes(row["token_hash"]) for row in stored)


async def test_both_ports_speak_only_tls_with_a_certificate(database: TestDatabase, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    changes = {"TILLSYNC_TLS_CERT_FILE": str(certificate), "TILLSYNC_TLS_KEY_FILE": str(key)}
    settings = load_settings(environment(database.dsn, **changes))
    async with Service(settings, works=False) as service, aiohttp.ClientSession() as http:
        trust = ssl.create_default_context(cafile=str(certificate))
        url = f"https://127.0.0.1:{service.http_port}"
        async with http.post(
            f"{url}/tillsync.v1.AccountService/ListAccounts", json={}, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, ssl=trust
        ) as response:
            assert (response.status, await response.json()) == (200, {})
        async with http.get(f"http://127.0.0.1:{service.http_port}/healthz") as response:
            assert (response.status, "which speaks TLS: use https:// there" in await response.text()) == (400, True)
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        async with grpc.aio.secure_channel(f"127.0.0.1:{service.grpc_port}", credentials) as channel:
            stub = account_service_pb2_grpc.AccountServiceStub(channel)
            await stub.ListAccounts(
                account_service_pb2.ListAccountsRequest(), timeout=HANG_SECONDS, metadata=(("authorization", f"Bearer {ADMIN_TOKEN}"),)
            )


async def test_certificate_without_its_key_prevents_the_start(database: TestDatabase, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, wrong = self_signed(other)
    for cert_file, key_file in ((certificate, wrong), (key, key)):
        changes = {"TILLSYNC_TLS_CERT_FILE": str(cert_file), "TILLSYNC_TLS_KEY_FILE": str(key_file)}
        with pytest.raises(StartError):
            await Service(load_settings(environment(database.dsn, **changes)), works=False).start()
