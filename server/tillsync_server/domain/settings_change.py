"""What a change of settings sets going: which stored work it makes obsolete, and whether it ends a pause. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.ports.accounts import SettingsEffect


class Requeue(IntEnum):
    """Column ``requeue.what``."""

    LINKED_CUSTOMERS = 1
    KNOWN_TYPES = 2
    HELD_ORDERS = 3
    PENDING_REMOVALS = 4


def requeued_by(before: Account, after: Account) -> frozenset[Requeue]:
    """Customers and types only while sync is on: switching it on queues them all anyway. Held orders are decided in either case."""
    found: set[Requeue] = set()
    switched_on = after.customer_sync_enabled and not before.customer_sync_enabled
    if switched_on:
        found |= {Requeue.LINKED_CUSTOMERS, Requeue.KNOWN_TYPES, Requeue.PENDING_REMOVALS, Requeue.HELD_ORDERS}
    elif after.customer_sync_enabled:
        # what the former address was told, this one may never have heard; one that connects anew may have lost it
        if is_other_shop(before, after) or before.shop.bridge_secret != after.shop.bridge_secret:
            found |= {Requeue.LINKED_CUSTOMERS, Requeue.KNOWN_TYPES, Requeue.PENDING_REMOVALS}
        if _value_settings(after) != _value_settings(before):
            found.add(Requeue.LINKED_CUSTOMERS)
    if _order_settings(before) != _order_settings(after):
        found.add(Requeue.HELD_ORDERS)
    return frozenset(found)


def is_other_shop(before: Account, after: Account) -> bool:
    """Another address, or another way to write to it."""
    return (before.shop.base_url, before.shop.has_bridge) != (after.shop.base_url, after.shop.has_bridge)


def ends_pause(before: Account, after: Account) -> bool:
    """Credentials, addresses or versions changed: worth another try at once."""
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
    """What chooses and shapes the values of a customer."""
    return account.sync_names, account.sync_phone, account.shop.price_decimals


def _epos_reach(epos: EposSettings) -> tuple[object, ...]:
    return epos.base_url, epos.api_key, epos.api_secret, epos.customer_api_version, epos.customer_type_api_version


def _shop_reach(shop: ShopSettings) -> tuple[object, ...]:
    return shop.base_url, shop.consumer_key, shop.consumer_secret, shop.bridge_secret


def _note(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}" if count else ""
