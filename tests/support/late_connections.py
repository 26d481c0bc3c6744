"""Closes connections that asyncio leaks when a server accepts them in the loop turn in which it is closed.

https://github.com/python/cpython/issues/109564: the half-built transport finds its server closed, and its socket stays open. Client and
server of a test share one loop, so this happens sometimes on a busy machine. The garbage collector then reports an unclosed transport in
a later test. uvloop, on which `tillsync serve` runs, does not have the fault.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from asyncio import selector_events
from typing import Any

_accept = selector_events.BaseSelectorEventLoop._accept_connection2  # type: ignore[attr-defined]


@functools.wraps(_accept)
async def _accept_or_close(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Any,
    conn: socket.socket,
    extra: Any,
    sslcontext: Any = None,
    server: asyncio.Server | None = None,
    *args: Any,
    **options: Any,
) -> None:
    if server is not None and not server.sockets:
        conn.close()
        return
    await _accept(loop, protocol_factory, conn, extra, sslcontext, server, *args, **options)


def close_late_connections() -> None:
    """Installs the fix for every event loop of this process."""
    selector_events.BaseSelectorEventLoop._accept_connection2 = _accept_or_close  # type: ignore[attr-defined]
