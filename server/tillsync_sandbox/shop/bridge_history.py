"""The bridge's routes for a restored service: orders and links since a time, and the state of the account (docs/bridge/wire.md#routes)."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime

from tillsync_sandbox.shop.stored import BridgeRow, ShopOrder, ShopStore
from tillsync_sandbox.shop.switches import ShopSwitches

ORDERS_LIMIT, LINKS_LIMIT = 100, 500
_SINCE = re.compile(r"/(orders|links)-since/(\d{1,11})/(\d{1,18})", re.ASCII)


class BridgeHistory:
    def __init__(self, store: ShopStore, switches: ShopSwitches) -> None:
        self._store = store
        self._switches = switches

    def answer(self, subpath: str) -> dict[str, object] | None:
        """Returns the answer to a GET. None: the bridge has no such route, as before API 3."""
        if self._switches.bridge_api < 3:
            return None
        if subpath == "/account-state":
            return self._account()
        found = _SINCE.fullmatch(subpath)
        if found is None:
            return None
        read = self._orders if found[1] == "orders" else self._links
        return read(int(found[2]), int(found[3]))

    def _orders(self, since: int, after: int) -> dict[str, object]:
        rows = [
            order
            for order_id, order in sorted(self._store.orders.items())
            if order_id > after and (order.waits or order.updated_at >= since)
        ][:ORDERS_LIMIT]
        return {"orders": [_order(row) for row in rows], "next_after": rows[-1].order_id if len(rows) == ORDERS_LIMIT else None}

    def _links(self, since: int, after: int) -> dict[str, object]:
        rows = [
            (user_id, row)
            for user_id, row in sorted(self._store.bridge_rows.items())
            if user_id > after and row.linked_at >= since and (row.removed or row.epos_customer_id is not None)
        ][:LINKS_LIMIT]
        return {
            "links": [self._link(user_id, row) for user_id, row in rows],
            "next_after": rows[-1][0] if len(rows) == LINKS_LIMIT else None,
        }

    def _link(self, user_id: int, row: BridgeRow) -> dict[str, object]:
        return {
            "user_id": user_id,
            "epos_customer_id": None if row.removed else str(row.epos_customer_id),
            "removed": row.removed,
            "registered": f"{self._store.users[user_id].registered}Z",
            "changed": datetime.fromtimestamp(row.linked_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _account(self) -> dict[str, object]:
        return {
            "token_hash": hashlib.sha256(self._store.site_token.encode()).hexdigest(),
            "settings": dict(self._store.site_settings) or None,
            "type_ids": sorted(type_id for type_id, row in self._store.customer_types.items() if not row.removed),
        }


def linked_at(before: BridgeRow | None, row: BridgeRow) -> float:
    """Returns the time of the last change of a row's till customer."""
    is_same = before is not None and (before.removed, before.epos_customer_id) == (row.removed, row.epos_customer_id)
    return before.linked_at if before is not None and is_same else time.time()


def _order(order: ShopOrder) -> dict[str, object]:
    names = ("order_id", "order_key", "order_number", "user_id", "account_email", "billing_email", "entry_id", "answer")
    return {name: getattr(order, name) for name in names}
