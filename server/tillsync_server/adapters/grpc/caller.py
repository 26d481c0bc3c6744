"""Who makes the call that is being served: the interceptor says it, servicers ask."""

from __future__ import annotations

from contextvars import ContextVar

from tillsync_server.application.use_cases.authentication import Caller

_CALLER: ContextVar[Caller] = ContextVar("tillsync_caller")

set_caller = _CALLER.set
"""gRPC serves each call in a task of its own, so nothing has to be set back."""


def current_caller() -> Caller:
    """LookupError outside a call that the interceptor let in."""
    return _CALLER.get()
