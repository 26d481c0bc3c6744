from __future__ import annotations

import asyncio
import gc
import socket
import warnings

import pytest
from aiohttp import web


@pytest.mark.parametrize("turns", range(6))
def test_server_closed_during_a_connect_leaves_no_open_transport(turns: int) -> None:
    """In one of these turns of the event loop the accepted connection has no transport yet."""

    async def connect_and_close() -> None:
        runner = web.AppRunner(web.Application(), access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        with socket.create_connection(runner.addresses[0][:2]):
            for _ in range(turns):
                await asyncio.sleep(0)
            await runner.cleanup()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        asyncio.run(connect_and_close())
        gc.collect()
    assert not [str(one.message) for one in warned]
