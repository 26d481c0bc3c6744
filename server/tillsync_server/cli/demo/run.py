"""Runs the demo: it starts the service with its embedded PostgreSQL and both sandboxes, makes an account, tells the story and prints both
queues."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from tillsync.v1 import account_pb2, queue_entry_pb2
from tillsync_cli.queue_commands import print_entries
from tillsync_client import TillsyncClient, TillsyncError
from tillsync_sandbox import SandboxShop, SandboxTill

from tillsync_server.adapters.observability.logs import configure_logging
from tillsync_server.cli.demo.sample_data import SampleData, fill_the_sandbox
from tillsync_server.cli.demo.scenario import CUSTOMERS, ORDERS, DemoScenario, UnexpectedResultError
from tillsync_server.cli.demo.story import STORY
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings

ACCOUNT = "shop-a"


async def run_demo(console: Console, *, once: bool, grpc_port: int, http_port: int, until_stopped: Callable[[], Awaitable[None]]) -> bool:
    """Returns True if every step had its expected result. With ``once`` the demo ends after the story, otherwise when ``until_stopped``
    returns."""
    began = time.monotonic()
    with _data_directory() as data_dir, (data_dir / "service.log").open("w", encoding="utf-8") as log:
        token = secrets.token_urlsafe(32)
        console.print("Starting the embedded PostgreSQL, the service, a sandbox till and a sandbox shop ...")
        async with _service(data_dir, token, log, grpc_port, http_port) as service, SandboxTill() as till, SandboxShop() as shop:
            address = f"127.0.0.1:{service.grpc_port}"
            async with TillsyncClient(address, token, deadline_seconds=20) as client:
                data = fill_the_sandbox(till, shop)
                await _open_account(client, till, shop, data, service.http_port)
                console.print(f"Ready in {time.monotonic() - began:.1f} s. The account {ACCOUNT} joins the till to the shop.")
                scenario = DemoScenario(client, till, shop, data, ACCOUNT, console)
                good = await _run_story(scenario)
                await _print_queues(scenario)
            if once:
                _print_end(console, scenario, good=good, seconds=time.monotonic() - began)
                return good
            console.print(f"\nlog of the service: {data_dir / 'service.log'}", style="dim", soft_wrap=True)
            _print_lines_to_paste(console, address, service.operations_port, token, till, shop, data)
            await until_stopped()
            return good


async def _run_story(scenario: DemoScenario) -> bool:
    good = True
    for step in STORY:
        try:
            await step(scenario)
        except (UnexpectedResultError, TillsyncError, TimeoutError) as error:
            good = False
            scenario.console.print(f"  ✗ {error}", style="bold red")
    return good


@contextlib.asynccontextmanager
async def _service(data_dir: Path, token: str, log: TextIO, grpc_port: int, http_port: int) -> AsyncIterator[Service]:
    settings = load_settings(
        {
            "TILLSYNC_DATA_DIR": str(data_dir),
            "TILLSYNC_POSTGRES_BIN": os.environ.get("TILLSYNC_POSTGRES_BIN") or "wheel",  # so that each machine has the same PostgreSQL
            "TILLSYNC_ADMIN_TOKEN": token,
            "TILLSYNC_GRPC_LISTEN": f"127.0.0.1:{grpc_port}",
            "TILLSYNC_HTTP_LISTEN": f"127.0.0.1:{http_port}",
            "TILLSYNC_OPERATIONS_LISTEN": "127.0.0.1:0",
            "TILLSYNC_PUBLIC_URL": f"http://127.0.0.1:{http_port}" if http_port else "",
            "TILLSYNC_RETRY_BASE_SECONDS": "2",
            "TILLSYNC_TILL_SHARE": "1",
        }
    )
    configure_logging(settings.log_level, settings.log_format, stream=log)
    async with Service(settings) as service:
        yield service


async def _open_account(client: TillsyncClient, till: SandboxTill, shop: SandboxShop, data: SampleData, http_port: int) -> None:
    webhook_secret = secrets.token_urlsafe(24)
    epos = account_pb2.EposSettings(
        base_url=till.origin,
        api_key=till.switches.api_key,
        api_secret=till.switches.api_secret,
        webhook_key="till",
        webhook_secret=webhook_secret,
    )
    shop_settings = account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
    account = account_pb2.Account(
        name="Sandbox shop",
        customer_sync_enabled=True,
        default_epos_customer_id=data.walk_in,
        auto_link=True,
        trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_ALL,
        epos=epos,
        shop=shop_settings,
    )
    await client.accounts.create_account(ACCOUNT, account)
    till.switches.webhook_url = f"http://127.0.0.1:{http_port}/webhooks/eposnow/{ACCOUNT}"
    till.switches.webhook_key, till.switches.webhook_secret = "till", webhook_secret


async def _print_queues(scenario: DemoScenario) -> None:
    for queue, title in ((CUSTOMERS, "Customers Queue"), (ORDERS, "Orders Queue")):
        entries: list[queue_entry_pb2.QueueEntry] = [entry async for entry in scenario.client.sync.list_queue(scenario.account, queue)]
        scenario.console.print()
        print_entries(entries, title=title, console=scenario.console)


def _print_end(console: Console, scenario: DemoScenario, *, good: bool, seconds: float) -> None:
    if good:
        console.print(
            f"\nEvery step had its expected result: {scenario.completed} entries with their exact comments, in {seconds:.0f} s.",
            style="bold green",
        )
    else:
        console.print("\nSome steps did not have their expected result: see the lines marked ✗.", style="bold red")


def _print_lines_to_paste(
    console: Console, address: str, operations_port: int, token: str, till: SandboxTill, shop: SandboxShop, data: SampleData
) -> None:
    held = f'{{"accountId": "{ACCOUNT}", "queue": "QUEUE_ORDERS", "states": ["ENTRY_STATE_HELD"]}}'
    service = "tillsync.v1.CustomerSyncService"
    console.print("\nThe service goes on running. Paste into another terminal, in this folder:\n", style="bold")
    for line in (
        f"export TOKEN={token} TILLSYNC_TOKEN={token} TILLSYNC_ADDRESS={address}",
        f".venv/bin/tillsync queue list {ACCOUNT} orders --state held",
        f".venv/bin/tillsync link search {ACCOUNT} alan@example.test",
        f".venv/bin/tillsync account check {ACCOUNT}",
        f".venv/bin/buf curl --http2-prior-knowledge --protocol grpc -H \"Authorization: Bearer $TOKEN\" --reflect-header '*' "
        f"-d '{held}' http://{address}/{service}/ListQueue",
        f".venv/bin/grpcurl -plaintext -H \"Authorization: Bearer $TOKEN\" -d '{held}' {address} {service}/ListQueue",
        f"curl -s http://127.0.0.1:{operations_port}/metrics | grep tillsync_",
        f"curl -s -X PATCH {till.origin}/sandbox/customers/{data.ada_till} -d '{{\"CurrentPoints\": 999}}'   # at the till",
        f"curl -s {shop.origin}/sandbox/customers/{data.ada_shop}   # in the shop",
    ):
        console.print(line, soft_wrap=True)
    console.print("\nCtrl-C stops it and removes its data.", style="bold")


@contextlib.contextmanager
def _data_directory() -> Iterator[Path]:
    """Makes a directory and deletes it afterwards. It is under /var/tmp, because PostgreSQL runs as another user if we are root, and that
    user must be able to enter it."""
    directory = Path(tempfile.mkdtemp(prefix="tillsync-demo-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
