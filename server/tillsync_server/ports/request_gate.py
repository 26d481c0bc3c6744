"""Whether, and how many at once, requests may leave for one side of an account. Asked by the adapters before each request."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class RequestGate(Protocol):
    def request(self) -> AbstractAsyncContextManager[None]:
        """Entered when the request may be sent; it is under way inside. Raises RunInterrupted once the side's work waits."""
        ...
