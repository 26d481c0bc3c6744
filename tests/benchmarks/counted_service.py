"""A service in a process of its own that counts its SQL statements, BEGIN and COMMIT among them. Run by ``benchmarks.child``.

It answers each line of stdin with one line of JSON: statements by name since the last line, and the CPU seconds they took.
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

_WORDS = 40
"""Of a statement without a name: how much of it is its name."""


@dataclass
class StatementCount:
    counted: Counter[str] = field(default_factory=Counter)
    _cpu: float = 0.0

    def __post_init__(self) -> None:
        self._names = {text: name for name, text in STATEMENTS.items()}

    def of_connection(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        connection.add_query_logger(self._note)

    def _note(self, query: LoggedQuery) -> None:
        self.counted[self._names.get(query.query) or query.query.strip(" ;\n")[:_WORDS]] += 1

    def take(self) -> dict[str, Any]:
        """What was counted since the last take."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu, self._cpu = used.ru_utime + used.ru_stime - self._cpu, used.ru_utime + used.ru_stime
        taken = {"statements": dict(self.counted), "cpu": cpu}
        self.counted.clear()
        return taken


def _count_all(count: StatementCount) -> None:
    """Every connection that asyncpg makes from now on, of a pool or alone."""
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
    """Settings come from the environment. Ends with stdin."""
    configure_logging("warning")
    count = StatementCount()
    _count_all(count)
    async with Service(load_settings(dict(os.environ))) as service:
        say_ready(f"{service.grpc_port} {service.http_port}")
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while await commands.readline():
            print(json.dumps(count.take()), flush=True)
