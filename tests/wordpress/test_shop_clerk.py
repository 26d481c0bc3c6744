"""A user who may edit orders but not manage the shop sees nothing of the plugin on orders, and can start nothing."""

from __future__ import annotations

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Shop
from wordpress.test_shop_access import ORDERS
from wordpress.test_shop_connect import SCREEN

ROLE = """
    add_action( 'init', static function () {
        $caps = array( 'edit_shop_orders', 'edit_others_shop_orders', 'edit_shop_order', 'read_shop_order', 'edit_published_shop_orders',
            'edit_private_shop_orders', 'read_private_shop_orders', 'publish_shop_orders', 'edit_posts', 'view_admin_dashboard' );
        remove_role( 'clerk' );
        add_role( 'clerk', 'Clerk', array( 'read' => true ) + array_fill_keys( $caps, true ) );
    }, 1 );
"""
ASK = "do_action( 'woocommerce_order_action_tillsync_match_again', wc_get_order( $id ) );"
OFFERED = "return array_keys( apply_filters( 'woocommerce_order_actions', array(), wc_get_order( $id ) ) );"
SAVED = "return array( get_option( 'tillsync_bridge_statuses' ), get_option( 'tillsync_bridge_connection' )['url'] );"


async def rerun(site: Shop, order: int) -> bool:
    [row] = await site.rows(f"SELECT rerun FROM {{prefix}}tillsync_outbox WHERE order_id = {order}")
    return bool(int(row["rerun"]))


async def test_clerk_sees_orders_without_the_plugin(bridged: BridgedShop) -> None:
    site = bridged.site
    site.inject(ROLE)
    order = await site.add_order(email="ada@example.test", first_name="Ada")
    clerk = await site.add_user(role="clerk")
    session = await site.log_in(clerk)
    edit = await site.php(
        "return str_replace( home_url(), '', html_entity_decode( wc_get_order( $id )->get_edit_order_url() ) );", id=order
    )
    await site.request("GET", "/wp-admin/index.php", session=await site.log_in())  # a new WooCommerce shows its setup once
    for path in (edit, await site.php(ORDERS)):
        page = await site.request("GET", path, session=session)
        assert "tillsync-panel" not in page.text
        assert "column-tillsync" not in page.text
    assert await site.php(OFFERED, id=order, user=clerk, admin=True) == []
    assert "tillsync_match_again" in await site.php(OFFERED, id=order, user="admin", admin=True)
    await site.php(ASK, id=order, user=clerk, admin=True)
    assert not await rerun(site, order)
    await site.php(ASK, id=order, user="admin", admin=True)
    assert await rerun(site, order)


@pytest.mark.shops("mariadb")
async def test_only_managers_with_the_screens_nonce_save_settings(bridged: BridgedShop) -> None:
    site = bridged.site
    site.inject(ROLE)
    before = await site.php(SAVED)
    admin = await site.log_in("admin", "woocommerce-settings")
    clerk = await site.log_in(await site.add_user(role="clerk"), "woocommerce-settings")
    form = {"save": "1", "tillsync_settings[form]": "1", "tillsync_statuses[]": "on-hold", "tillsync_settings[syncPhone]": "1"}
    await site.request("GET", "/wp-admin/index.php", session=admin)  # as above
    for session, nonce in ((admin, "0123456789"), (admin, ""), (clerk, clerk.nonces["woocommerce-settings"]), (None, "0123456789")):
        reply = await site.request("POST", SCREEN, session=session, form=form | {"_wpnonce": nonce})
        assert "Saved" not in reply.text
        assert await site.php(SAVED) == before
    assert not (await bridged.service.client.accounts.get_account(bridged.account_id)).sync_phone
    await site.request("POST", SCREEN, session=admin, form=form | {"_wpnonce": admin.nonces["woocommerce-settings"]})
    assert (await site.php(SAVED))[0] == ["on-hold"]
