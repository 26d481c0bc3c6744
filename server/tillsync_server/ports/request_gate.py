"""Limits the requests to one side of an account. Adapters enter the gate for each request."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class RequestGate(Protocol):
    def request(self) -> AbstractAsyncContextManager[None]:
        """A context that is entered once the request may be sent, and is left after the request. Raises RunInterrupted while the side is
        paused."""
        ...
