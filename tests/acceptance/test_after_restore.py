"""The drill of docs/operating/database.md: load, backup, load, restore, `tillsync after-restore`. The test plays the plugin's outbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from support.directories import reachable_directory
from support.grpc_server import an_order
from support.postgres import TestDatabase
from support.service import environment, run_command, running_service
from support.waiting import until
from tillsync.v1 import account_pb2, token_pb2, vocabulary_pb2
from tillsync.v1.customer_sync_service_pb2 import MatchOrderCustomerResponse
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_sandbox.shop.stored import ShopOrder
from tillsync_server.application.use_cases.after_restore import Asked
from tillsync_server.composition.after_restore import RestoreReport, RestoreRun, after_restore
from tillsync_server.composition.backups import back_up
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.restoring import restore_backup
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import ServiceSettings, load_settings
from tillsync_server.domain.ids import AccountId

pytestmark = [pytest.mark.processes, pytest.mark.own_server]
ACCOUNT = "shop-a"
PROCESSED, HELD = vocabulary_pb2.ENTRY_STATE_PROCESSED, vocabulary_pb2.ENTRY_STATE_HELD


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


@dataclass
class Plugin:
    """The parts of the plugin that the sandbox shop lacks: it sends orders and stores their answers."""

    till: SandboxTill
    shop: SandboxShop

    async def order(self, client: TillsyncClient, number: int, email: str, user: int | None) -> MatchOrderCustomerResponse:
        order = an_order(number, woo_customer_id=user or 0, account_email=email if user else "", billing_email=email)
        answer = await client.sync.match_order(ACCOUNT, order)
        json = MessageToDict(answer)
        self.shop.store.orders[number] = ShopOrder(
            order_id=number,
            order_key=order.order_key,
            order_number=str(number),
            user_id=user,
            account_email=order.account_email,
            billing_email=order.billing_email,
            entry_id=answer.entry.entry_id,
            answer={
                "state": json["entry"]["state"],
                "outcome": json.get("outcome", ""),
                "notes": json.get("notes", []),
                "causes": [],
                "epos_customer_id": str(answer.epos_customer_id),
            },
            updated_at=time.time(),
        )
        return answer

    def points(self, user: int) -> str | None:
        row = self.shop.store.bridge_rows.get(user)
        return None if row is None or row.removed else row.points

    def shows(self, user: int, points: str | None) -> Any:
        return until(lambda: self.points(user) == points)


def settings_of(data: Path) -> ServiceSettings:
    return load_settings(environment(None, TILLSYNC_DATA_DIR=str(data)))


def account_of(till: SandboxTill, shop: SandboxShop) -> account_pb2.Account:
    epos = account_pb2.EposSettings(
        base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret, requests_per_minute=60_000
    )
    connected = account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
    trusted = account_pb2.TRUSTED_ACCOUNTS_ALL
    return account_pb2.Account(customer_sync_enabled=True, auto_link=True, trusted_accounts=trusted, epos=epos, shop=connected)


async def command(data: Path, *arguments: str, code: int = 0) -> str:
    ran = await asyncio.to_thread(run_command, ["after-restore", *arguments], environment(None, TILLSYNC_DATA_DIR=str(data)))
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


async def test_restored_database_takes_over_the_answers_of_the_shop(directory: Path) -> None:
    data, new, file = directory / "data", directory / "new", directory / "backup"
    async with SandboxTill() as till, SandboxShop() as shop:
        plugin = Plugin(till, shop)
        ada = till.add_customer(email="ada@example.test", points=10)
        till.add_customer(email="eve@example.test", points=3)
        ada_user, eve_user = shop.add_customer(email="ada@example.test"), shop.add_customer(email="eve@example.test")
        bob_user, cyd_user = shop.add_customer(email="bob@example.test"), shop.add_customer(email="cyd@example.test")
        cyd = till.add_customer(email="cyd-at-the-till@example.test", points=7)
        for _ in range(2):
            till.add_customer(email="dup@example.test")
        async with running_service(None, changes={"TILLSYNC_DATA_DIR": str(data)}) as service:
            client = service.client
            await client.accounts.create_account(ACCOUNT, account_of(till, shop))
            token = (await client.accounts.create_token(token_pb2.TOKEN_ROLE_SUPPORT, name="lost laptop")).token
            site = await client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id=ACCOUNT)
            shop.store.site_token = site.secret
            await plugin.order(client, 1, "ada@example.test", ada_user)
            await plugin.order(client, 2, "eve@example.test", eve_user)
            await asyncio.gather(plugin.shows(ada_user, "10"), plugin.shows(eve_user, "3"))
            await back_up(service.service.settings, file, with_secret_key=True, progress=lambda _line: None)

            created = await plugin.order(client, 3, "bob@example.test", bob_user)
            assert created.outcome == vocabulary_pb2.OUTCOME_CUSTOMER_CREATED
            bob = created.epos_customer_id
            held = await plugin.order(client, 4, "guest@example.test", None)
            assert held.entry.state == HELD, "no default customer is set"
            await client.links.create_link(ACCOUNT, cyd, cyd_user)
            await client.links.delete_link(ACCOUNT, woo_customer_id=eve_user)
            await client.accounts.revoke_token(token.token_id)
            till.change_customer(ada, points=25)
            await client.sync.sync_customer(ACCOUNT, ada)
            await asyncio.gather(plugin.shows(ada_user, "25"), plugin.shows(cyd_user, "7"), plugin.shows(eve_user, None))
            await until(lambda: shop.store.event_sequences.get("order:4"))
        # The service and its database are lost. The till changes while nothing runs.
        till.change_customer(ada, points=10)
        till.change_customer(bob, email="bob-moved@example.test")
        version = shop.store.bridge_rows[ada_user].version

        await restore_backup(settings_of(new), file, lambda _line: None)
        with pytest.raises(StartError, match="run `tillsync after-restore` first"):
            async with Service(settings_of(new)):
                pass
        dry = await command(new, "--dry-run")
        output = await command(new, "--revoke-token", token.token_id)
        for shown, queued in ((dry, "2"), (output, "3")):  # a dry run counts the links of the database as it is
            assert _numbers(shown) == ["asked", "1", "1", "2", "1", queued, "0"], shown
            assert f"shop customer {eve_user}: unlinked" in shown
            assert site.token.token_id not in shown, "the shop's own token needs no decision"
        assert "the restore is ended" in output
        assert token.token_id in dry
        assert token.token_id not in output

        async with running_service(None, changes={"TILLSYNC_DATA_DIR": str(new)}) as service:
            client = service.client
            # no order without an answer, and no other answer
            kept = await client.sync.match_order(ACCOUNT, an_order(3, woo_customer_id=bob_user, account_email="bob@example.test"))
            assert (kept.entry.state, kept.epos_customer_id) == (PROCESSED, bob)
            await until(lambda: shop.store.event_sequences["order:4"] > 1_000_000)
            again = await plugin.order(client, 4, "guest@example.test", None)
            assert again.entry.state == HELD
            # no older value over a newer, and no value for an unlinked person
            await plugin.shows(ada_user, "10")
            assert shop.store.bridge_rows[ada_user].version > version
            assert plugin.points(eve_user) is None
            # no twin: links that email alone does not find again, and a new customer only after lost creates have settled
            for number, email, user, customer in ((5, "bob@example.test", bob_user, bob), (6, "cyd@example.test", cyd_user, cyd)):
                answer = await plugin.order(client, number, email, user)
                assert (answer.outcome, answer.epos_customer_id) == (vocabulary_pb2.OUTCOME_MATCHED_LINK, customer)
            new_user = shop.add_customer(email="new@example.test")
            waits = await client.sync.match_order(
                ACCOUNT, an_order(7, woo_customer_id=new_user, account_email="new@example.test"), deadline_seconds=3
            )
            assert any("restored a moment ago" in note for note in waits.notes), waits
        assert [till.customers_by_email(email) for email in ("bob@example.test", "cyd@example.test", "new@example.test")] == [[], [], []]


def _numbers(output: str) -> list[str]:
    """The cells of the account's row: shop, answers kept, asked again, links restored, unlinked, customers and types queued."""
    [row] = [line for line in output.splitlines() if "│" in line and ACCOUNT in line]
    return row.replace("│", " ").split()[1:]


async def run(database: TestDatabase, *arguments: str, code: int = 0) -> str:
    ran = await asyncio.to_thread(run_command, ["after-restore", *arguments], environment(database.dsn))
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stdout + ran.stderr


async def compare(database: TestDatabase, options: RestoreRun) -> RestoreReport:
    return await after_restore(load_settings(environment(database.dsn)), options, lambda _line: None)


async def test_shop_that_cannot_be_asked_keeps_the_service_from_starting_until_it_is_finished(database: TestDatabase) -> None:
    since = datetime(2026, 11, 25, 2, tzinfo=UTC)
    async with SandboxTill() as till, SandboxShop() as shop, SandboxShop() as old_shop:
        old_shop.switches.bridge_api = 2
        shop.store.site_settings = {"autoLink": False}
        async with running_service(database.dsn) as service:
            away = account_of(till, shop)
            away.shop.base_url = "http://127.0.0.1:9"
            without_bridge = account_of(till, shop)
            without_bridge.shop.Clear()
            accounts = {"asked": account_of(till, shop), "away": away, "keys": without_bridge, "old": account_of(till, old_shop)}
            for name, account in accounts.items():
                account.till_id = name
                await service.client.accounts.create_account(name, account)

        for options, refused in (
            (RestoreRun(), "name the time of the backup with --since"),
            (RestoreRun(since=since, accounts=[AccountId("nobody")]), "account nobody does not exist"),
            (RestoreRun(since=since, revoked_tokens=["tok_none"]), "no token has the id tok_none"),
        ):
            with pytest.raises(StartError, match=refused):
                await compare(database, options)
        output = await run(database, "--since", since.isoformat(), code=1)
        assert _column(output) == {"asked": "asked", "away": "NOT ASKED", "keys": "no bridge", "old": "NOT ASKED"}
        assert "old: not asked: the tillsync bridge plugin in the shop cannot say what it stored: update it" in output
        assert "asked: setting auto_link: on in the database, off in the shop" in output
        assert "asked: the shop's token is not valid in the database" in output
        assert "the service does not start yet" in output
        with pytest.raises(StartError, match="2026-11-25 02:00:00 UTC"):
            async with running_service(database.dsn):
                pass
        old_shop.switches.bridge_api = 3
        output = await run(database, "--finish", code=1)
        assert _column(output) == {"asked": "asked before", "away": "NOT ASKED", "keys": "asked before", "old": "asked"}
        assert "the restore is ended" in output
        async with running_service(database.dsn):
            [report] = (await compare(database, RestoreRun(since=since, accounts=[AccountId("asked")]))).accounts
            assert report.asked is Asked.YES, "one account may be repeated beside the service"
        async with running_service(database.dsn):
            pass


def _column(output: str) -> dict[str, str]:
    """The table's second column by its first."""
    cells = [line.strip("│").split("│") for line in output.splitlines() if line.startswith("│")]
    return {row[0].strip(): row[1].strip() for row in cells}
