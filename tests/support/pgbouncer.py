"""PgBouncer from Debian, between a test and its database."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

PROGRAM = Path("/usr/sbin/pgbouncer")
THING = "PgBouncer"
STARTUP_PARAMETERS = "search_path,plan_cache_mode,lock_timeout,idle_in_transaction_session_timeout,timezone,application_name"


@asynccontextmanager
async def pgbouncer_to(dsn: str, **options: str) -> AsyncIterator[str]:
    """The address of a PgBouncer for ``dsn``, an embedded PostgreSQL. ``options`` are those of its manual, including ``connect_query``."""
    parts = urlsplit(dsn)
    directory = Path(parse_qs(parts.query)["host"][0])
    connect_query = options.pop("connect_query", "")
    owner = directory.stat()
    own = Path(tempfile.mkdtemp(prefix="tillsync-pgbouncer-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user, name = parts.username or "", unquote(parts.path[1:])
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "any",
        "ignore_startup_parameters": STARTUP_PARAMETERS,
        "logfile": str(own / "log"),
        **options,
    }
    query = f" connect_query='{connect_query}'" if connect_query else ""
    lines = [
        "[databases]",
        f"{name} = host={directory} user={user}{query}",
        "[pgbouncer]",
        *(f"{key} = {value}" for key, value in settings.items()),
    ]
    (own / "pgbouncer.ini").write_text("\n".join(lines) + "\n", encoding="utf-8")
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
    if identity:
        for path in (own, own / "pgbouncer.ini"):
            os.chown(path, owner.st_uid, owner.st_gid)
    process = subprocess.Popen([PROGRAM, "-q", own / "pgbouncer.ini"], cwd="/", **identity)  # type: ignore[call-overload]
    try:
        address = f"postgresql://{user}@127.0.0.1:{port}/{name}?sslmode=disable"
        await _answers(address, own / "log")
        yield address
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(own)


async def _answers(address: str, log: Path) -> None:
    for _ in range(200):
        try:
            connection = await asyncpg.connect(address, statement_cache_size=0)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            await connection.close()
            return
    raise AssertionError(f"PgBouncer does not answer: {log.read_text(encoding='utf-8')}")
