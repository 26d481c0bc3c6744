"""Two shops of one network: they share users, but not the till's values."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import CONNECT, ROUTE, SECRET, item

MAKE_NETWORK = """
    global $wpdb;
    foreach ( $wpdb->tables( 'ms_global' ) as $name => $table ) { $wpdb->$name = $table; }
    require_once ABSPATH . 'wp-admin/includes/upgrade.php';
    install_network();
    $made = populate_network( 1, $domain, 'admin@example.test', 'Shops', '/', false );
    if ( is_wp_error( $made ) ) { throw new RuntimeException( $made->get_error_message() ); }
"""
ADD_SHOP = """
    $id = wp_insert_site( array( 'domain' => $domain, 'path' => '/two/', 'title' => 'Second shop', 'user_id' => 1 ) );
    if ( is_wp_error( $id ) ) { throw new RuntimeException( $id->get_error_message() ); }
    // WordPress 6.1 removes the colon before the port from the address
    $GLOBALS['wpdb']->update( $GLOBALS['wpdb']->blogs, array( 'domain' => $domain ), array( 'blog_id' => $id ) );
    switch_to_blog( $id );
    update_option( 'siteurl', "http://$domain/two" );
    update_option( 'home', "http://$domain/two" );
    update_option( 'active_plugins', array( 'woocommerce/woocommerce.php', 'tillsync-bridge/tillsync-bridge.php' ) );
    update_option( 'permalink_structure', '/%postname%/' );
    Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Schema\\Tables::class )->migrate();
    restore_current_blog();
    return $id;
"""
VALUES = """
    $row = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Customers\\CustomerTable::class )->find( $who );
    return null === $row ? null : $row->points;
"""


async def test_user_of_one_shop_is_no_customer_of_the_other(wp_site: Shop) -> None:
    domain = urlsplit(wp_site.url).netloc
    await wp_site.php(MAKE_NETWORK, domain=domain, admin=True, user="admin")
    wp_site.configure(
        MULTISITE=True,
        SUBDOMAIN_INSTALL=False,
        DOMAIN_CURRENT_SITE=domain,
        PATH_CURRENT_SITE="/",
        SITE_ID_CURRENT_SITE=1,
        BLOG_ID_CURRENT_SITE=1,
    )
    shop_id = await wp_site.php(ADD_SHOP, domain=domain, admin=True, user="admin")
    second = replace(wp_site, url=f"{wp_site.url}/two")
    for shop in (wp_site, second):
        await shop.php("flush_rewrite_rules();")
        await shop.php(CONNECT, secret=SECRET)
    both, one = await wp_site.add_user(), await wp_site.add_user()
    await wp_site.php("add_user_to_blog( $shop, $who, 'customer' );", shop=shop_id, who=both)

    async def write(shop: Shop, points: str, version: int) -> list[str]:
        reply = await shop.signed("POST", ROUTE, {"items": [item(both, version, points), item(one, version, points)]}, SECRET)
        assert reply.status == 200, reply.text[:500]
        return [result["status"] for result in reply.json["results"]]

    async def values(who: int) -> list[object]:
        return [await shop.php(VALUES, who=who) for shop in (wp_site, second)]

    assert await write(wp_site, "11", 5) == ["updated", "updated"]
    # the versions of one shop do not count in the other
    assert await write(second, "22", 1) == ["updated", "not_found"]
    assert await values(both) == ["11", "22"]
    assert await values(one) == ["11", None]
    await wp_site.php("remove_user_from_blog( $who, $shop );", who=both, shop=shop_id, admin=True, user="admin")
    assert await values(both) == ["11", None]
    await wp_site.php("require_once ABSPATH . 'wp-admin/includes/ms.php'; wpmu_delete_user( $who );", who=both, admin=True, user="admin")
    assert await values(both) == [None, None]
