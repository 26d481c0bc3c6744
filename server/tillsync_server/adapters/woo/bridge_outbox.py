"""Makes the bridge drain its outbox with POST ``outbox/drain`` (docs/bridge/wire.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tillsync_server.adapters.woo.bridge_client import NAMESPACE
from tillsync_server.adapters.woo.requests import ShopRequests
from tillsync_server.adapters.woo.rest_answers import unreadable_error
from tillsync_server.ports.till import WritePermit

_ROUTE = f"{NAMESPACE}/outbox/drain"
_WAITS = "next_due_in"


class BridgeOutbox:
    """Implements ``ports.shop_outbox.ShopOutbox``."""

    def __init__(self, requests: ShopRequests) -> None:
        self._requests = requests

    async def drain(self, permit: WritePermit) -> float | None:
        answer = await self._requests.write("POST", _ROUTE, {}, permit, is_expected=_is_expected)
        if not _is_expected(answer):
            raise unreadable_error("it does not say when the next order is due", field=_WAITS)
        waits: int | None = answer[_WAITS]
        return None if waits is None else float(max(0, waits))


def _is_expected(value: Any) -> bool:
    if not isinstance(value, Mapping) or _WAITS not in value:
        return False
    waits = value[_WAITS]
    return waits is None or (isinstance(waits, int) and not isinstance(waits, bool))
