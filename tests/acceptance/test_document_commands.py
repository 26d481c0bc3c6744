"""Runs every command of README and docs unchanged against real services, and compares the output that a document shows.

`NOT_RUN` lists the commands that are not run, each with its reason. A command that is neither run nor listed fails a test.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from acceptance.test_readme_commands import place_imports
from support.directories import REPOSITORY
from support.documents import Command, blocks_of, check, commands_of, programs_path, run_commands
from support.grpc_server import an_order
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, QUICK, SECRET_KEY, RunningService, command_environment, running_service
from support.waiting import until
from tillsync.v1 import account_pb2
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres
from tillsync_server.adapters.postgres.embedded.identity import run_as
from tillsync_server.adapters.postgres.embedded.wheel import wheel_bin_dir

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
SUPPORT, SHOP = "docs/support.md", "docs/shop.md"
OPERATING = tuple(
    f"docs/operating/{name}.md"
    for name in (
        "install",
        "accounts",
        "settings",
        "network",
        "database",
        "processes",
        "monitoring",
        "bridge-updates",
        "high-availability",
        "growing",
        "cells",
    )
)
"""The pages for operators, in the order of docs/operating.md."""
NOT_RUN = {
    r"sudo (python3|/opt/tillsync/bin/pip) ": "installs for the whole machine; test_wheel.py installs the same wheel into an environment",
    r"sudo (useradd|install|chown|journalctl) ": "changes the machine; test_deployment_files.py reads the files that are installed",
    r"sudo systemctl (daemon-reload|enable)": "no systemd runs in the tests; test_deployment_files.py verifies the unit",
    r"(\.venv/bin/python scripts/sign_bridge|TILLSYNC_BRIDGE_SIGNING_KEY_FILE=\S+ make|make bridge-zip)": "the release machine's work; "
    "test_bridge_signing.py makes keys, zips and signatures",
    r"docker compose ": "the tests start no container; test_compose_file.py, test_proxy.py and test_composed_backup.py test the parts",
    r"wp tillsync ": "WP-CLI is in no registry; tests/wordpress/php runs each command with a double of it",
}
EMBEDDED_SECTIONS = (
    "The first account",
    "Settings of an account",
    "Versions of the bridge",
    "Whose points are shown",
    "Tokens",
    "All settings",
    "Back up the embedded database",
    "Restore the embedded database",
    "From the embedded PostgreSQL to your own",
    "Retention",
    "Metrics",
)
OWN_DATABASE_SECTIONS = ("A PostgreSQL of your own", "A PostgreSQL of your own: dump", "Upgrade", "Key rotation")
WAL_SECTION = "A PostgreSQL of your own: base backup and WAL"


def runnable(document: str) -> list[Command]:
    return [command for command in commands_of(document) if not any(re.match(reason, command.text) for reason in NOT_RUN)]


def operating_commands() -> list[Command]:
    return [command for page in OPERATING for command in runnable(page)]


def commands_of_sections(*sections: str) -> list[Command]:
    return [command for command in operating_commands() if command.heading in sections]


CONTAINER_SECRETS = [command for command in operating_commands() if command.heading == "A small rented server"]
EMBEDDED = commands_of_sections(*EMBEDDED_SECTIONS)
OWN_DATABASE = commands_of_sections(*OWN_DATABASE_SECTIONS)
WAL_ARCHIVE = commands_of_sections(WAL_SECTION)


def test_every_command_is_run_or_listed() -> None:
    stories = {str(command) for command in (*EMBEDDED, *OWN_DATABASE, *WAL_ARCHIVE, *CONTAINER_SECRETS)}
    assert [str(command) for command in operating_commands() if str(command) not in stories] == []
    assert runnable(SHOP) == []
    assert len(runnable(SUPPORT)) > 20


def test_every_reason_belongs_to_a_command() -> None:
    every = [command.text for document in (*OPERATING, SUPPORT, SHOP) for command in commands_of(document)]
    assert [reason for reason in NOT_RUN if not any(re.match(reason, text) for text in every)] == []


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


RUNNER = """
PIDS=
trap '[ -z "$PIDS" ] || kill $PIDS' EXIT
start() {
  operations=$1; shift
  TILLSYNC_OPERATIONS_LISTEN=127.0.0.1:$operations tillsync "$@" >> service.log 2>&1 & PIDS="$PIDS $!"
  until curl -fs "http://127.0.0.1:$operations/readyz" > /dev/null; do kill -0 $! || { cat service.log; return 1; }; sleep 0.1; done
}
stop() { kill $PIDS && wait $PIDS; PIDS=; }
"""
"""Shell functions. `start` runs a `tillsync` process in the background and waits until it is ready; `stop` ends all of them."""


def wheel_programs() -> Path:
    found = wheel_bin_dir()
    assert found is not None
    return found


class CommandPlace:
    """A directory and free ports for the `tillsync` processes that the commands start."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        grpc, http, self.operations, self.worker = free_ports(4)
        self.variables = command_environment(
            **QUICK,
            PATH=programs_path(Path(sys.executable).parent, wheel_programs()),
            TILLSYNC_DATA_DIR=str(directory / "tillsync"),
            TILLSYNC_POSTGRES_BIN="wheel",
            TILLSYNC_GRPC_LISTEN=f"127.0.0.1:{grpc}",
            TILLSYNC_HTTP_LISTEN=f"127.0.0.1:{http}",
            TILLSYNC_ADDRESS=f"127.0.0.1:{grpc}",
            TILLSYNC_ALLOWED_HOSTS="127.0.0.1",
        )
        self.texts = {
            "127.0.0.1:8081": f"127.0.0.1:{self.operations}",
            "/var/lib": str(directory),
            "/opt/tillsync/bin/python": sys.executable,
            "/opt/tillsync/bin/tillsync": "tillsync",
            "sudo -u tillsync ": "",
            "sudo systemctl stop tillsync": "stop",
            "sudo systemctl start tillsync": f"start {self.operations} serve",
            "tillsync serve": f"start {self.operations} serve",
            "tillsync worker": f"start {self.worker} worker",
        }


@pytest.mark.own_server
async def test_operator_commands_succeed_on_the_embedded_database(directory: Path) -> None:
    place = CommandPlace(directory)
    async with SandboxTill() as till, SandboxShop() as shop:
        till.add_customer(forename="Web shop", surname="Sales", email=None)
        till.add_customer(email="ada@example.test")
        secrets = {
            "till-key": till.switches.api_key,
            "till-secret": till.switches.api_secret,
            "webhook-key": "till",
            "webhook-secret": "w" * 24,
        }
        for name, secret in secrets.items():
            (directory / name).write_text(secret)
        sandboxes = f"--till-url {till.origin} --shop-url {shop.origin} --bridge-secret {shop.switches.bridge_secret}"
        ran = await run_commands(
            EMBEDDED,
            directory=directory,
            variables=place.variables,
            texts=place.texts | {"account create shop-a": f"account create shop-a {sandboxes}"},
            before={"$TOKEN_ID": "TOKEN_ID=$(tillsync token list --json | grep -o 'tok_[0-9a-f]*' | tail -1)"},
            prelude=RUNNER,
        )
    check(ran)
    assert any("tillsync1." in each.output for each in ran), "the connect string"
    assert (directory / "tillsync" / "tillsync.backup").stat().st_size > 1_000_000
    assert (directory / "tillsync.dump").stat().st_size > 10_000


@pytest.mark.own_server
async def test_operator_commands_succeed_on_an_own_database(database: TestDatabase, directory: Path) -> None:
    place = CommandPlace(directory)
    restored = f"{database.name}_restored"
    connection = await asyncpg.connect(database.dsn)
    try:
        await connection.execute(f"CREATE DATABASE {restored} TEMPLATE template0")
        ran = await run_commands(
            OWN_DATABASE,
            directory=directory,
            variables=place.variables
            | {
                "DATABASE_URL": database.dsn,
                "NEW_DATABASE_URL": database.dsn.replace(f"/{database.name}", f"/{restored}"),
                "TILLSYNC_SECRET_KEY": SECRET_KEY,
                "NEW_KEY": "another-key-of-the-tests-0123456789",
                "OLD_KEY": SECRET_KEY,
            },
            texts=place.texts,
            prelude=RUNNER,
        )
        check(ran)
    finally:
        await connection.execute(f"DROP DATABASE IF EXISTS {restored} WITH (FORCE)")
        await connection.close()


@pytest.mark.own_server
async def test_wal_archive_restores_what_was_committed_after_the_base_backup(directory: Path) -> None:
    """The row that only the archive has is restored."""
    archive, user = directory / "backup", run_as()
    for folder in (archive, archive / "wal"):
        folder.mkdir()
        os.chown(folder, user.uid, user.gid)
    texts = {"/backup/": f"{archive}/"}
    page = next(block.text for block in blocks_of("docs/operating/database.md") if block.heading == WAL_SECTION)
    settings = dict(re.findall(r"^(\w+) = '?(.*?)'?$", page.replace("/backup/", f"{archive}/"), re.MULTILINE))
    new = directory / "new"
    new.mkdir(mode=0o711)
    variables = command_environment(PATH=programs_path(wheel_programs()), NEW_PGDATA=str(new / "postgres"))
    async with EmbeddedPostgres(directory / "own", bin_dir=WHEEL, settings=settings) as server:
        connection = await asyncpg.connect(server.dsn())
        await connection.execute("CREATE TABLE item (id int)")
        check(await run_commands(WAL_ARCHIVE[:1], directory=directory, variables=variables | {"DATABASE_URL": server.dsn()}, texts=texts))
        await connection.execute("INSERT INTO item VALUES (7)")
        last = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        await until((archive / "wal" / last).exists)
        await connection.close()
    check(await run_commands(WAL_ARCHIVE[1:], directory=directory, variables=variables, texts=texts))
    for path in (new / "postgres", *(new / "postgres").rglob("*")):
        os.chown(path, user.uid, user.gid)
    async with EmbeddedPostgres(new, bin_dir=WHEEL) as server:
        connection = await asyncpg.connect(server.dsn())
        assert await connection.fetchval("SELECT id FROM item") == 7
        await until(lambda: connection.fetchval("SELECT NOT pg_is_in_recovery()"))
        await connection.close()


async def test_commands_create_the_secret_files_of_the_containers(directory: Path) -> None:
    shutil.copytree(REPOSITORY / "deploy", directory / "deploy")
    check(await run_commands(CONTAINER_SECRETS, directory=directory, variables=command_environment()))
    named = re.findall(r"file: secrets/(\S+)", (REPOSITORY / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    made = {path.name: path for path in (directory / "deploy" / "secrets").iterdir()}
    assert sorted(made) == sorted(named)
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o600}
    password = made["postgres-password"].read_text().strip()
    assert made["database-url"].read_text() == f"postgresql://tillsync:{password}@postgres/tillsync\n"
    assert (directory / "deploy" / ".env").read_text() == (REPOSITORY / "deploy" / "example.env").read_text()


PEOPLE = (("Alan", "Mathison", 1042), ("Grace", "Murray", 1043), ("Mary", "Fairfax", 1044))
"""Each of them has two customers at the till, and an order."""


@asynccontextmanager
async def shop_of_the_support_page(database: TestDatabase) -> AsyncIterator[RunningService]:
    """A walk-in customer, Ada who is not linked, the people whose orders are held, and Joan whose order is $OTHER_ENTRY."""
    async with (
        running_service(database.dsn, changes={"TILLSYNC_ALLOWED_HOSTS": "127.0.0.1"}) as service,
        SandboxTill() as till,
        SandboxShop() as shop,
    ):
        till.add_customer(forename="Web shop", surname="Sales", email=None)
        till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120)
        shop.add_customer(email="ada@example.test", first_name="Ada", last_name="Byron")
        epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        connected = account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
        account = account_pb2.Account(customer_sync_enabled=True, auto_link=True, epos=epos, shop=connected)
        await service.client.accounts.create_account("shop-a", account)
        for first, last, order in (*PEOPLE, ("Joan", "Elisabeth", 1045)):
            email = f"{first.lower()}@example.test"
            till.add_customer(forename=first, surname=last, email=email, points=500, card_number="L-0001")
            till.add_customer(forename=f"{first[0]}.", surname=last, email=email, points=0)
            user = shop.add_customer(email=email, first_name=first, last_name=last)
            facts = an_order(order, woo_customer_id=user, account_email=email, first_name=first, last_name=last)
            await service.client.sync.match_order("shop-a", facts)
        yield service


def entry_of(variable: str, order: int) -> str:
    listed = f"tillsync queue list shop-a orders --order {order} --json"
    return f'{variable}=$({listed} | grep -o \'"entryId": "[^"]*\' | cut -d\'"\' -f4)'


SETTLED = """
settled() {
  while curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$HTTP/tillsync.v1.CustomerSyncService/ListQueue" \\
    -d '{"accountId": "shop-a", "queue": "QUEUE_'$1'", "states": ["ENTRY_STATE_PENDING"]}' | grep -q entryId; do sleep 0.1; done
}
"""
"""Shell function that waits until no entry of a queue is PENDING."""


async def run_support_commands(commands: Sequence[Command], service: RunningService, directory: Path) -> None:
    place_imports()
    shutil.copytree(REPOSITORY / ".tillsync" / "googleapis", directory / ".tillsync" / "googleapis", dirs_exist_ok=True)
    shutil.copytree(REPOSITORY / "protos", directory / "protos", dirs_exist_ok=True)
    (directory / "token").write_text(ADMIN_TOKEN)
    ran = await run_commands(
        commands,
        directory=directory,
        variables=command_environment(
            PATH=programs_path(Path(sys.executable).parent),
            TOKEN=ADMIN_TOKEN,
            TILLSYNC_TOKEN=ADMIN_TOKEN,
            TILLSYNC_ADDRESS=service.grpc_address,
            HTTP=service.http_url,
            BUF_CACHE_DIR=str(directory),
            COLUMNS="120",
            TZ="UTC",
        ),
        texts={
            "sync.example.test:50051": service.grpc_address,
            "127.0.0.1:50051": service.grpc_address,
            "http://127.0.0.1:8080": service.http_url,
        },
        before={
            '$ENTRY"': entry_of("ENTRY", 1042),
            "$ENTRY_1043": entry_of("ENTRY_1043", 1043),
            "$ENTRY_1044": entry_of("ENTRY_1044", 1044),
            "$OTHER_ENTRY": entry_of("OTHER_ENTRY", 1045),
        },
        prelude=SETTLED,
        each={"queue list shop-a orders": "settled ORDERS", "queue list shop-a customers": "settled CUSTOMERS"},
    )
    check(ran)


SUPPORT_PARTS = {"With grpcurl": (90005, 3), "With buf curl": (90007, 4), "": (90003, 2)}
"""Till customer and shop customer that the commands below a heading link. "" stands for the CLI's commands, in all other sections."""


@pytest.mark.parametrize("heading", SUPPORT_PARTS)
async def test_support_commands_succeed_and_link_the_customer(database: TestDatabase, directory: Path, heading: str) -> None:
    of_heading = [command for command in runnable(SUPPORT) if (command.heading if command.heading in SUPPORT_PARTS else "") == heading]
    async with shop_of_the_support_page(database) as service:
        await run_support_commands(of_heading, service, directory)
        links = [link async for link in service.client.links.list_links("shop-a")]
        assert [(link.epos_customer_id, link.woo_customer_id) for link in links] == [SUPPORT_PARTS[heading]]


DESCRIBED = {
    "": "tillsync.v1.CustomerSyncService is a service:",
    "CustomerSyncService": "rpc SyncCustomer ( .tillsync.v1.SyncCustomerRequest ) returns ( .tillsync.v1.SyncCustomerResponse );",
    "CustomerSyncService.SyncCustomer": "tillsync.v1.CustomerSyncService.SyncCustomer is a method:",
    "SyncCustomerRequest": "tillsync.v1.SyncCustomerRequest is a message:",
    "SyncCustomerRequest.account_id": "tillsync.v1.SyncCustomerRequest.account_id is a field:",
    "Outcome": "tillsync.v1.Outcome is an enum:",
}


async def test_grpcurl_describes_services_methods_messages_fields_and_enums(database: TestDatabase, directory: Path) -> None:
    grpcurl = 'grpcurl -plaintext -H "Authorization: Bearer $TOKEN" 127.0.0.1:50051 describe '
    names = [f"tillsync.v1.{symbol}" if symbol else "" for symbol in (*DESCRIBED, "CustomerSyncService.Unknown")]
    commands = [Command("", "", number, grpcurl + name, None) for number, name in enumerate(names)]
    variables = command_environment(PATH=programs_path(Path(sys.executable).parent), TOKEN=ADMIN_TOKEN)
    async with running_service(database.dsn) as service:
        texts = {"127.0.0.1:50051": service.grpc_address}
        *known, unknown = await run_commands(commands, directory=directory, variables=variables, texts=texts)
    check(known)
    for description, each in zip(DESCRIBED.values(), known, strict=True):
        assert description in each.output
    assert unknown.code != 0
    assert "not found" in unknown.output


def test_every_document_with_commands_has_a_test_that_runs_them() -> None:
    elsewhere = {"README.md": "test_readme_commands.py", "docs/api.md": "test_api_examples.py"}
    documents = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    with_commands = {name for path in documents if commands_of(name := str(path.relative_to(REPOSITORY)))}
    assert with_commands - {*OPERATING, SUPPORT, SHOP} - set(elsewhere) == set()
    assert all((Path(__file__).parent / test).is_file() for test in elsewhere.values())
