"""A fake client behind a request gate, as the adapters stand behind theirs: each method is one request."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar, cast

from tillsync_server.ports.request_gate import RequestGate

Client = TypeVar("Client")


def gated(client: Client, gate: RequestGate | None) -> Client:
    """``client`` itself where there is no gate."""
    return client if gate is None else cast(Client, _Gated(client, gate))


class _Gated:
    def __init__(self, client: Any, gate: RequestGate) -> None:
        self._client, self._gate = client, gate

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        async def through(*args: Any, **more: Any) -> Any:
            async with self._gate.request():
                return await attribute(*args, **more)

        return through
