"""Deleted users and changed emails that the plugin reports: the service decides again about their links and orders."""

from __future__ import annotations

import pytest
from wordpress.harness.bridge import BridgedShop

ADA = "ada@example.test"
DELETE = "require_once ABSPATH . 'wp-admin/includes/user.php'; wp_delete_user( $id );"
CHANGE_EMAIL = """
    add_filter( 'send_email_change_email', '__return_false' );
    wp_update_user( array( 'ID' => $id, 'user_email' => $email ) );
"""


async def outcome(bridged: BridgedShop, order: int) -> str:
    """Returns the outcome of the order's stored answer, or an empty text."""
    await bridged.drain()
    kept: str = (await bridged.site.order_meta(order)).get("_tillsync_answer", {}).get("outcome", "")
    return kept


async def links(bridged: BridgedShop) -> set[tuple[int, int, bool]]:
    found = bridged.service.client.links.list_links(bridged.account_id)
    return {(link.epos_customer_id, link.woo_customer_id, link.usable) async for link in found}


@pytest.mark.shops("mariadb")
async def test_shopper_who_signs_up_again_is_linked_again(bridged: BridgedShop) -> None:
    site = bridged.site
    customer = bridged.till.add_customer(email=ADA, points=120)
    first = await site.add_user(ADA)
    order = await site.add_order(customer_id=first, email=ADA)

    async def is_matched() -> bool:
        return await outcome(bridged, order) == "OUTCOME_MATCHED_EMAIL"

    await site.until(is_matched)
    assert await links(bridged) == {(customer, first, True)}
    await site.php(DELETE, id=first)
    await bridged.drain()
    assert await links(bridged) == {(customer, first, False)}
    assert await site.rows("SELECT * FROM {prefix}tillsync_user_changes") == []
    again = await site.add_user(ADA)
    order = await site.add_order(customer_id=again, email=ADA)
    await site.until(is_matched)
    assert await links(bridged) == {(customer, again, True)}

    async def points() -> bool:
        rows = await site.rows("SELECT user_id, points FROM {prefix}tillsync_customer WHERE removed = 0")
        return [(int(row["user_id"]), row["points"]) for row in rows] == [(again, "120")]

    await site.until(points)


@pytest.mark.shops("mariadb")
async def test_corrected_email_decides_a_held_order_again(bridged: BridgedShop) -> None:
    site = bridged.site
    long = f"{'a' * 40}@example.test"  # the till stores 50 characters
    customer = bridged.till.add_customer(email=ADA)
    user = await site.add_user(long)
    order = await site.add_order(customer_id=user, email=long)

    async def is_held() -> bool:
        return await outcome(bridged, order) == "OUTCOME_CUSTOMER_NOT_MATCHED"

    async def is_matched() -> bool:
        return await outcome(bridged, order) == "OUTCOME_MATCHED_EMAIL"

    await site.until(is_held)
    await site.php(CHANGE_EMAIL, id=user, email=ADA)
    await site.until(is_matched)
    assert await links(bridged) == {(customer, user, True)}
