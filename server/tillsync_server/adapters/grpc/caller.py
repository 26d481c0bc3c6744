"""Who makes the call that is being served: the path of calls says it, servicers ask."""

from __future__ import annotations

from contextvars import ContextVar

from tillsync_server.domain.tokens import Caller

_CALLER: ContextVar[Caller] = ContextVar("tillsync_caller")

set_caller = _CALLER.set
"""Each call says it before its servicer is asked, so nothing has to be set back."""


def current_caller() -> Caller:
    """LookupError outside a call that was let in."""
    return _CALLER.get()
