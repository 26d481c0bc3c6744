"""Caddy with deploy/Caddyfile in front of a real ``tillsync serve``: gRPC, Connect, webhooks, and what is not reached from outside."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from acceptance.test_document_commands import free_ports
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.certificates import self_signed
from support.directories import REPOSITORY
from support.postgres import TestDatabase
from support.programs import program
from support.service import ADMIN_TOKEN, Child, child, environment
from support.waiting import HANG_SECONDS, until, within
from tillsync.v1 import account_pb2, queue_service_pb2, queue_service_pb2_grpc, vocabulary_pb2
from tillsync_client import TillsyncClient

pytestmark = [pytest.mark.processes, pytest.mark.program("caddy")]
CADDYFILE = REPOSITORY / "deploy" / "Caddyfile"
ACCOUNT, CUSTOMERS = "shop-a", 5
SYNC = "/tillsync.v1.CustomerSyncService/SyncCustomer"
BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
WEBHOOK = {"Epos-Object": "Customer", "Authorization": aiohttp.encode_basic_auth("till", "webhooks-of-the-test")}
MIB = 1024 * 1024


@dataclass
class Proxy:
    """A running Caddy. ``certificate``: the issuer that its clients trust."""

    process: subprocess.Popen[bytes]
    port: int
    http_port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def health(self, channel: grpc.aio.Channel) -> Any:
        """The stream of the service's health."""
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return stub.Watch(health_pb2.HealthCheckRequest())

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(self.certificate))))

    def client(self) -> TillsyncClient:
        return TillsyncClient(self.url, ADMIN_TOKEN, deadline_seconds=HANG_SECONDS, root_certificates=self.certificate.read_bytes())

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", grpc.ssl_channel_credentials(self.certificate.read_bytes()))

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, HANG_SECONDS)


@asynccontextmanager
async def caddy(directory: Path, grpc_port: int, http_port: int, certificate: str) -> AsyncIterator[Proxy]:
    """Caddy on free ports of loopback. ``certificate``: CERTIFICATE of the Caddyfile."""
    tls_port, plain_port, health_port = free_ports(3)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "XDG_DATA_HOME": str(directory),
        "SITE_ADDRESS": "127.0.0.1",
        "CERTIFICATE": certificate,
        "BIND": "127.0.0.1",
        "HTTP_PORT": str(plain_port),
        "HTTPS_PORT": str(tls_port),
        "HEALTH_PORT": str(health_port),
        "GRACE": "1s",
        "GRPC_UPSTREAM": f"127.0.0.1:{grpc_port}",
        "HTTP_UPSTREAM": f"127.0.0.1:{http_port}",
    }
    root = directory / "caddy/pki/authorities/local/root.crt" if certificate == "internal" else Path(certificate.split()[0])
    log = directory / "caddy.log"
    with log.open("wb") as output:
        command = [str(program("caddy")), "run", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    try:
        async with aiohttp.ClientSession() as session:

            async def healthy() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    async with session.get(f"http://127.0.0.1:{health_port}/healthz") as answer:
                        return answer.status == 200 and root.exists()
                except aiohttp.ClientConnectionError:
                    return False

            await until(healthy, log.read_text)
        yield Proxy(process, tls_port, plain_port, root)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(HANG_SECONDS)


@dataclass
class Server:
    """Ports of a ``tillsync serve``, which a test may start again."""

    dsn: str
    directory: Path
    grpc_port: int
    http_port: int

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Child]:
        listen = {
            "TILLSYNC_GRPC_LISTEN": f"127.0.0.1:{self.grpc_port}",
            "TILLSYNC_HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
            "TILLSYNC_DRAIN_DELAY": "0.5",
        }
        with child(["serve"], environment(self.dsn, **listen), self.directory) as process:
            await process.started()
            yield process


@pytest.fixture
def server(database: TestDatabase, directory: Path) -> Server:
    return Server(database.dsn, directory, *free_ports(2))


@pytest_asyncio.fixture
async def proxy(server: Server, directory: Path) -> AsyncIterator[Proxy]:
    """Caddy with a given certificate. The service does not run yet."""
    certificate, key = self_signed(directory)
    async with caddy(directory, server.grpc_port, server.http_port, f"{certificate} {key}") as made:
        yield made


async def add_account(client: TillsyncClient) -> None:
    epos = account_pb2.EposSettings(
        base_url="http://127.0.0.1:9", api_key="k", api_secret="s", webhook_key="till", webhook_secret="webhooks-of-the-test"
    )
    await client.accounts.create_account(ACCOUNT, account_pb2.Account(customer_sync_enabled=True, epos=epos))


async def listed(client: TillsyncClient) -> set[int]:
    queue = client.sync.list_queue(ACCOUNT, vocabulary_pb2.QUEUE_CUSTOMERS, page_size=2)
    return {entry.epos_customer_id async for entry in queue}


async def test_grpc_calls_pages_and_streams_pass(server: Server, proxy: Proxy) -> None:
    """An idle stream stays open, and says when the service drains. Trailers with a status pass."""
    async with server.running() as service, proxy.client() as client, proxy.channel() as channel:
        await add_account(client)
        await asyncio.gather(*(client.sync.sync_customer(ACCOUNT, number) for number in range(1, CUSTOMERS + 1)))
        assert await listed(client) == set(range(1, CUSTOMERS + 1)), "over several pages"
        watched = queue_service_pb2_grpc.QueueServiceStub(channel).WatchQueue(
            queue_service_pb2.WatchQueueRequest(account_id=ACCOUNT), metadata=(("authorization", f"Bearer {ADMIN_TOKEN}"),)
        )
        assert await watched.code() == grpc.StatusCode.UNIMPLEMENTED
        health = proxy.health(channel)
        assert (await within(health.read())).status == health_pb2.HealthCheckResponse.SERVING
        stopped = asyncio.create_task(service.stop())
        assert (await within(health.read())).status == health_pb2.HealthCheckResponse.NOT_SERVING
        health.cancel()
        assert await stopped == 0


async def test_caddy_signs_a_certificate_itself(server: Server, directory: Path) -> None:
    async with caddy(directory, server.grpc_port, server.http_port, "internal") as proxy, proxy.session() as session:

        async def answered() -> int:
            try:
                async with session.get(f"{proxy.url}/metrics") as answer:
                    return answer.status
            except aiohttp.ClientConnectorSSLError:  # Caddy signs in the background
                return 0

        assert await until(answered) == 404


async def post(session: aiohttp.ClientSession, url: str, **arguments: Any) -> tuple[int, str]:
    async with session.post(url, **arguments) as answer:
        return answer.status, await answer.text()


async def test_connect_and_webhooks_pass_and_operations_do_not(server: Server, proxy: Proxy) -> None:
    async with (
        server.running(),
        proxy.client() as client,
        proxy.session() as session,
    ):
        await add_account(client)
        status, text = await post(session, proxy.url + SYNC, json={"accountId": ACCOUNT, "eposCustomerId": "7"}, headers=BEARER)
        assert (status, json.loads(text)["entry"]["eposCustomerId"]) == (200, "7")
        status, text = await post(session, proxy.url + SYNC, json={}, headers={"Authorization": "Bearer tls_wrong"})
        assert (status, json.loads(text)["code"]) == (401, "unauthenticated")

        webhook = f"{proxy.url}/webhooks/eposnow/{ACCOUNT}"
        wrong = WEBHOOK | {"Authorization": aiohttp.encode_basic_auth("till", "wrong")}
        assert await post(session, webhook, json={"CustomerID": 8}, headers=WEBHOOK) == (202, "")
        assert (await post(session, webhook, json={"CustomerID": 9}, headers=wrong))[0] == 401
        assert await listed(client) == {7, 8}

        for path in ("/metrics", "/healthz", "/readyz"):
            for headers in ({}, {"Content-Type": "application/grpc"}):
                assert (await post(session, proxy.url + path, headers=headers))[0] == 404
                async with session.get(proxy.url + path, headers=headers) as answer:
                    assert (answer.status, await answer.text()) == (404, ""), path
        async with session.get(f"http://127.0.0.1:{proxy.http_port}/x", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (308, "https://127.0.0.1/x")


async def test_large_bodies_are_refused_before_they_have_arrived(server: Server, proxy: Proxy) -> None:
    batch = "/tillsync.v1.CustomerSyncService/BatchMatchOrderCustomers"
    known, unknown = ({"Authorization": f"Bearer {token}", "Content-Type": "application/json"} for token in (ADMIN_TOKEN, "tls_wrong"))
    async with (
        server.running(),
        proxy.client() as client,
        proxy.session() as session,
    ):
        await add_account(client)
        for size in (4 * MIB + 1, 20 * MIB):
            status, text = await post(session, proxy.url + batch, data=io.BytesIO(b" " * size), headers=known)
            assert (status, "REQUEST_TOO_LARGE" in text) == (400, True), text
        assert (await post(session, proxy.url + batch, data=endless(), headers=unknown))[0] == 401
        webhook = {"data": io.BytesIO(b" " * MIB), "headers": {**WEBHOOK, "Content-Type": "application/json"}}
        assert (await post(session, f"{proxy.url}/webhooks/eposnow/{ACCOUNT}", **webhook))[0] == 413
        status, text = await post(session, proxy.url + SYNC, json={"accountId": ACCOUNT, "eposCustomerId": "7"}, headers=BEARER)
        assert status == 200, "the next call is served"


async def endless() -> AsyncIterator[bytes]:
    """A body without a length that never ends."""
    while True:
        yield b" " * 65_536
        await asyncio.sleep(0.001)


async def test_calls_wait_while_the_service_restarts(server: Server, proxy: Proxy) -> None:
    async with proxy.client() as client, proxy.session() as session:
        async with server.running() as service:
            await add_account(client)
            assert await service.stop() == 0
        body = {"accountId": ACCOUNT, "eposCustomerId": "7"}
        waiting = asyncio.gather(client.sync.sync_customer(ACCOUNT, 8), post(session, proxy.url + SYNC, json=body, headers=BEARER))
        async with server.running():
            _, (status, text) = await within(waiting)
            assert status == 200, text
            assert await listed(client) == {7, 8}


async def test_caddy_stops_although_a_stream_is_open(server: Server, proxy: Proxy) -> None:
    async with server.running(), proxy.channel() as channel:
        health = proxy.health(channel)
        await within(health.read())
        assert await proxy.stop() == 0
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await within(health.read())
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


def test_an_email_address_makes_caddy_get_the_certificate_by_acme(tmp_path: Path) -> None:
    variables = {"HOME": str(tmp_path), "SITE_ADDRESS": "sync.example.test", "CERTIFICATE": "operator@example.test"}
    command = [str(program("caddy")), "adapt", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
    adapted = subprocess.run(command, env=variables, capture_output=True, check=True, timeout=HANG_SECONDS)
    assert b"warn" not in adapted.stderr.lower()
    [policy] = json.loads(adapted.stdout)["apps"]["tls"]["automation"]["policies"]
    assert policy["subjects"] == ["sync.example.test"]
    assert {(issuer["module"], issuer["email"]) for issuer in policy["issuers"]} == {("acme", "operator@example.test")}
