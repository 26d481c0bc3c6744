"""Deactivation and uninstallation: without WooCommerce, with both order stores and on every site of a network."""

from __future__ import annotations

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Shop

UNINSTALL = """
    define( 'WP_UNINSTALL_PLUGIN', 'tillsync-bridge/tillsync-bridge.php' );
    foreach ( array( 'WooCommerce', 'Tillsync\\\\Bridge\\\\Plugin' ) as $class ) {
        if ( class_exists( $class, false ) ) { throw new RuntimeException( "$class is still loaded" ); }
    }
    include WP_PLUGIN_DIR . '/tillsync-bridge/uninstall.php';
"""
LEFT = """
    global $wpdb;
    $count = static function ( string $sql ) use ( $wpdb ): int {
        $wpdb->suppress_errors( true );
        $value = (int) $wpdb->get_var( $sql );
        $wpdb->suppress_errors( false );
        return $value;
    };
    $tables = array();
    foreach ( array( 'outbox', 'customer', 'customer_type', 'role_grant', 'event', 'user_changes', 'confirmation' ) as $name ) {
        $wpdb->suppress_errors( true );
        if ( false !== $wpdb->query( "SELECT 1 FROM {$wpdb->prefix}tillsync_$name" ) ) { $tables[] = $name; }
        $wpdb->suppress_errors( false );
    }
    return array(
        'tables' => $tables,
        'options' => $wpdb->get_col(
            "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE '%tillsync%' AND option_name NOT LIKE '%plugins%'"
        ),
        'meta' => $count( "SELECT COUNT(*) FROM {$wpdb->postmeta} WHERE meta_key LIKE '%tillsync%'" )
            + $count( "SELECT COUNT(*) FROM {$wpdb->prefix}wc_orders_meta WHERE meta_key LIKE '%tillsync%'" ),
        'usermeta' => $count( "SELECT COUNT(*) FROM {$wpdb->usermeta} WHERE meta_key LIKE '%tillsync%'" ),
        'cron' => (int) str_contains( serialize( get_option( 'cron' ) ), 'tillsync' ),
        'actions' => $count(
            "SELECT COUNT(*) FROM {$wpdb->prefix}actionscheduler_actions WHERE hook LIKE 'tillsync%' AND status = 'pending'"
        ),
    );
"""
NOTHING = {"tables": [], "options": [], "meta": 0, "usermeta": 0, "cron": 0, "actions": 0}
DEACTIVATE = "require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins( $plugins );"
BRIDGE = "tillsync-bridge/tillsync-bridge.php"
FILLED = """
    global $wpdb;
    $meta = array( 'order_id' => $order, 'state' => 'ENTRY_STATE_PROCESSED' );
    add_post_meta( wp_insert_post( array( 'post_title' => 'x' ) ), '_tillsync_answer', $meta );
    Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Health\\Alerts::class )->open( 'refused', '' );
    Tillsync\\Bridge\\Schedule::at( time() + 600, Tillsync\\Bridge\\Schedule::DRAIN );
    set_transient( 'tillsync_bridge_flash_1', array( 'x' ), 600 );
    update_option( 'woocommerce_tillsync_attention_settings', array( 'enabled' => 'no' ) );
    do_action( 'tillsync_bridge_minute' );
"""
ROLES = """
    add_role( 'wholesale', 'Wholesale', array( 'read' => true ) );
    $user = new WP_User( $user_id );
    $user->add_role( 'wholesale' );
    $other = new WP_User( $other_id );
    $other->add_role( 'wholesale' );
    Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Types\\RoleGrants::class )->record( $user_id, 'wholesale', 4001 );
"""


async def test_deactivation_unschedules_and_keeps_all_data(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(email="x@example.test")
    await site.php(FILLED, order=order)
    before = await site.php(LEFT)
    assert (before["cron"], before["actions"] > 0) == (1, True)
    await site.php(DEACTIVATE, plugins=[BRIDGE], admin=True, user="admin")
    after = await site.php(LEFT)
    assert (after["cron"], after["actions"]) == (0, 0)
    assert len(after["tables"]) == 7
    assert "tillsync_bridge_connection" in after["options"]


async def test_uninstallation_deletes_only_the_plugins_data(bridged: BridgedShop) -> None:
    site = bridged.site
    user, other = await site.add_user(), await site.add_user()
    order = await site.add_order(customer_id=user, email="x@example.test")
    await bridged.drain()

    async def answered() -> bool:
        await bridged.drain()
        return bool(await site.order_meta(order))

    await site.until(answered)
    await site.php(ROLES, user_id=user, other_id=other)
    await site.php(FILLED, order=order)
    await site.php(DEACTIVATE, plugins=[BRIDGE, "woocommerce/woocommerce.php"], admin=True, user="admin")
    await site.php(UNINSTALL)
    assert await site.php(LEFT) == NOTHING
    code = "return array( array_values( ( new WP_User( $one ) )->roles ), array_values( ( new WP_User( $two ) )->roles ) );"
    roles = await site.php(code, one=user, two=other)
    assert roles == [["customer"], ["customer", "wholesale"]], "only roles that the plugin granted are revoked"
    tokens = [one async for one in bridged.service.client.accounts.list_tokens(account_id=bridged.account_id)]
    assert all(one.HasField("revoke_time") for one in tokens)
    assert not (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret


@pytest.mark.shops("mariadb")
async def test_uninstallation_of_a_copy_leaves_its_original_connected(bridged: BridgedShop) -> None:
    site = bridged.site
    record_requests = """
        add_filter( 'pre_http_request', static function ( $done, $given, $url ) {
            if ( str_contains( $url, 'tillsync.v1' ) ) { file_put_contents( WP_CONTENT_DIR . '/uploads/asked', 'x', FILE_APPEND ); }
            return new WP_Error( 'http_request_failed', 'refused' );
        }, 10, 3 );
    """
    site.inject(record_requests)
    await site.php("update_option( 'home', 'https://copy.example.test' );")
    await site.php(DEACTIVATE, plugins=[BRIDGE, "woocommerce/woocommerce.php"], admin=True, user="admin")
    await site.php(UNINSTALL)
    assert not (site.content / "uploads/asked").exists(), "a copy does not revoke the token of its original"
    assert await site.php(LEFT) == NOTHING
    assert (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret


@pytest.mark.shops("mariadb")
async def test_uninstallation_succeeds_without_the_service(bridged: BridgedShop) -> None:
    site = bridged.site
    site.inject("add_filter( 'pre_http_request', static fn() => new WP_Error( 'http_request_failed', 'refused' ) );")
    await site.php(DEACTIVATE, plugins=[BRIDGE, "woocommerce/woocommerce.php"], admin=True, user="admin")
    await site.php(UNINSTALL)
    assert await site.php(LEFT) == NOTHING


async def test_older_schema_gets_its_missing_tables(wp_site: Shop) -> None:
    """WordPress calls no activation hook on updates, so wp-admin and cron check the schema version."""
    for way in ("admin", "cron"):
        await wp_site.php(
            "global $wpdb; $wpdb->query( \"DROP TABLE {$wpdb->prefix}tillsync_event\" ); update_option( 'tillsync_bridge_schema', 0 );"
        )
        if way == "admin":
            await wp_site.request("GET", "/wp-admin/index.php", session=await wp_site.log_in())
        else:
            await wp_site.php("do_action( 'tillsync_bridge_minute' );")
        assert await wp_site.rows("SELECT * FROM {prefix}tillsync_event") == []


async def test_uninstallation_covers_every_site_of_a_network(wp_network: tuple[Shop, Shop]) -> None:
    members = []
    for shop in wp_network:
        await shop.php("do_action( 'tillsync_bridge_minute' );")  # a site of a network creates its tables in cron
        order = await shop.add_order(email="x@example.test")
        user, other = await shop.add_user(), await shop.add_user()
        await shop.php("foreach ( $users as $id ) { add_user_to_blog( get_current_blog_id(), $id, 'customer' ); }", users=[user, other])
        await shop.php(ROLES, user_id=user, other_id=other)
        await shop.php(FILLED, order=order)
        assert len((await shop.php(LEFT))["tables"]) == 7
        members.append((user, other))
    first = wp_network[0]
    await first.php(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins( $plugins, false, true );",
        plugins=[BRIDGE],
        admin=True,
        user="admin",
    )
    for shop in wp_network:
        left = await shop.php(LEFT)
        assert (left["cron"], left["actions"]) == (0, 0), "deactivation on the whole network unschedules everywhere"
        await shop.php(DEACTIVATE, plugins=["woocommerce/woocommerce.php"], admin=True, user="admin")
    await first.php(UNINSTALL)
    for shop, (user, other) in zip(wp_network, members, strict=True):
        assert await shop.php(LEFT) == NOTHING
        code = "return array( array_values( ( new WP_User( $one ) )->roles ), array_values( ( new WP_User( $two ) )->roles ) );"
        assert await shop.php(code, one=user, two=other) == [["customer"], ["customer", "wholesale"]]


async def test_new_site_of_a_network_gets_tables_that_go_with_it(wp_network: tuple[Shop, Shop]) -> None:
    code = """
        global $wpdb;
        $id = wp_insert_site( array( 'domain' => $domain, 'path' => '/third/', 'title' => 'Third', 'user_id' => 1, 'network_id' => 1 ) );
        switch_to_blog( $id );
        $made = count( $wpdb->get_col( "SHOW TABLES LIKE '{$wpdb->prefix}tillsync%'" ) );
        $prefix = $wpdb->prefix;
        restore_current_blog();
        require_once ABSPATH . 'wp-admin/includes/ms.php';
        wpmu_delete_blog( $id, true );
        return array( $made, count( $wpdb->get_col( "SHOW TABLES LIKE '{$prefix}tillsync%'" ) ) );
    """
    first = wp_network[0]
    assert await first.php(code, domain=first.url.removeprefix("http://"), user="admin", admin=True) == [7, 0]
