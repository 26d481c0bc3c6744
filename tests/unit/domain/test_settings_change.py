"""Consequences of a settings change: which entries are requeued, and which changes end a pause."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.settings_change import Requeue, SettingsEffect, effect_of, ends_pause, is_other_shop, requeued_by

SHOP = ShopSettings(base_url="https://shop.example.test", bridge_secret="x" * 43)
ON = Account(account_id=AccountId("shop-a"), till_id=TillId("till"), customer_sync_enabled=True, shop=SHOP)
OFF = replace(ON, customer_sync_enabled=False)
ALL = frozenset(Requeue)
VALUES = frozenset({Requeue.LINKED_CUSTOMERS, Requeue.KNOWN_TYPES, Requeue.PENDING_REMOVALS})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (ON, ON, frozenset()),
        (OFF, ON, ALL),
        (ON, OFF, frozenset()),
        (ON, replace(ON, sync_names=not ON.sync_names), {Requeue.LINKED_CUSTOMERS}),
        (ON, replace(ON, sync_phone=not ON.sync_phone), {Requeue.LINKED_CUSTOMERS}),
        (ON, replace(ON, shop=replace(SHOP, price_decimals=3)), {Requeue.LINKED_CUSTOMERS}),
        (OFF, replace(OFF, sync_names=not OFF.sync_names), frozenset()),
        (ON, replace(ON, shop=replace(SHOP, base_url="https://other.example.test")), VALUES),
        (ON, replace(ON, shop=replace(SHOP, bridge_secret="y" * 43)), VALUES),
        (OFF, replace(OFF, shop=replace(SHOP, base_url="https://other.example.test")), frozenset()),
        (ON, replace(ON, default_epos_customer_id=EposCustomerId(7)), {Requeue.HELD_ORDERS}),
        (OFF, replace(OFF, auto_link=not OFF.auto_link), {Requeue.HELD_ORDERS}),
    ],
)
def test_settings_change_requeues_the_affected_entries(before: Account, after: Account, expected: frozenset[Requeue]) -> None:
    assert requeued_by(before, after) == expected


@pytest.mark.parametrize(
    ("after", "ends"),
    [
        (ON, False),
        (replace(ON, sync_names=not ON.sync_names), False),
        (replace(ON, epos=EposSettings(api_key="new")), True),
        (replace(ON, shop=replace(SHOP, bridge_secret="y" * 43)), True),
        (replace(ON, shop=replace(SHOP, base_url="https://other.example.test")), True),
        (replace(ON, shop=replace(SHOP, price_decimals=3)), False),
    ],
)
def test_only_changed_access_to_a_side_ends_a_pause(after: Account, ends: bool) -> None:
    assert ends_pause(ON, after) is ends


def test_other_address_or_lost_bridge_makes_another_shop() -> None:
    assert not is_other_shop(ON, replace(ON, shop=replace(SHOP, bridge_secret="y" * 43)))
    assert is_other_shop(ON, replace(ON, shop=replace(SHOP, bridge_secret="")))
    assert is_other_shop(ON, replace(ON, shop=replace(SHOP, base_url="https://other.example.test")))


def test_settings_effect_has_numbers_and_notes() -> None:
    assert effect_of({}) == SettingsEffect()
    effect = effect_of({Requeue.LINKED_CUSTOMERS: 1_234, Requeue.HELD_ORDERS: 1})
    assert (effect.queued_customers, effect.queued_customer_types, effect.requeued_entries) == (1_234, 0, 1)
    assert effect.notes == ("1,234 linked customers are synced again", "1 held order is matched again")
