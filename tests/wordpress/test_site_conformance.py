"""Rules of WordPress and WooCommerce that need several processes, requests or sites, on the stand-in and on the real ones."""

from __future__ import annotations

import asyncio

import pytest
from wordpress.harness.shop import Shop
from wordpress.harness.site import PhpError
from wordpress.test_customers_batch import users_of

FILL = """
    global $wpdb;
    foreach ( array( 'one', 'two', 'three', 'four' ) as $name ) {
        $rows = array_map( static fn( $who ) => "($who, 'tillsync_$name', '0')", $people );
        $wpdb->query( "INSERT INTO {$wpdb->usermeta} (user_id, meta_key, meta_value) VALUES " . implode( ',', $rows ) );
    }
    $wpdb->query( "ANALYZE TABLE {$wpdb->usermeta}" );
"""
HOLD = """
    global $wpdb;
    $wpdb->query( 'START TRANSACTION' );
    foreach ( array( 'one', 'two', 'three', 'four' ) as $name ) { update_user_meta( $who, "tillsync_$name", microtime() ); }
    file_put_contents( WP_CONTENT_DIR . '/uploads/held', 'x' );
    for ( $i = 0; $i < 200 && ! file_exists( WP_CONTENT_DIR . '/uploads/go-on' ); $i++ ) { usleep( 50000 ); }
    $wpdb->query( 'ROLLBACK' );
"""
SHOPPER_LOGS_IN = """
    global $wpdb;
    $wpdb->suppress_errors();
    $wpdb->query( 'SET SESSION innodb_lock_wait_timeout = 1' );
    $began = microtime( true );
    $made  = WP_Session_Tokens::get_instance( $who )->create( time() + 600 );
    return array( $wpdb->last_error, microtime( true ) - $began );
"""
DISPATCHED = """
    add_filter( 'pre_http_request', static function ( $done, $given, $url ) {
        if ( str_contains( $url, 'as_async_request' ) ) { file_put_contents( WP_CONTENT_DIR . '/uploads/dispatched', 'x', FILE_APPEND ); }
        return $done;
    }, 10, 3 );
"""
ENQUEUE = "add_action( 'wp', static fn() => as_enqueue_async_action( 'tillsync_conformance', array( uniqid() ), 'one' ) );"
SHARED = "update_user_meta( $who, 'tillsync_points', $points );"
READ = "return get_user_meta( $who, 'tillsync_points', true );"
COST = """
    global $wpdb;
    $before = $wpdb->num_queries;
    foreach ( $users as $who ) {
        foreach ( array( 'points', 'credit', 'type', 'as_of' ) as $name ) { update_user_meta( $who, "tillsync_$name", $name ); }
    }
    return $wpdb->num_queries - $before;
"""


@pytest.mark.shops("mariadb")
async def test_transaction_over_user_meta_blocks_the_shoppers_own_writes(wp_site: Shop) -> None:
    """Sessions are user meta too, so the plugin has its own table."""
    user = await wp_site.add_user()
    # with as many rows of each key as a shop has customers, the user's rows are found, and locked, by the user
    many = [user, *await users_of(wp_site, 300)]
    await wp_site.php(FILL, people=many)
    holding = asyncio.create_task(wp_site.php(HOLD, who=user))
    held, go_on = wp_site.content / "uploads/held", wp_site.content / "uploads/go-on"
    try:

        async def is_held() -> bool:
            return held.exists()

        await wp_site.until(is_held)
        error, seconds = await wp_site.php(SHOPPER_LOGS_IN, who=user)
        assert "Lock wait timeout exceeded" in error
        assert seconds >= 1
    finally:
        go_on.write_text("x", encoding="utf-8")
        await holding
    wp_site.forgive_log()
    error, _ = await wp_site.php(SHOPPER_LOGS_IN, who=user)
    assert error == ""


async def test_shop_page_does_not_start_action_scheduler(wp_site: Shop) -> None:
    """Action Scheduler's runner starts only in wp-admin, so an action of a checkout waits for cron."""
    wp_site.inject(DISPATCHED + ENQUEUE)
    dispatched = wp_site.content / "uploads/dispatched"
    assert (await wp_site.request("GET", "/")).status == 200
    await wp_site.php("return 1;")
    assert not dispatched.exists()


@pytest.mark.shops("stand-in")
async def test_shops_of_a_network_share_user_meta(wp_network: tuple[Shop, Shop]) -> None:
    first, second = wp_network
    user = await first.add_user()
    await first.php(SHARED, who=user, points="11")
    assert await second.php(READ, who=user) == "11"
    await second.php(SHARED, who=user, points="22")
    assert await first.php(READ, who=user) == "22"


async def test_each_value_of_user_meta_costs_several_statements(wp_site: Shop) -> None:
    users = [await wp_site.add_user() for _ in range(3)]
    assert await wp_site.php(COST, users=users) >= 2 * 4 * len(users)


async def test_pages_of_logged_in_users_are_not_cached(wp_site: Shop) -> None:
    session = await wp_site.log_in(await wp_site.add_user())
    for path in ("/", "/my-account/"):
        kept = (await wp_site.request("GET", path, session=session)).headers["Cache-Control"]
        assert "no-cache" in kept
        version = await wp_site.php("return get_bloginfo( 'version' );")
        if tuple(int(part) for part in version.split(".")[:2]) >= (6, 3):
            assert "no-store" in kept
    assert "no-store" not in (await wp_site.request("GET", "/")).headers.get("Cache-Control", ""), "strangers' pages may be cached"


async def test_plugin_loads_without_woocommerce_where_requires_plugins_is_ignored(wp_site: Shop) -> None:
    """ "Requires Plugins" is ignored before WordPress 6.5 and when code deactivates a plugin, so the bridge may run without WooCommerce."""
    await wp_site.php(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins( array( 'woocommerce/woocommerce.php' ) );",
        admin=True,
        user="admin",
    )
    loaded = await wp_site.php(
        "return array( class_exists( 'WooCommerce', false ), class_exists( 'Tillsync\\\\Bridge\\\\Plugin', false ) );"
    )
    assert loaded == [False, True]
    session = await wp_site.log_in()
    for path in ("/wp-admin/index.php", "/wp-admin/plugins.php", "/", "/wp-cron.php?doing_wp_cron", "/wp-json/wc-tillsync/v1/status"):
        reply = await wp_site.request("GET", path, session=session)
        assert reply.status in (200, 401, 403), (path, reply.text[:300])
    page = await wp_site.request("GET", "/wp-admin/plugins.php", session=session)
    assert "Tillsync Bridge needs WooCommerce" in page.text
    for hook in (
        "tillsync_bridge_minute",
        "tillsync_bridge_due",
        "tillsync_bridge_hourly",
        "tillsync_bridge_daily",
        "tillsync_bridge_drain",
    ):
        await wp_site.php("do_action( $hook );", hook=hook)
    with pytest.raises(PhpError):
        await wp_site.php("return wc_get_order( 1 );")
    wp_site.forgive_log()
