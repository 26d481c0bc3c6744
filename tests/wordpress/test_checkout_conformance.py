"""Behaviour of both checkouts when a callback of the status hook fails, on the stand-in and on the real WooCommerce."""

from __future__ import annotations

import pytest
from wordpress.harness.checkout import Shopper
from wordpress.harness.shop import Shop

FACTS = """
    $orders = wc_get_orders( array( 'limit' => -1, 'type' => 'shop_order', 'orderby' => 'ID', 'order' => 'ASC' ) );
    return array_map( static fn( $o ) => array( $o->get_id(), $o->get_status(), $o->get_billing_email(), $o->get_customer_id() ), $orders );
"""
WATCH = """
add_action( 'woocommerce_order_status_changed', static function ( $id, $from, $to ) {
    $order = wc_get_order( $id );
    $seen = array( $from, $to, $order->get_billing_email(), $order->get_customer_id() );
    file_put_contents( WP_CONTENT_DIR . '/uploads/seen.jsonl', json_encode( $seen ) . "\\n", FILE_APPEND );
}, 1, 3 );
"""

both = pytest.mark.parametrize("block", [False, True], ids=["classic", "block"])


@both
async def test_status_hook_of_processing_sees_the_final_facts(wp_site: Shop, block: bool) -> None:
    wp_site.inject(WATCH)
    customer = await wp_site.add_user("ada@example.test")
    bought = await Shopper(wp_site, await wp_site.log_in(customer)).buy("ada@example.test", block=block)
    assert bought.status == 200, bought.text
    seen = (wp_site.content / "uploads/seen.jsonl").read_text(encoding="utf-8").splitlines()
    assert seen[-1] == f'["pending","processing","ada@example.test",{customer}]', seen
    assert [order[1:] for order in await wp_site.php(FACTS)] == [["processing", "ada@example.test", customer]]


@both
async def test_checkout_swallows_an_exception(wp_site: Shop, block: bool) -> None:
    wp_site.inject("add_action( 'woocommerce_order_status_changed', static function () { throw new Exception( 'of a listener' ); } );")
    bought = await Shopper(wp_site).buy("ada@example.test", block=block)
    assert bought.status == 200, bought.text
    assert await wp_site.php("return wc_get_order( $id )->get_status();", id=bought.order_id) == "processing"


@both
async def test_checkout_answers_500_to_a_type_error(wp_site: Shop, block: bool) -> None:
    wp_site.inject("add_action( 'woocommerce_order_status_changed', static function () { throw new TypeError( 'of a listener' ); } );")
    bought = await Shopper(wp_site).buy("ada@example.test", block=block)
    assert bought.status == 500


async def test_opened_block_checkout_leaves_a_draft_without_an_email(wp_site: Shop) -> None:
    wp_site.inject(
        "add_action( 'woocommerce_store_api_checkout_order_processed', static function () { throw new Exception( 'stop here' ); } );"
    )
    bought = await Shopper(wp_site).buy("ada@example.test", block=True)
    assert bought.status >= 400
    drafts = await wp_site.php(
        "return array_map( static fn( $o ) => $o->get_status(), wc_get_orders( array( 'limit' => -1, 'type' => 'shop_order' ) ) );"
    )
    assert len(drafts) == 1
