"""Real ``tillsync`` processes: start, second start, stop and restart, error messages, and no personal data or credentials in the log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest
from support.directories import reachable_directory
from support.postgres import Cluster, TestDatabase
from support.service import ADMIN_TOKEN, child, environment, run_command
from support.waiting import HANG_SECONDS, until
from tillsync.v1 import account_pb2, customer_sync_service_pb2, order_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill

pytestmark = pytest.mark.processes


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


def embedded(directory: Path, **changes: str) -> dict[str, str]:
    return environment(None, TILLSYNC_DATA_DIR=str(directory / "data"), **changes)


def processes_of(directory: Path) -> list[str]:
    """Command lines that contain the directory, of all running processes."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(directory) in " ".join(process.cmdline()):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.own_server
async def test_serve_runs_with_the_embedded_database_and_survives_a_restart(directory: Path) -> None:
    """The first start creates token and key files that only their owner can read. A second process on the same data is refused."""
    variables = embedded(directory, TILLSYNC_ADMIN_TOKEN="")
    with child(["serve"], variables, directory) as first:
        await first.started()
        data = directory / "data"
        assert f"@{data / 'admin-token'}" in "\n".join([*first.lines, await asyncio.to_thread(first.process.stdout.readline)])  # type: ignore[union-attr]
        for name in ("admin-token", "secret-key"):
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
        token = (data / "admin-token").read_text().strip()
        async with TillsyncClient(f"127.0.0.1:{first.grpc_port}", token) as client:
            await client.accounts.create_account(
                "shop-1", account_pb2.Account(epos=account_pb2.EposSettings(api_key="a-key", api_secret="s"))
            )
        second = await asyncio.to_thread(run_command, ["serve"], variables)
        assert second.returncode == 1
        assert f"another tillsync (pid {first.process.pid}) uses {data}" in second.stderr
        assert "Traceback" not in second.stderr
        status = await asyncio.to_thread(run_command, ["status"], variables)
        assert (status.returncode, "accounts: 1," in status.stdout) == (0, True), status
        assert await first.stop() == 0
    assert processes_of(directory) == []
    with child(["serve"], variables, directory) as restarted:
        await restarted.started()
        assert (data / "admin-token").read_text().strip() == token
        async with TillsyncClient(f"127.0.0.1:{restarted.grpc_port}", token) as client:
            assert (await client.accounts.get_account("shop-1")).epos.has_api_key
        assert await restarted.stop(signal.SIGINT) == 0
    assert processes_of(directory) == []


@pytest.mark.own_server
async def test_killed_service_leaves_no_orphan_and_keeps_enqueued_entries(directory: Path) -> None:
    variables = embedded(directory)
    with child(["serve"], variables, directory) as killed:
        await killed.started()
        async with TillsyncClient(f"127.0.0.1:{killed.grpc_port}", ADMIN_TOKEN) as client:
            await client.accounts.create_account("shop-1", account_pb2.Account())
            await client.sync.sync_customer("shop-1", 90001)
        killed.process.kill()
        killed.process.wait(timeout=HANG_SECONDS)
    await until(lambda: not processes_of(directory), lambda: processes_of(directory))
    with child(["serve", "--no-worker"], variables, directory) as restarted:
        await restarted.started()
        async with TillsyncClient(f"127.0.0.1:{restarted.grpc_port}", ADMIN_TOKEN) as client:
            entries = [entry async for entry in client.sync.list_queue("shop-1", vocabulary_pb2.QUEUE_CUSTOMERS)]
        assert [entry.epos_customer_id for entry in entries] == [90001], "the entry was enqueued before the kill"


@pytest.mark.own_server
async def test_signal_during_the_start_stops_the_service(directory: Path) -> None:
    with child(["serve"], embedded(directory), directory) as starting:
        await until((directory / "data" / "postgres.lock").exists, lambda: starting.errors)
        assert await starting.stop() == 0
    assert processes_of(directory) == []


@asynccontextmanager
async def unmigrated_database(cluster: Cluster) -> AsyncIterator[str]:
    connection = await asyncpg.connect(cluster.server.dsn())
    name = f"unmigrated_{os.getpid()}"
    await connection.execute(f"CREATE DATABASE {name}")
    try:
        yield cluster.server.dsn(name)
    finally:
        await connection.execute(f"DROP DATABASE {name}")
        await connection.close()


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_missing_schema_is_an_error_that_names_tillsync_migrate(cluster: Cluster, directory: Path, command: str) -> None:
    async with unmigrated_database(cluster) as dsn:
        refused = await asyncio.to_thread(run_command, [command], environment(dsn, TILLSYNC_DATA_DIR=str(directory)))
        assert refused.returncode == 1
        assert "tillsync migrate" in refused.stderr
        assert "Traceback" not in refused.stderr


async def test_serve_and_worker_start_after_tillsync_migrate(cluster: Cluster, directory: Path) -> None:
    async with unmigrated_database(cluster) as dsn:
        variables = environment(dsn, TILLSYNC_DATA_DIR=str(directory))
        migrated = await asyncio.to_thread(run_command, ["migrate"], variables)
        assert (migrated.returncode, migrated.stdout.startswith("applied: 0001")) == (0, True)
        assert "nothing to do" in (await asyncio.to_thread(run_command, ["migrate"], variables)).stdout
        with child(["serve"], variables, directory) as serving, child(["worker"], variables, directory) as worker:
            await serving.started()
            await worker.started()
            async with aiohttp.ClientSession() as session, session.get(f"{worker.operations_url}/readyz") as response:
                assert response.status == 200
            assert await worker.stop() == 0
            assert await serving.stop() == 0


@pytest.mark.parametrize(
    ("command", "variables", "code", "message"),
    [
        (["serve"], {"TILLSYNC_LEASE_SECONDS": "20"}, 2, "TILLSYNC_LEASE_SECONDS"),
        (["serve"], {"TILLSYNC_LEASE_SECONDS": "soon"}, 2, "TILLSYNC_LEASE_SECONDS"),
        (["serve"], {"TILLSYNC_HTTP_LISTEN": "0.0.0.0:0"}, 2, "without TLS"),
        (["serve"], {"TILLSYNC_OPERATIONS_LISTEN": "0.0.0.0:0"}, 2, "TILLSYNC_OPERATIONS_LISTEN reaches beyond loopback without TLS"),
        (["serve"], {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}, 2, "TILLSYNC_SECRET_KEY"),
        (["serve"], {"DATABASE_URL": "postgresql://u:pa55@127.0.0.1:1/x", "TILLSYNC_SECRET_KEY": "k" * 32}, 1, "no connection"),
        (["serve"], {"DATABASE_URL": "mysql://u:pa55@127.0.0.1:1/x", "TILLSYNC_SECRET_KEY": "k" * 32}, 1, "DATABASE_URL is no postgresql"),
        (["serve"], {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x", "TILLSYNC_SECRET_KEY": "short"}, 1, "at least 32"),
        (["migrate"], {"DATABASE_URL": "postgresql://u:pa55@127.0.0.1:1/x", "TILLSYNC_SECRET_KEY": "k" * 32}, 1, "no connection"),
        (["worker"], {}, 2, "set DATABASE_URL"),
        (["sandbox", "--till", "0.0.0.0:0"], {}, 2, "loopback only"),
        (["serve", "--nonsense"], {}, 2, "No such option"),
        (["nonsense"], {}, 2, "No such command"),
    ],
)
def test_command_error_names_the_wrong_setting_and_shows_no_password(
    command: list[str], variables: dict[str, str], code: int, message: str, directory: Path
) -> None:
    run = run_command(command, {"TILLSYNC_DATA_DIR": str(directory / "data"), **variables})
    assert run.returncode == code, run.stderr
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert "pa55" not in run.stderr + run.stdout


@pytest.mark.own_server
def test_address_in_use_is_named_in_the_error(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for variable, side in (
            ("TILLSYNC_HTTP_LISTEN", "HTTP"),
            ("TILLSYNC_GRPC_LISTEN", "gRPC"),
            ("TILLSYNC_OPERATIONS_LISTEN", "operations"),
        ):
            run = run_command(["serve"], embedded(directory, **{variable: address}))
            assert run.returncode == 1
            assert f"{side} cannot listen on {address}" in run.stderr
            assert "Traceback" not in run.stderr
    assert processes_of(directory) == []


def test_settings_command_lists_values_without_secrets(directory: Path) -> None:
    variables = {"TILLSYNC_LEASE_SECONDS": "44", "TILLSYNC_ADMIN_TOKEN": "t" * 30, "TILLSYNC_DATA_DIR": str(directory)}
    table = run_command(["settings"], variables)
    assert table.returncode == 0
    assert "TILLSYNC_LEASE_SECONDS" in table.stdout
    assert "44 s" in table.stdout
    listed = json.loads(run_command(["settings", "--json"], variables).stdout)
    assert listed["TILLSYNC_LEASE_SECONDS"]["value"] == "44"
    assert listed["TILLSYNC_LEASE_SECONDS"]["default"] == "30"
    assert "t" * 30 not in table.stdout + str(listed)


async def test_reencrypt_stores_credentials_under_the_new_key(database: TestDatabase, directory: Path) -> None:
    def variables(*keys: str) -> dict[str, str]:
        return environment(database.dsn, TILLSYNC_SECRET_KEY=",".join(key * 32 for key in keys), TILLSYNC_DATA_DIR=str(directory))

    with child(["serve", "--no-worker"], variables("a"), directory) as serving:
        await serving.started()
        async with TillsyncClient(f"127.0.0.1:{serving.grpc_port}", ADMIN_TOKEN) as client:
            account = account_pb2.Account(epos=account_pb2.EposSettings(api_key="the-key", api_secret="the-secret"))
            await client.accounts.create_account("shop-1", account)
    rewritten = await asyncio.to_thread(run_command, ["reencrypt"], variables("b", "a"))
    assert (rewritten.returncode, rewritten.stdout.strip()) == (0, "accounts rewritten: 1")
    repeated = await asyncio.to_thread(run_command, ["reencrypt"], variables("b"))
    assert (repeated.returncode, repeated.stdout.strip()) == (0, "accounts rewritten: 0"), "the new key alone decrypts all credentials"
    wrong = await asyncio.to_thread(run_command, ["reencrypt"], variables("a"))
    assert wrong.returncode == 1
    assert "TILLSYNC_SECRET_KEY" in wrong.stderr


async def test_status_names_the_oldest_transaction_of_another_program(database: TestDatabase, directory: Path) -> None:
    variables = environment(database.dsn, TILLSYNC_DATA_DIR=str(directory))
    idle = await asyncio.to_thread(run_command, ["status"], variables)
    assert (idle.returncode, "oldest foreign transaction: none" in idle.stdout) == (0, True), idle
    holder = await asyncpg.connect(database.dsn, server_settings={"application_name": "pg_dump"})
    await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await holder.fetchval("SELECT count(*) FROM tillsync.lane")
    status = await asyncio.to_thread(run_command, ["status"], variables)
    assert f"oldest foreign transaction: session {holder.get_server_pid()} of role" in status.stdout
    assert "application 'pg_dump', idle in transaction" in status.stdout
    assert "warning" not in status.stdout, "a transaction that began a moment ago is no warning"
    listed = json.loads((await asyncio.to_thread(run_command, ["status", "--json"], variables)).stdout)
    assert listed["oldest_foreign"]["name"] == "pg_dump"
    await holder.close()
    stopped = await asyncio.to_thread(run_command, ["status"], environment(None, TILLSYNC_DATA_DIR=str(directory / "none")))
    assert (stopped.returncode, "no embedded PostgreSQL runs in" in stopped.stderr) == (1, True), stopped


async def test_debug_log_has_no_personal_data_and_no_credential(database: TestDatabase, directory: Path) -> None:
    """The service matches an order, holds an order, fails a sync and refuses a token, with the log level debug."""
    person = {"first": "Xanthippe", "last": "Quillfeather", "email": "xanthippe.quillfeather@example.test", "phone": "01632 960777"}
    till, shop = SandboxTill(), SandboxShop()
    customer = till.add_customer(forename=person["first"], surname=person["last"], email=person["email"], phone=person["phone"])
    twins = [till.add_customer(forename=person["first"], surname=person["last"], email="twin-" + person["email"]) for _ in range(2)]
    shopper = shop.add_customer(email=person["email"], first_name=person["first"], last_name=person["last"], phone=person["phone"])
    variables = environment(database.dsn, TILLSYNC_LOG_LEVEL="debug", TILLSYNC_DATA_DIR=str(directory), TILLSYNC_RETRY_BASE_SECONDS="0.1")
    async with till, shop:
        with child(["serve"], variables, directory) as serving:
            await serving.started()
            async with TillsyncClient(f"127.0.0.1:{serving.grpc_port}", ADMIN_TOKEN) as client:
                account = account_pb2.Account(
                    sync_names=True,
                    sync_phone=True,
                    default_epos_customer_id=till.add_customer(forename="Web orders"),
                    epos=account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret),
                    shop=account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret),
                )
                await client.accounts.create_account("shop-1", account)
                order = order_pb2.Order(
                    order_id=1,
                    order_key="a" * 64,
                    woo_customer_id=shopper,
                    account_email=person["email"],
                    billing_email=person["email"],
                    first_name=person["first"],
                    last_name=person["last"],
                    phone=person["phone"],
                    email_confirmation=order_pb2.EMAIL_CONFIRMATION_CONFIRMED,
                )
                order.create_time.FromDatetime(datetime.now(UTC))
                assert (await client.sync.match_order("shop-1", order)).epos_customer_id == customer
                order.order_id, order.woo_customer_id, order.account_email = 2, 77, "twin-" + person["email"]
                held = await client.sync.match_order("shop-1", order)
                assert held.outcome == vocabulary_pb2.OUTCOME_DUPLICATE_EMAIL, twins
                await till.stop()
                await client.sync.sync_customer("shop-1", customer, force=True)

                async def has_a_problem() -> bool:
                    return (await client.sync.list_queue_page(_queue("shop-1"))).HasField("problem")

                await until(has_a_problem, lambda: serving.errors)
            async with TillsyncClient(f"127.0.0.1:{serving.grpc_port}", "tls_wrong-token-that-nobody-should-read-anywhere") as unknown:
                with pytest.raises(Exception, match="token"):
                    await unknown.accounts.get_account("shop-1")
            assert await serving.stop() == 0
            lines = [json.loads(line) for line in serving.errors.splitlines()]
            log = serving.errors.lower()
    assert any(line["event"] == "started" for line in lines)
    assert any(line["event"] == "stopped" for line in lines)
    secrets = [
        till.switches.api_key,
        till.switches.api_secret,
        shop.switches.bridge_secret,
        ADMIN_TOKEN,
        "tls_wrong",
        "test-only",
        "@example",
    ]
    for text in (*person.values(), *secrets, "xanthippe", "quillfeather"):
        assert text.lower() not in log, f"the log has {text}"


def _queue(account: str) -> customer_sync_service_pb2.ListQueueRequest:
    return customer_sync_service_pb2.ListQueueRequest(account_id=account, queue=vocabulary_pb2.QUEUE_CUSTOMERS)
