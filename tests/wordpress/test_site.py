"""The test harness itself: guarantees that tests rely on."""

from __future__ import annotations

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Shop
from wordpress.harness.site import PhpError


async def test_reset_restores_the_first_state(wp_site: Shop) -> None:
    """Runs twice: options, orders, users, mails, injected code and files are gone after a reset."""
    for _ in range(2):
        assert await wp_site.php("return array( get_option( 'left_behind' ), count( wc_get_orders( array( 'limit' => -1 ) ) ) );") == [
            False,
            0,
        ]
        assert (await wp_site.request("GET", "/wp-json/")).status == 200
        assert wp_site.mails() == []
        customer = await wp_site.add_user("ada@example.test")
        order = await wp_site.add_order(customer_id=customer, email="ada@example.test", first_name="Ada")
        assert await wp_site.php("return wc_get_order( $id )->get_billing_email();", id=order) == "ada@example.test"
        await wp_site.php("update_option( 'left_behind', 'yes' ); wp_mail( 'a@example.test', 'Subject', 'Text' );")
        assert [mail["subject"] for mail in wp_site.mails() if mail["to"] == "a@example.test"] == ["Subject"]
        wp_site.inject("add_filter( 'option_blogname', static fn() => 'Injected' );")
        assert "Injected" in (await wp_site.request("GET", "/wp-json/")).text
        wp_site.reset()


async def test_session_belongs_to_its_user(wp_site: Shop) -> None:
    manager = await wp_site.add_user(role="shop_manager")
    session = await wp_site.log_in(manager, "some-action")
    assert (await wp_site.request("GET", "/wp-json/wp/v2/users/me", session=session)).json["id"] == manager
    assert (await wp_site.request("GET", "/wp-json/wp/v2/users/me")).status == 401
    assert (await wp_site.request("GET", "/wp-admin/", session=session)).status == 200
    assert len(session.nonces["some-action"]) == 10


async def test_failing_php_reports_its_error(wp_site: Shop) -> None:
    with pytest.raises(PhpError, match="said by the test"):
        await wp_site.php("throw new RuntimeException( 'said by the test' );")
    with pytest.raises(PhpError, match="no_such_table"):
        await wp_site.rows("SELECT * FROM {prefix}no_such_table")
    wp_site.forgive_log()


async def test_shop_is_connected_to_the_real_service(bridged: BridgedShop) -> None:
    assert len(await bridged.secret()) == 43
    status = await bridged.site.signed("GET", "/wc-tillsync/v1/status", None, await bridged.secret())
    assert (status.status, status.json["api"]) == (200, 1)
    assert (await bridged.site.signed("GET", "/wc-tillsync/v1/status", None, "x" * 43)).status == 401


async def test_read_only_database_refuses_writes(wp_site: Shop) -> None:
    attempt = """
        global $wpdb;
        return (bool) $wpdb->insert( $wpdb->options, array( 'option_name' => 'x' . wp_rand(), 'option_value' => '' ) );
    """
    with wp_site.read_only():
        assert await wp_site.php(attempt) is False
    assert await wp_site.php(attempt) is True
    wp_site.forgive_log()


async def test_network_has_two_shops(wp_network: tuple[Shop, Shop]) -> None:
    first, second = wp_network
    assert await first.php("return array( get_current_blog_id(), is_multisite(), home_url() );") == [1, True, first.url]
    assert await second.php("return array( get_current_blog_id(), is_multisite(), home_url() );") == [2, True, second.url]
    order = await second.add_order(email="ada@example.test")
    assert await second.php("return wc_get_order( $id )->get_billing_email();", id=order) == "ada@example.test"
    assert await first.php("return wc_get_order( $id );", id=order) is False
    for shop in (first, second):
        assert "wc-tillsync/v1" in (await shop.request("GET", "/wp-json/")).json["namespaces"]
        assert (await shop.request("GET", "/wp-admin/", session=await shop.log_in())).status == 200


async def test_object_cache_outlives_the_process(wp_site: Shop) -> None:
    look = "return wp_cache_get( 'a-key', 'a-group' );"
    await wp_site.php("wp_cache_set( 'a-key', 'kept', 'a-group' );")
    assert await wp_site.php(look) is False
    wp_site.use_object_cache()
    await wp_site.php("wp_cache_set( 'a-key', 'kept', 'a-group' ); update_option( 'an_option', 'value' );")
    assert await wp_site.php("return wp_using_ext_object_cache();") is True
    assert await wp_site.php(look) == "kept"
    assert await wp_site.php("return get_option( 'an_option' );") == "value"
    assert (await wp_site.request("GET", "/wp-json/")).status == 200
    wp_site.reset()
    assert await wp_site.php(look) is False
