"""A connection that a server accepted in the very turn in which it was closed: asyncio forgets it.

https://github.com/python/cpython/issues/109564: the transport is half built when it finds the server closed, and nobody closes its socket.
Client and server of a test share one loop, so that happens now and then on a busy machine; the garbage collector then reports an unclosed
transport in whatever test runs later. uvloop, on which `tillsync serve` runs, does not have the fault.
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
    """In every event loop of this process, from now on."""
    selector_events.BaseSelectorEventLoop._accept_connection2 = _accept_or_close  # type: ignore[attr-defined]
