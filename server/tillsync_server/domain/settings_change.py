"""Decides the consequences of changed settings: which work is queued again, and whether a pause of the account ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from tillsync_server.domain.account import Account, EposSettings, ShopSettings


class Requeue(IntEnum):
    """Work to queue again. The numbers are stored in column ``requeue.what``."""

    LINKED_CUSTOMERS = 1
    KNOWN_TYPES = 2
    HELD_ORDERS = 3
    PENDING_REMOVALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsEffect:
    """How much work a change of settings queues."""

    queued_customers: int = 0
    queued_customer_types: int = 0
    requeued_entries: int = 0
    notes: tuple[str, ...] = ()


def requeued_by(before: Account, after: Account) -> frozenset[Requeue]:
    """Which work the change queues again. Customers and types are queued only while sync is on, because switching it on queues all of them.
    Held orders are requeued in any case."""
    found: set[Requeue] = set()
    switched_on = after.customer_sync_enabled and not before.customer_sync_enabled
    if switched_on:
        found |= {Requeue.LINKED_CUSTOMERS, Requeue.KNOWN_TYPES, Requeue.PENDING_REMOVALS, Requeue.HELD_ORDERS}
    elif after.customer_sync_enabled:
        # The former address got the values. A shop that connects again may have lost them.
        if is_other_shop(before, after) or before.shop.bridge_secret != after.shop.bridge_secret:
            found |= {Requeue.LINKED_CUSTOMERS, Requeue.KNOWN_TYPES, Requeue.PENDING_REMOVALS}
        if _value_settings(after) != _value_settings(before):
            found.add(Requeue.LINKED_CUSTOMERS)
    if _order_settings(before) != _order_settings(after):
        found.add(Requeue.HELD_ORDERS)
    return frozenset(found)


def is_other_shop(before: Account, after: Account) -> bool:
    """Whether the address changed, or the way to write to it (bridge or wc/v3)."""
    return (before.shop.base_url, before.shop.has_bridge) != (after.shop.base_url, after.shop.has_bridge)


def ends_pause(before: Account, after: Account) -> bool:
    """Whether credentials, addresses or API versions changed. Then the next attempt may succeed."""
    return _epos_reach(before.epos) != _epos_reach(after.epos) or _shop_reach(before.shop) != _shop_reach(after.shop)


def effect_of(counts: Mapping[Requeue, int]) -> SettingsEffect:
    customers, types = counts.get(Requeue.LINKED_CUSTOMERS, 0), counts.get(Requeue.KNOWN_TYPES, 0)
    orders, removals = counts.get(Requeue.HELD_ORDERS, 0), counts.get(Requeue.PENDING_REMOVALS, 0)
    notes = (
        _note(customers, "linked customer is synced again", "linked customers are synced again"),
        _note(types, "customer type is synced again", "customer types are synced again"),
        _note(orders, "held order is matched again", "held orders are matched again"),
        _note(removals, "unlinked customer's values are removed from the shop", "unlinked customers' values are removed from the shop"),
    )
    return SettingsEffect(
        queued_customers=customers,
        queued_customer_types=types,
        requeued_entries=orders,
        notes=tuple(note for note in notes if note),
    )


def _order_settings(account: Account) -> tuple[object, ...]:
    return account.default_epos_customer_id, account.match_email, account.guest_policy, account.auto_link


def _value_settings(account: Account) -> tuple[object, ...]:
    """The settings that select and format a customer's values."""
    return account.sync_names, account.sync_phone, account.shop.price_decimals


def _epos_reach(epos: EposSettings) -> tuple[object, ...]:
    return epos.base_url, epos.api_key, epos.api_secret, epos.customer_api_version, epos.customer_type_api_version


def _shop_reach(shop: ShopSettings) -> tuple[object, ...]:
    return shop.base_url, shop.consumer_key, shop.consumer_secret, shop.bridge_secret


def _note(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}" if count else ""
