"""`tillsync backup` and `tillsync restore`, as an operator runs them: real processes on the embedded PostgreSQL."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support.directories import reachable_directory
from support.grpc_server import an_order
from support.service import ADMIN_TOKEN, Child, child, environment, run_command
from support.waiting import until
from tillsync.v1 import account_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgres, socket_dsn
from tillsync_server.composition.backups import back_up
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.restoring import restore_backup
from tillsync_server.composition.settings import load_settings

pytestmark = [pytest.mark.processes, pytest.mark.own_server]
EMAILS = ("ada@example.test", "grace@example.test", "mary@example.test")


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


def of(data: Path, **changes: str) -> dict[str, str]:
    return environment(None, TILLSYNC_DATA_DIR=str(data), **changes)


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[tuple[Child, TillsyncClient]]:
    with child(["serve"], of(data), data.parent) as process:
        await process.started()
        async with TillsyncClient(f"127.0.0.1:{process.grpc_port}", ADMIN_TOKEN) as client:
            yield process, client
        assert await process.stop() == 0


async def fill(client: TillsyncClient) -> None:
    """Makes an account with links and waiting entries, whose till goes away afterwards, and a revoked and a valid token."""
    async with SandboxTill() as till, SandboxShop() as shop:
        till.add_customer(forename="Web shop", surname="Sales", email=None)
        epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        connected = account_pb2.ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
        account = account_pb2.Account(customer_sync_enabled=True, auto_link=True, epos=epos, shop=connected)
        await client.accounts.create_account("shop-a", account)
        for number, email in enumerate(EMAILS, start=1):
            customer, user = till.add_customer(email=email, points=number), shop.add_customer(email=email)
            await client.links.create_link("shop-a", customer, user)
            await client.sync.match_order("shop-a", an_order(number, woo_customer_id=user, account_email=email))
    await client.sync.match_order("shop-a", an_order(9, woo_customer_id=77, account_email="joan@example.test"), deadline_seconds=1)


async def rows(dsn: str) -> dict[str, list[str]]:
    """Every row of every table of the schema, as sorted texts."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "tillsync"})
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'tillsync' ORDER BY 1")
        return {
            each["tablename"]: sorted(row[0] for row in await connection.fetch(f'SELECT t::text FROM "{each["tablename"]}" AS t'))
            for each in tables
        }
    finally:
        await connection.close()


async def stored_rows(data: Path) -> dict[str, list[str]]:
    async with EmbeddedPostgres(data, bin_dir=WHEEL) as server:
        return await rows(server.dsn())


async def tillsync(data: Path, *arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(run_command, [str(each) for each in arguments], of(data, **changes))


async def succeeds(data: Path, *arguments: str | Path, **changes: str) -> str:
    ran = await tillsync(data, *arguments, **changes)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


async def refusal(data: Path, *arguments: str | Path, code: int = 1, **changes: str) -> str:
    ran = await tillsync(data, *arguments, **changes)
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def copy_key(source: Path, target: Path) -> None:
    target.mkdir(mode=0o711)
    shutil.copy(source / "secret-key", target / "secret-key")


async def test_backup_of_a_stopped_service_restores_every_row(directory: Path) -> None:
    data, file, new = directory / "data", directory / "backup", directory / "new"
    async with serving(data) as (_, client):
        await fill(client)
    output = await succeeds(data, "backup", file)
    assert f"keep a copy of {data / 'secret-key'} elsewhere" in output
    assert file.stat().st_mode & 0o777 == 0o600
    before = await stored_rows(data)
    assert len(before["link"]) == len(EMAILS)
    assert before["entry"]
    assert before["token"]

    copy_key(data, new)
    output = await succeeds(new, "restore", file)
    assert "tillsync after-restore" in output
    assert "accounts with credentials: 1" in output
    restored = await stored_rows(new)
    assert len(restored.pop("restore")) == 1
    assert before.pop("restore") == []
    assert restored == before
    with child(["serve"], of(new), directory) as refusing:
        assert await asyncio.to_thread(refusing.process.wait, 60) == 1
        assert "run `tillsync after-restore` first" in refusing.errors
    assert "the service may start" in await succeeds(new, "after-restore", "--skip")
    async with serving(new) as (_, client):
        assert len([link async for link in client.links.list_links("shop-a")]) == len(EMAILS)


async def test_backup_beside_writes_is_consistent(directory: Path) -> None:
    """An account is written with its lane and its till in one transaction, one account after the other."""
    data, file, new = directory / "data", directory / "backup", directory / "new"
    async with serving(data) as (_, client):
        written = 0

        async def write() -> None:
            nonlocal written
            while True:
                epos = account_pb2.EposSettings(base_url="http://127.0.0.1:9", api_key=f"k{written}", api_secret="s")
                await client.accounts.create_account(f"shop-{written:05}", account_pb2.Account(epos=epos))
                written += 1

        writing = asyncio.create_task(write())
        await until(lambda: written >= 20)
        acknowledged = written
        output = await succeeds(data, "backup", file, "--with-secret-key")
        at_the_end = written
        await until(lambda: written > at_the_end)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    assert "the service runs" in output
    assert at_the_end > acknowledged, "accounts were written during the backup"
    await succeeds(new, "restore", file)
    async with EmbeddedPostgres(new, bin_dir=WHEEL) as server:
        connection = await asyncpg.connect(server.dsn(), server_settings={"search_path": "tillsync"})
        accounts = [row[0] for row in await connection.fetch("SELECT account_id FROM account ORDER BY account_id")]
        lanes = [row[0] for row in await connection.fetch("SELECT account_id FROM lane ORDER BY account_id")]
        await connection.close()
    assert acknowledged <= len(accounts) <= at_the_end + 1
    assert accounts == lanes == [f"shop-{number:05}" for number in range(len(accounts))]


@pytest.fixture
def sigint_as_in_a_terminal() -> Iterator[None]:
    """A run in the background of a shell ignores SIGINT, and its children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_as_in_a_terminal")
async def test_interrupted_backup_leaves_the_old_file(directory: Path) -> None:
    data, file = directory / "data", directory / "backup"
    partial = directory / ".backup.partial"
    async with serving(data):
        connection = await asyncpg.connect(socket_dsn(data / "run"))
        await connection.execute("CREATE TABLE filler AS SELECT sha512(n::text::bytea) FROM generate_series(1, 500000) AS n")
        await connection.close()
        file.write_text("the old backup")
        for sent in (signal.SIGINT, signal.SIGKILL):
            with child(["backup", str(file)], of(data), directory) as running:
                await until(lambda: partial.exists() and partial.stat().st_size > 0)
                assert await running.stop(sent) != 0
            assert file.read_text() == "the old backup"
            assert partial.exists() == (sent == signal.SIGKILL)
        with child(["backup", str(file)], of(data), directory, limit="-f 1000") as running:
            assert await asyncio.to_thread(running.process.wait, 60) == 1
            assert "cannot be written" in running.errors
        assert file.read_text() == "the old backup"
        partial.touch(mode=0o644)
        await succeeds(data, "backup", file)
        assert not partial.exists()
        assert file.stat().st_mode & 0o777 == 0o600
        assert "another tillsync" in await refusal(data, "restore", file)


def changed(file: Path, to: Path, *, only_manifest: bool = True, **changes: Any) -> Path:
    """Writes a copy of the backup, or its beginning, with another manifest."""
    with tarfile.open(file) as source, tarfile.open(to, "w:gz", compresslevel=1) as target:
        for member in source:
            content = source.extractfile(member)
            data = b"" if content is None else content.read()
            if member.name == "backup.json":
                data = json.dumps(json.loads(data) | changes).encode()
                member.size = len(data)
            target.addfile(member, io.BytesIO(data))
            if only_manifest:
                break
    return to


async def refused(data: Path, file: Path, **changes: str) -> str:
    """Returns the text with which a restore into ``data`` refuses. It leaves nothing there."""
    settings = load_settings(environment(None, TILLSYNC_DATA_DIR=str(data), **changes))
    before = sorted(path.name for path in data.iterdir())
    with pytest.raises(StartError) as error:
        await restore_backup(settings, file, lambda _line: None)
    assert {path.name for path in data.iterdir()} <= {*before, "postgres.lock"}
    return str(error.value)


async def test_restore_refuses_what_it_cannot_restore(directory: Path) -> None:
    data, file, new = directory / "data", directory / "backup", directory / "new"
    async with serving(data) as (_, client):
        await fill(client)
    await succeeds(data, "backup", file)
    new.mkdir(mode=0o711)
    assert "holds no secret key" in await refused(new, file)
    assert "decrypts no credentials" in await refused(new, file, TILLSYNC_SECRET_KEY="another-key-of-the-tests-0123456789")
    shutil.copy(data / "secret-key", new / "secret-key")

    assert f"mv {data}/postgres" in await refused(data, file)
    (new / "photos").mkdir()
    assert "not empty: it holds photos" in await refused(new, file)
    (new / "photos").rmdir()
    changed_file = directory / "changed"
    for changes, reason in (
        ({"release": "7.1.0"}, "is of release 7.1.0, and this is"),
        ({"least_release": "7.1.0"}, "restore it with release 7.1.0 or newer"),
        ({"schema": "other"}, "set TILLSYNC_DB_SCHEMA=other"),
        ({"postgres_major": 99}, "install PostgreSQL 99"),
        ({"format": 2, "release": "7.1.0"}, "newer form, of release 7.1.0"),
        ({"revision": None, "format": "x"}, "is damaged"),
    ):
        assert reason in await refused(new, changed(file, changed_file, **changes)), changes
    assert "is damaged" in await refused(new, changed(file, changed_file, only_manifest=False, made_at="yesterday"))
    assert "No such file" in await refused(new, directory / "none")
    assert "is no backup" in await refused(new, data / "postgres.log")
    whole = file.read_bytes()
    unpacked = gzip.decompress(whole)
    at = unpacked.index(b"ustar", 2_000_000) + 2_000
    damages = (
        whole[:-4],
        whole[: len(whole) // 2],
        whole[:1_000_000] + bytes(16) + whole[1_000_016:],
        gzip.compress(unpacked[:at] + bytes([unpacked[at] ^ 1]) + unpacked[at + 1 :], 1),
    )
    for damage in damages:
        changed_file.write_bytes(damage)
        assert "is damaged" in await refused(new, changed_file)


async def test_backup_refuses_what_it_cannot_back_up(directory: Path) -> None:
    url = {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x", "TILLSYNC_SECRET_KEY": "k" * 32}
    data = directory / "data"
    for command in ("backup", "restore"):
        assert "with DATABASE_URL use" in await refusal(data, command, directory / "file", code=2, **url)
    settings = load_settings(of(data))

    async def refusal_of(file: Path) -> str:
        with pytest.raises(StartError) as error:
            await back_up(settings, file, with_secret_key=False, progress=lambda _line: None)
        return str(error.value)

    assert "holds no database" in await refusal_of(directory / "file")
    assert "is no regular file" in await refusal_of(Path(os.devnull))
    assert "is no directory" in await refusal_of(directory / "none" / "file")
    assert Path(os.devnull).is_char_device()
    assert not data.exists()
