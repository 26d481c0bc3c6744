"""A till that accepts and never answers. It is a separate process, so that its connections cost the measuring process nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.child import say_ready, stdin_ended


async def serve() -> dict[str, Any]:
    """Prints its port, and runs until stdin ends."""
    writers: list[asyncio.StreamWriter] = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0, backlog=4096)
    say_ready(server.sockets[0].getsockname()[1])
    await stdin_ended()
    for writer in writers:
        writer.close()
    server.close()
    return {}
