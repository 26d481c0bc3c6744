"""The list of orders in wp-admin: one statement for its column, the filter by state, the bulk action, and WooCommerce's preview."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from wordpress.harness.kinds import OrderStore
from wordpress.harness.shop import Session, Shop
from wordpress.test_customers_batch import connected

# Statements that name the plugin's table, in a page of the list.
RECORD = """
    add_filter( 'query', static function ( $query ) {
        if ( str_contains( $query, 'tillsync_outbox' ) ) { $GLOBALS['tillsync_queries'][] = $query; }
        return $query;
    } );
    add_action( 'admin_print_footer_scripts', static function (): void {
        $queries = $GLOBALS['tillsync_queries'] ?? array();
        file_put_contents( WP_CONTENT_DIR . '/uploads/list-queries', json_encode( $queries ) );
    }, PHP_INT_MAX );
"""
STORE = """
    $answer = new Tillsync\\Bridge\\Orders\\Answer( 'e' . $id, $state, '', 'a comment', array(), array(), $customer );
    Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Answers::class )->store( $id, $answer );
"""
ROW = "global $wpdb; $wpdb->update( $wpdb->prefix . 'tillsync_outbox', $values, array( 'order_id' => $id ) );"
PREVIEW = """
    return apply_filters( 'woocommerce_admin_order_preview_get_order_details', array( 'status' => 'x' ), wc_get_order( $id ) );
"""


def address(site: Shop, **query: str) -> str:
    if site.kind.orders is OrderStore.POSTS:
        return "/wp-admin/edit.php?" + urlencode({"post_type": "shop_order", **query})
    return "/wp-admin/admin.php?" + urlencode({"page": "wc-orders", **query})


async def shown(site: Shop, session: Session, orders: list[int], **query: str) -> list[int]:
    """Returns those of the orders that the list shows."""
    reply = await site.request("GET", address(site, **query), session=session)
    assert reply.status == 200
    return [order for order in orders if f'id="order-{order}"' in reply.text or f'id="post-{order}"' in reply.text]


async def row(site: Shop, order: int, **values: Any) -> None:
    await site.php(ROW, id=order, values=values)


async def orders_in_each_state(site: Shop) -> dict[str, int]:
    await connected(site)
    orders = {name: await site.add_order(email=f"{name}@example.test") for name in ("done", "held", "failed", "waiting")}
    await site.php(STORE, id=orders["done"], state="ENTRY_STATE_PROCESSED", customer="41")
    await row(site, orders["done"], state="done", entry_id="e1")
    await site.php(STORE, id=orders["held"], state="ENTRY_STATE_HELD", customer="0")
    await row(site, orders["held"], state="sent", entry_id="e2", entry_state="ENTRY_STATE_HELD")
    await row(site, orders["failed"], state="failed", reason="The billing first name is too long.")
    return orders


async def test_list_costs_one_statement_however_many_orders_it_shows(wp_site: Shop) -> None:
    orders = await orders_in_each_state(wp_site)
    for number in range(12):
        await wp_site.add_order(email=f"more{number}@example.test")
    await wp_site.php("$GLOBALS['wpdb']->query( 'DELETE FROM ' . $GLOBALS['wpdb']->prefix . \"tillsync_outbox WHERE state = 'waiting'\" );")
    session = await wp_site.log_in("admin")
    await shown(wp_site, session, list(orders.values()))  # WooCommerce shows its setup once
    wp_site.inject(RECORD)
    assert len(await shown(wp_site, session, list(orders.values()))) == 4
    queries = json.loads((wp_site.content / "uploads/list-queries").read_text(encoding="utf-8"))
    lists = [query for query in queries if "order_id IN" in query]
    assert len(lists) == 1, queries
    assert not [query for query in queries if "order_id =" in query], queries


async def test_filter_shows_the_orders_of_a_state(wp_site: Shop) -> None:
    orders = await orders_in_each_state(wp_site)
    every = list(orders.values())
    session = await wp_site.log_in("admin")
    await shown(wp_site, session, every)
    for name in ("held", "failed", "waiting"):
        assert await shown(wp_site, session, every, tillsync_state=name) == [orders[name]]
    assert await shown(wp_site, session, every, tillsync_state="other") == every
    await row(wp_site, orders["held"], state="done", entry_state="")
    assert await shown(wp_site, session, every, tillsync_state="held") == []


async def test_bulk_action_matches_the_chosen_orders_again(wp_site: Shop) -> None:
    orders = await orders_in_each_state(wp_site)
    screen = "edit-shop_order" if wp_site.kind.orders is OrderStore.POSTS else "woocommerce_page_wc-orders"
    code = f"return apply_filters( 'handle_bulk_actions-{screen}', 'https://shop.example.test/', $action, $ids );"
    chosen = [orders["done"], orders["failed"], 987654]
    assert await wp_site.php(code, action="trash", ids=chosen, user="admin", admin=True) == "https://shop.example.test/"
    clerk = await wp_site.add_user(role="customer")
    assert await wp_site.php(code, action="tillsync_match_again", ids=chosen, user=clerk, admin=True) == "https://shop.example.test/"
    told = await wp_site.php(code, action="tillsync_match_again", ids=chosen, user="admin", admin=True)
    assert told == "https://shop.example.test/?tillsync_matched=2"
    rows = await wp_site.rows("SELECT order_id, state, rerun FROM {prefix}tillsync_outbox")
    again = {int(each["order_id"]) for each in rows if each["state"] == "waiting" and int(each["rerun"]) == 1}
    assert again == {orders["done"], orders["failed"]}
    page = await wp_site.request("GET", address(wp_site, tillsync_matched="2"), session=await wp_site.log_in("admin"))
    assert "2 orders are matched again with the till in the background." in page.text


async def test_preview_shows_state_and_comment(wp_site: Shop) -> None:
    orders = await orders_in_each_state(wp_site)
    for name, words in (("held", ["Needs review", "Choose customer", "a comment"]), ("failed", ["Failed"]), ("waiting", ["Not sent yet"])):
        details = await wp_site.php(PREVIEW, id=orders[name], user="admin", admin=True)
        assert details["status"] == "x"
        assert all(word in details["tillsync"] for word in words), details
    assert "tillsync" not in await wp_site.php(PREVIEW, id=orders["held"], user=await wp_site.add_user(role="customer"), admin=True)
