"""Odd characters in names refuse no order. Each order of a shopper or a guest gets its customer."""

from __future__ import annotations

import pytest
from wordpress.harness.bridge import BridgedShop

NAMES = {
    "tab": ("Ada\tAugusta", "Byron", "Ada Augusta", "Byron"),
    "entity": ("Ada", "O&#039;Brien", "Ada", "O'Brien"),
    "long": ("a" * 256, "b" * 51, "a" * 50, "b" * 50),
    "control": ("A\x07da", "By\x1bron", "A da", "By ron"),
}
WRITE = """
    // Writes as a plugin does: the setters of an order sanitise nothing.
    $order = wc_get_order( $id );
    $order->set_billing_first_name( $first );
    $order->set_billing_last_name( $last );
    $order->save();
    global $wpdb;
    $wpdb->query( "UPDATE {$wpdb->prefix}tillsync_outbox SET due_at = due_at - 3600" );
    Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run();
"""


@pytest.mark.shops("mariadb")
@pytest.mark.parametrize("kind", NAMES)
async def test_order_is_matched_with_odd_characters_in_its_names(bridged: BridgedShop, kind: str) -> None:
    first, last, forename, surname = NAMES[kind]
    site, email = bridged.site, f"{kind}@example.test"
    user = await site.add_user(email)
    order = await site.add_order(customer_id=user, email=email, first_name="Ada", last_name="Byron")
    await site.php(WRITE, id=order, first=first, last=last)

    async def made() -> bool:
        return len(bridged.till.customers_by_email(email)) == 1

    await site.until(made)
    [customer] = bridged.till.customers_by_email(email)
    stored = bridged.till.store.customers[customer]
    assert (stored.forename, stored.surname) == (forename, surname)
    guest = await site.add_order(customer_id=0, email="guest@example.test", first_name="Ada", last_name="Byron")
    await site.php(WRITE, id=guest, first=first, last=last)

    async def answered() -> bool:
        meta = await site.order_meta(guest)
        await site.php("Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run( null, true );")
        return bool(meta.get("_tillsync_answer", {}).get("outcome") == "OUTCOME_DEFAULT_CUSTOMER")

    await site.until(answered)
