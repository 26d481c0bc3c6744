"""Runs the command line as a user does, against a real service with sandboxes of till and shop."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.bridge_releases import make_release
from support.grpc_server import an_order
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, PROGRAM, RunningService, command_environment, running_service
from support.waiting import until, within
from tillsync.v1 import token_pb2
from tillsync_sandbox import SandboxShop, SandboxTill

pytestmark = pytest.mark.processes


@dataclass
class Shell:
    service: RunningService
    till: SandboxTill
    shop: SandboxShop

    async def type(
        self, *arguments: str, code: int = 0, token: str = ADMIN_TOKEN, stdin: int = asyncio.subprocess.DEVNULL, **variables: str
    ) -> str:
        """Runs the command and returns its output. The exit code must be ``code``."""
        process = await asyncio.create_subprocess_exec(
            str(PROGRAM),
            *arguments,
            env=command_environment(TILLSYNC_ADDRESS=self.service.grpc_address, TILLSYNC_TOKEN=token, **variables),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await within(process.communicate())
        assert process.returncode == code, output.decode()
        return output.decode()

    async def answer(self, answer: str, *arguments: str, code: int = 0) -> str:
        """Runs the command at a terminal and gives this answer to its question."""
        keyboard, terminal = pty.openpty()
        try:
            os.write(keyboard, f"{answer}\n".encode())
            return await self.type(*arguments, code=code, stdin=terminal)
        finally:
            os.close(keyboard)
            os.close(terminal)

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self.type(*arguments, "--json"))

    async def until(self, *arguments: str, text: str) -> str:
        printed = ""

        async def is_printed() -> bool:
            nonlocal printed
            printed = await self.type(*arguments)
            return text in printed

        await until(is_printed, lambda: printed)
        return printed


@asynccontextmanager
async def open_shell(database: TestDatabase) -> AsyncIterator[Shell]:
    public = {"TILLSYNC_PUBLIC_URL": "https://sync.example.test", "TILLSYNC_ALLOWED_HOSTS": "127.0.0.1"}
    async with running_service(database.dsn, changes=public) as service, SandboxTill() as till, SandboxShop() as shop:
        yield Shell(service, till, shop)


@pytest_asyncio.fixture
async def shell(database: TestDatabase) -> AsyncIterator[Shell]:
    async with open_shell(database) as made:
        await made.type(
            *("account", "create", "shop-a", "--name", "Corner shop", "--till-url", made.till.origin, "--shop-url", made.shop.origin),
            *("--till-key", made.till.switches.api_key, "--till-secret", made.till.switches.api_secret),
            *("--bridge-secret", made.shop.switches.bridge_secret, "--guest-policy", "match-only"),
        )
        yield made


async def test_account_commands_create_show_change_and_check(shell: Shell, tmp_path: Any) -> None:
    shown = await shell.type("account", "show", "shop-a")
    for address in ("/webhooks/eposnow/till/shop-a (of the till", "/webhooks/eposnow/shop-a (of this account"):
        assert address in shown
    assert "Corner shop" in shown
    assert "match only" in shown
    assert "bridge" in shown
    assert shell.till.switches.api_secret not in shown, "the command never shows a secret"
    secret = tmp_path / "key"
    secret.write_text(shell.till.switches.api_secret + "\n")
    changed = await shell.type("account", "set", "shop-a", "--no-sync", "--till-secret", f"@{secret}", "--requests-per-minute", "600")
    assert "off" in changed
    account = await shell.json("account", "show", "shop-a")
    assert (account["customerSyncEnabled"], account["epos"]["requestsPerMinute"], account["epos"]["hasApiSecret"]) == (False, 600, True)
    assert "shop-a" in await shell.type("account", "list")
    shell.till.add_customer(email="ada@example.test")
    assert "everything works" in await shell.type("account", "check", "shop-a")
    shell.till.switches.wrong_address = True
    wrong = await shell.type("account", "check", "shop-a", code=1)
    assert "wrong" in wrong
    assert "→" in wrong, "the output names the remedy"


async def test_account_shows_trusted_accounts_and_link_list_shows_unconfirmed_links(shell: Shell) -> None:
    assert (await shell.json("account", "show", "shop-a"))["trustedAccounts"] == "TRUSTED_ACCOUNTS_CONFIRMED_ONLY"
    assert "registered before 20" in await shell.type("account", "set", "shop-a", "--trusted-accounts", "registered-before")
    await shell.type("account", "set", "shop-a", "--trusted-accounts", "all")
    assert "trustedBeforeTime" not in await shell.json("account", "show", "shop-a")
    assert "no links" in await shell.type("link", "list", "shop-a", "--unconfirmed")
    customer = shell.till.add_customer(email="ada@example.test")
    await shell.service.client.sync.match_order("shop-a", an_order(account_email="ada@example.test", billing_email="ada@example.test"))
    listed = await shell.until("link", "list", "shop-a", "--unconfirmed", text=str(customer))
    assert "trusted account" in listed


async def test_account_commands_show_a_warning(shell: Shell) -> None:
    shell.shop.switches.event_types = ()
    default = shell.till.add_customer(forename="Web", surname="Orders")
    await shell.type("account", "set", "shop-a", "--default-customer", str(default))
    await shell.service.client.sync.match_order("shop-a", an_order(1042, woo_customer_id=0, account_email=""))
    shown = await shell.until("account", "show", "shop-a", text="warning")
    assert "Update the tillsync bridge plugin in the shop" in " ".join(re.sub("[│\\n]", " ", shown).split())
    assert "does not understand what it is told" in " ".join(re.sub("[│\\n]", " ", await shell.type("account", "list")).split())
    assert "events_refused" in await shell.type("account", "check", "shop-a")


async def test_link_create_and_sync_customer_bring_the_points(shell: Shell) -> None:
    epos = shell.till.add_customer(forename="Ada", email="ada@example.test", points=120)
    woo = shell.shop.add_customer(email="ada@example.test")
    assert "is linked" in await shell.type("link", "create", "shop-a", str(epos), str(woo))
    listed = await shell.until("queue", "list", "shop-a", "customers", text="Successfully Updated")
    assert "PROCESSED" in listed
    assert "1 processed" in listed
    shell.till.change_customer(epos, points=7)
    assert "entry" in await shell.type("sync", "customer", "shop-a", str(epos), "--force")
    await shell.shop.wait_for(lambda: shell.shop.store.bridge_rows[woo].points == "7")
    many = await shell.json("sync", "customer", "shop-a", str(epos), "555", "--bulk")
    assert [each["entry"]["priority"] for each in many] == ["PRIORITY_BULK"] * 2
    await shell.until("queue", "list", "shop-a", "customers", "--outcome", "customer_not_linked", text="Customer is not linked")
    links = await shell.json("link", "list", "shop-a")
    assert [(link["eposCustomerId"], link["wooCustomerId"], link["usable"]) for link in links] == [(str(epos), str(woo), True)]
    assert "no longer linked" in await shell.type("link", "delete", "shop-a", "--woo-customer", str(woo))
    assert "no links" in await shell.type("link", "list", "shop-a")


async def test_sync_type_brings_the_customer_type(shell: Shell) -> None:
    gold = shell.till.add_type(name="Gold", discount="5.0")
    assert "entry" in await shell.type("sync", "type", "shop-a", str(gold), "add")
    await shell.shop.wait_for(lambda: gold in shell.shop.store.customer_types)


async def test_held_order_is_listed_shown_and_resolved(shell: Shell) -> None:
    alans = [
        shell.till.add_customer(forename=name, email="alan@example.test", points=points) for name, points in (("Alan", 500), ("A.", 0))
    ]
    woo = shell.shop.add_customer(email="alan@example.test")
    order = ("match", "shop-a", "1042", "--created", "2026-03-01T09:30", "--key", "wc_order_x", "--woo-customer", str(woo))
    answered = await shell.type(*order, "--account-email", "alan@example.test", "--first-name", "Alan", "--last-name", "Mathison")
    assert "HELD" in answered
    assert "more than one customer in EposNow with the same email address." in " ".join(answered.replace("│", " ").split())
    found = await shell.json("queue", "list", "shop-a", "orders", "--order", "1042", "--state", "held", "--email", "Alan@Example.test")
    [entry] = found["entries"]
    assert "alan@example.test" not in json.dumps(found), "the command masks emails"
    shown = await shell.type("queue", "show", "shop-a", entry["entryId"])
    assert "Attempts" in shown
    assert "what to do" in shown
    assert f"│{entry['entryId']} │" in await shell.type("queue", "list", "shop-a", "orders", COLUMNS="80"), "the id is on one line"
    candidates = await shell.type("link", "candidates", "shop-a", entry["entryId"])
    assert all(str(alan) in candidates for alan in alans)
    assert "500" in candidates
    searched = await shell.json("link", "search", "shop-a", "alan@example.test")
    assert [int(each["eposCustomerId"]) for each in searched["customers"]] == alans
    assert "is linked" in await shell.type("link", "resolve", "shop-a", entry["entryId"], str(alans[0]), "--link")
    await shell.until("queue", "list", "shop-a", "orders", text="Matched to the linked customer")


async def test_retry_and_dismiss_act_on_the_chosen_entries(shell: Shell) -> None:
    fault = shell.till.faults.script(method="GET", path="*/customer*", status=400, body="No such thing", times=None)
    epos = shell.till.add_customer(email="ada@example.test")
    woo = shell.shop.add_customer(email="ada@example.test")
    await shell.type("link", "create", "shop-a", str(epos), str(woo))
    await shell.until("queue", "list", "shop-a", "customers", text="Customer Endpoint Point call api failed")
    dry = await shell.type("queue", "retry", "shop-a", "--queue", "customers", "--dry-run")
    assert "1 entry would run again" in dry
    # before the till recovers, because the service also retries the entry automatically
    assert "1 entry runs again" in await shell.type("queue", "retry", "shop-a", "--queue", "customers", "--outcome", "epos_fetch_failed")
    fault.cancel()
    await shell.until("queue", "list", "shop-a", "customers", "--state", "processed", text="Successfully Updated")
    shell.till.faults.script(method="GET", path="*/customer*", status=400, body="No such thing", times=None)
    await shell.type("sync", "customer", "shop-a", str(epos))
    await shell.until("queue", "list", "shop-a", "customers", "--state", "pending", text="api failed")
    # The test cancels no fault from here on: only the entry's attempts change.
    [entry] = (await shell.json("queue", "list", "shop-a", "customers", "--state", "pending"))["entries"]
    assert "1 entry dismissed" in await shell.type("queue", "dismiss", "shop-a", entry["entryId"], "--reason", "asked by the shop")
    assert "asked by the shop" in await shell.type("queue", "list", "shop-a", "customers", "--state", "dismissed")
    missing = await shell.type("queue", "retry", "shop-a", "01a21393-c0cf-74ce-96bb-27abb5d79b0f", code=1)
    assert "01a21393-c0cf-74ce-96bb-27abb5d79b0f" in missing


async def test_retry_and_dismiss_of_a_whole_queue_ask_first(shell: Shell) -> None:
    await shell.type("sync", "customer", "shop-a", "501", "502")
    await shell.until("queue", "list", "shop-a", "customers", text="2 skipped")
    retry = ("queue", "retry", "shop-a", "--queue", "customers")
    for command in (retry, ("queue", "dismiss", "shop-a", "--queue", "orders")):
        assert "give --yes to confirm that" in await shell.type(*command, code=2), "without a terminal the command cannot ask"
    question = "Requeue 2 entries of the Customers Queue of shop-a, also finished ones? [y/N]"
    assert question in await shell.answer("n", *retry, code=1)
    assert len((await shell.json("queue", "list", "shop-a", "customers"))["entries"]) == 2, "nothing was requeued"
    done = await shell.answer("y", *retry)
    assert question in done
    assert "2 entries run again, 0 joined an entry that is live already, 0 left as they are" in done
    await shell.until("queue", "list", "shop-a", "customers", text="4 skipped")
    assert "2 entries run again, 2 joined an entry that is live already, 0 left as they are" in await shell.type(*retry, "--yes")
    assert "entries would run again" in await shell.type(*retry, "--dry-run"), "a dry run needs no --yes"
    filtered = await shell.type(*retry, "--state", "failed")
    assert "0 entries run again" in filtered, "a filter needs no question"
    assert "0 entries dismissed" in await shell.answer("", "queue", "dismiss", "shop-a", "--queue", "orders"), "no question without entries"


async def test_refused_settings_are_named_by_their_options(shell: Shell) -> None:
    assert "--requests-per-minute: " in await shell.type("account", "set", "shop-a", "--requests-per-minute", "-1", code=1)
    refused = await shell.type("account", "set", "shop-a", "--till-url", "http://far.example.test", "--shop-url", "far", code=1)
    assert "--till-url: " in refused
    assert "--shop-url: " in refused
    moved = await shell.type("account", "set", "shop-a", "--till-url", "https://other.example.test", code=1)
    assert "--till-key: --till-url gets another origin: give this secret again in the same call" in moved
    assert "--name: must have at most 100 characters" in await shell.type("account", "create", "shop-b", "--name", "x" * 101, code=1)
    for printed in (refused, moved):
        assert "epos." not in printed


async def test_times_show_their_zone(shell: Shell) -> None:
    shown = await shell.type("account", "show", "shop-a", TZ="Asia/Kolkata")
    assert re.search(r"changed +│ *\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\+05:30", shown)
    assert re.search(r"changed +│ *\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC *│", await shell.type("account", "show", "shop-a", TZ="UTC"))


async def test_token_commands_create_list_and_revoke(shell: Shell) -> None:
    made = await shell.type("token", "create", "support", "--name", "night shift")
    secret = made.strip().splitlines()[-1]
    assert "shop-a" in await shell.type("account", "list", token=secret)
    refused = await shell.type("account", "set", "shop-a", "--no-sync", token=secret, code=1)
    assert "PERMISSION_DENIED" in refused or "role" in refused
    [token] = [each for each in await shell.json("token", "list") if each["name"] == "night shift"]
    assert "was revoked" in await shell.type("token", "revoke", token["tokenId"])
    assert any(each["tokenId"] == token["tokenId"] and each["revokeTime"] for each in await shell.json("token", "list"))
    assert "token" in await shell.type("account", "list", token=secret, code=1)
    connect = await shell.type("token", "create", "site", "--account", "shop-a", "--connect")
    assert connect.startswith("tillsync1.")


async def test_messages_command_lists_the_catalogue(shell: Shell) -> None:
    messages = {message["code"]: message for message in await shell.json("messages")}
    assert messages["CUSTOMER_NOT_LINKED"]["text"] == "Customer is not linked"
    assert messages["TYPE_REQUEST_FAILED"]["textIsVerbatim"] is False
    assert "Customer Endpoint Point call api failed" in await shell.type("messages")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("queue", "list", "nobody", "orders"), 1, "account nobody does not exist"),
        (("queue", "list", "shop-a", "lost"), 2, "lost"),
        (("queue", "list", "shop-a", "orders", "--since", "yesterday"), 2, "--since"),
        (("queue", "list", "shop-a", "orders", "--outcome", "sunny"), 2, "tillsync messages"),
        (("queue", "retry", "shop-a"), 2, "--queue"),
        (("sync", "customer", "shop-a", "0"), 1, "epos_customer_id"),
        (("account", "set", "shop-a"), 2, "at least one setting"),
        (("account", "create", "Shop A"), 1, "account_id"),
        (("link", "delete", "shop-a"), 2, "exactly one"),
        (("token", "create", "site"), 1, "account_id"),
        (("token", "create", "support", "--connect"), 2, "--connect is for site tokens"),
        (("account", "list", "--token", ""), 2, "TILLSYNC_TOKEN"),
        (("account", "list", "--token", "tls_wrong"), 1, "token"),
        (("account", "list", "--token", "@/nonexistent"), 2, "cannot be read"),
        (("account", "list", "--address", "127.0.0.1:1"), 3, "127.0.0.1:1"),
        (("account", "list", "--address", "not an address"), 2, "address"),
    ],
)
async def test_refused_command_prints_its_reason_and_no_traceback(shell: Shell, arguments: tuple[str, ...], code: int, reason: str) -> None:
    printed = await shell.type(*arguments, code=code)
    assert reason in printed
    assert "Traceback" not in printed


async def test_every_command_has_help(shell: Shell) -> None:
    overview = await shell.type("--help")
    for group in (
        "serve",
        "worker",
        "migrate",
        "demo",
        "sandbox",
        "settings",
        "account",
        "token",
        "link",
        "queue",
        "sync",
        "match",
        "messages",
    ):
        assert group in overview
    for command in (("queue", "list"), ("account", "create"), ("link", "resolve"), ("match",), ("demo",)):
        assert "Usage" in await shell.type(*command, "--help")
    options = await shell.type("account", "set", "--help", COLUMNS="80")
    assert "--requests-per-minute" in options
    assert "…" not in options, "the help cuts no option's name"


async def test_privacy_commands_export_and_erase_a_person(shell: Shell) -> None:
    shell.till.add_customer(email="ada@example.test")
    user = shell.shop.add_customer(email="ada@example.test")
    shell.till.add_customer(email="ada@example.test")
    customer = ("--woo-customer", str(user), "--account-email", "ada@example.test", "--last-name", "Lovelace")
    await shell.type("match", "shop-a", "1042", "--created", "2026-03-01T09:30", *customer)
    person = ("shop-a", "--email", "ada@example.test", "--woo-customer", str(user))
    shown = await shell.type("privacy", "export", *person)
    assert "Last name: Lovelace" in shown
    exported = await shell.json("privacy", "export", *person)
    assert {record["category"] for record in exported["records"]} == {"queue_entry", "order_match", "event"}
    assert "Would be erased" in await shell.type("privacy", "erase", *person, "--dry-run")
    assert "Lovelace" in await shell.type("privacy", "export", *person)
    assert "queue entry" in await shell.type("privacy", "erase", *person, "--yes")
    assert "nothing is kept" in await shell.type("privacy", "export", *person)
    assert "name the person: give --email" in await shell.type("privacy", "export", "shop-a", code=2)


async def test_erasing_a_linked_person_by_email_removes_the_shop_values(shell: Shell) -> None:
    till_customer = shell.till.add_customer(email="ada@example.test", points=42)
    user = shell.shop.add_customer(email="ada@example.test")
    await shell.type("link", "create", "shop-a", str(till_customer), str(user))

    def points() -> str | None:
        row = shell.shop.store.bridge_rows.get(user)
        return None if row is None else row.points

    await shell.shop.wait_for(lambda: points() == "42")
    exported = await shell.type("privacy", "export", "shop-a", "--email", "ada@example.test")
    assert f"also known as till customer {till_customer}: has this email at Epos Now" in exported
    assert f"also known as shop customer {user}: linked to till customer {till_customer}" in exported
    assert "not asked: the shop:" in exported
    erased = await shell.type("privacy", "erase", "shop-a", "--email", "ada@example.test", "--yes")
    assert "shop values" in erased
    assert points() is None
    exported = await shell.type("privacy", "export", "shop-a", "--email", "ada@example.test")
    assert "nothing is kept" in exported
    assert "is no email address" in await shell.type("privacy", "export", "shop-a", "--email", "ada", code=1)


async def test_bridge_commands_list_releases_and_versions(database: TestDatabase, tmp_path: Path) -> None:
    key, folder = Ed25519PrivateKey.generate(), tmp_path / "releases"
    make_release(folder, "9.4.0", key)
    (folder / "rings.toml").write_text('["9.4.0"]\naccounts = ["shop-a"]\npercent = 10\n', encoding="utf-8")
    changes = {"TILLSYNC_BRIDGE_RELEASES_DIR": str(folder)}
    async with running_service(database.dsn, works=False, changes=changes) as service, SandboxTill() as till, SandboxShop() as shop:
        shell = Shell(service, till, shop)
        listed = await shell.type("bridge", "releases")
        for text in ("9.4.0", "1 named account, 10 % of all accounts", "checked by the shops only"):
            assert text in " ".join(listed.split())
        assert "no bridge has called" in await shell.type("bridge", "versions")
        await service.add_account("shop-a")
        token = (await service.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="shop-a", name="bridge")).secret
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "tillsync-bridge/0.1.0"}
        url = f"{service.http_url}/tillsync.v1.BridgeService/GetBridgeUpdate"
        async with service.http.post(url, json={"accountId": "shop-a", "bridgeVersion": "0.1.0"}, headers=headers) as answer:
            assert answer.status == 200
        printed = await shell.until("bridge", "versions", text="0.1.0: 1 account")
        assert "9.4.0" in printed
        [bridge] = await shell.json("bridge", "versions")
        assert (bridge["accountId"], bridge["offeredVersion"], bridge["isOutdated"]) == ("shop-a", "9.4.0", False)
        assert await shell.type("bridge", "versions", "--outdated") == "no bridge is outdated\n"
        (folder / "tillsync-bridge.zip").touch()

        async def is_named() -> bool:
            listed = await service.client.bridges.list_releases()
            return bool(listed.problems)

        await until(is_named)
        assert "not used: tillsync-bridge.zip is no file of a release" in await shell.type("bridge", "releases", code=1)
