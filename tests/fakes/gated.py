"""Puts a fake client behind a request gate, as the adapters are. Each method call is one request."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar, cast

from tillsync_server.ports.request_gate import RequestGate

Client = TypeVar("Client")


def gated(client: Client, gate: RequestGate | None) -> Client:
    """Returns ``client`` behind ``gate``, or ``client`` itself without a gate."""
    return client if gate is None else cast(Client, _Gated(client, gate))


class _Gated:
    def __init__(self, client: Any, gate: RequestGate) -> None:
        self._client, self._gate = client, gate

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        async def gated_call(*args: Any, **more: Any) -> Any:
            async with self._gate.request():
                return await attribute(*args, **more)

        return gated_call
