"""A service that counts its SQL statements, including BEGIN and COMMIT. ``benchmarks.child`` runs it in a separate process.

It answers each line of stdin with one line of JSON: its statements by name and its CPU seconds since the last line.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from asyncpg.connection import LoggedQuery
from benchmarks.child import say_ready
from tillsync_server.adapters.observability.logs import configure_logging
from tillsync_server.adapters.postgres.statements import STATEMENTS
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings

_NAME_LENGTH = 40
"""Number of characters that name a statement without a name."""


@dataclass
class StatementCount:
    counted: Counter[str] = field(default_factory=Counter)
    _cpu: float = 0.0

    def __post_init__(self) -> None:
        self._names = {text: name for name, text in STATEMENTS.items()}

    def of_connection(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        connection.add_query_logger(self._note)

    def _note(self, query: LoggedQuery) -> None:
        self.counted[self._names.get(query.query) or query.query.strip(" ;\n")[:_NAME_LENGTH]] += 1

    def take(self) -> dict[str, Any]:
        """Returns the statements and CPU seconds since the last call."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu, self._cpu = used.ru_utime + used.ru_stime - self._cpu, used.ru_utime + used.ru_stime
        taken = {"statements": dict(self.counted), "cpu": cpu}
        self.counted.clear()
        return taken


def _count_all(count: StatementCount) -> None:
    """Counts the statements of every connection that asyncpg opens from now on, in a pool or alone."""
    connect, create_pool = asyncpg.connect, asyncpg.create_pool

    async def counted_connect(*arguments: Any, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
        connection: asyncpg.Connection[asyncpg.Record] = await connect(*arguments, **options)
        count.of_connection(connection)
        return connection

    def counted_pool(*arguments: Any, init: Callable[[Any], Awaitable[None]] | None = None, **options: Any) -> Any:
        async def init_and_count(connection: asyncpg.Connection[asyncpg.Record]) -> None:
            count.of_connection(connection)
            if init is not None:
                await init(connection)

        return create_pool(*arguments, init=init_and_count, **options)

    asyncpg.connect, asyncpg.create_pool = counted_connect, counted_pool  # type: ignore[assignment]


async def serve() -> None:
    """Runs the service until stdin ends. Settings come from the environment."""
    configure_logging("warning")
    count = StatementCount()
    _count_all(count)
    async with Service(load_settings(dict(os.environ))) as service:
        say_ready(f"{service.grpc_port} {service.http_port}")
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while await commands.readline():
            print(json.dumps(count.take()), flush=True)
