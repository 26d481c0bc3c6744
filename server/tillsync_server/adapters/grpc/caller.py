"""The caller of the call that is being served. ServedCalls sets it, and servicers read it."""

from __future__ import annotations

from contextvars import ContextVar

from tillsync_server.domain.tokens import Caller

_CALLER: ContextVar[Caller] = ContextVar("tillsync_caller")

set_caller = _CALLER.set
"""Each call sets its caller before its servicer runs, so no call resets it."""


def current_caller() -> Caller:
    """Returns the caller. Raises LookupError outside an authenticated call."""
    return _CALLER.get()
