"""Checks the write permit in the last step before bytes leave (invariant 3), and records whether bytes may have left.

In aiohttp 3.14 ``StreamWriter.write_headers`` awaits ``on_request_headers_sent`` and then buffers the headers. It sends the buffer with the
first body chunk, after ``on_request_chunk_sent`` (in a task of its own before Python 3.12). Without a body it sends the buffer at once.
So an exception in either hook sends nothing. test_write_permission.py checks that aiohttp keeps this order.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp

from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.ports.till import WritePermit


class SendingState:
    """Sending state of one request. ``may_have_left`` is False as long as certainly no byte was written."""

    def __init__(self, permit: WritePermit | None, timeout_seconds: float) -> None:
        self.may_have_left = False
        self.refusal: RunInterrupted | None = None
        self.seconds_allowed = timeout_seconds
        self.deadline: asyncio.Timeout | None = None
        self._permit = permit
        self._timeout_seconds = timeout_seconds
        self._chunks = 0

    def before_headers(self) -> None:
        self._chunks = 0
        # invariant: permit-before-headers
        self._check_permit()
        self.may_have_left = True

    def before_chunk(self) -> None:
        # The event loop runs between the headers' hook and the first chunk. The process may be paused there, so the permit is asked again.
        self._chunks += 1
        # invariant: permit-before-body
        if self._chunks == 1:
            self._check_permit()

    def _check_permit(self) -> None:
        if self._permit is None:
            return
        try:
            self.seconds_allowed = self._permit.seconds_allowed(self._timeout_seconds)
        except RunInterrupted as interrupted:
            self.refusal = interrupted
            raise
        if self.deadline is not None:
            if self.deadline.expired():
                raise TimeoutError
            self.deadline.reschedule(asyncio.get_running_loop().time() + self.seconds_allowed)


def sending_trace() -> aiohttp.TraceConfig:
    """Returns a trace that calls the :class:`SendingState` of ``trace_request_ctx``."""

    async def headers(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.before_headers()

    async def chunk(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.before_chunk()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(headers)
    trace.on_request_chunk_sent.append(chunk)
    return trace
