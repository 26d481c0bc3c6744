"""Builds a site: copies and installs it, serves it, activates WooCommerce and the plugin, and removes it at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from support.directories import reachable_directory
from wordpress.harness import files
from wordpress.harness.kinds import BRIDGE, DatabaseKind, OrderStore, SiteKind
from wordpress.harness.mariadb import MariaDb
from wordpress.harness.shop import Shop
from wordpress.harness.site import ADMIN, PASSWORD, Site
from wordpress.harness.web import WebServer, free_port

INSTALL: Final = """
    require_once ABSPATH . 'wp-admin/includes/upgrade.php';
    wp_install( 'Corner Shop', 'admin', 'admin@example.test', true, '', $password );
    update_option( 'siteurl', $url );
    update_option( 'home', $url );
    update_option( 'permalink_structure', '/%postname%/' );
    switch_theme( 'shop-theme' );
"""
SETTLE: Final = """
    update_option( 'woocommerce_coming_soon', 'no' );
    update_option( 'woocommerce_onboarding_profile', array( 'skipped' => true, 'completed' => true ) );
    update_option( 'woocommerce_task_list_hidden', 'yes' );
    update_option( 'woocommerce_custom_orders_table_enabled', $tables ? 'yes' : 'no' );
    update_option( 'woocommerce_custom_orders_table_data_sync_enabled', $compatibility ? 'yes' : 'no' );
    update_option( 'woocommerce_default_country', 'GB' );
    update_option( 'woocommerce_enable_guest_checkout', 'yes' );
    update_option( 'woocommerce_cod_settings', array( 'enabled' => 'yes', 'title' => 'On delivery' ) );
    // a new site migrates Action Scheduler's (absent) old data, and ignores `unique` meanwhile
    update_option( 'action_scheduler_migration_status', 'complete' );
    // without this the first page of wp-admin redirects to the setup of a new shop
    delete_transient( '_wc_activation_redirect' );
    flush_rewrite_rules();
"""


@contextmanager
def built_site(kind: SiteKind, database: MariaDb | None, *, bridge: Path = BRIDGE, active: bool = True) -> Iterator[Shop]:
    """An installed and served site with WooCommerce and (if ``active``) the plugin. It is removed at the end."""
    if kind.database is DatabaseKind.SQLITE:
        database = None
    name = database.new_database() if database else "shop"
    port = free_port()
    try:
        with reachable_directory("shop-") as directory:
            files.lay(directory, kind, database, name, bridge=bridge)
            web = WebServer(directory, port, directory / "web.log")
            try:
                site = Shop(kind, directory, f"http://127.0.0.1:{port}", database, name, web)
                site.php_now(INSTALL, installing=True, url=site.url, password=PASSWORD)
                _activate(site, "woocommerce/woocommerce.php")
                site.php_now(SETTLE, tables=kind.orders is OrderStore.TABLES, compatibility=kind.compatibility)
                if active and (bridge / "tillsync-bridge.php").exists():
                    _activate(site, "tillsync-bridge/tillsync-bridge.php")
                site.keep_as_first_state()
                site.reset()
                yield site
            finally:
                web.stop()
    finally:
        if database:
            database.sql(f"DROP DATABASE IF EXISTS {name}; DROP DATABASE IF EXISTS {name}_first;")


NETWORK: Final = """
    require_once ABSPATH . 'wp-admin/includes/network.php';
    require_once ABSPATH . 'wp-admin/includes/upgrade.php';
    global $wpdb;
    foreach ( $wpdb->tables( 'ms_global' ) as $table => $prefixed ) { $wpdb->$table = $prefixed; }
    install_network();
    $done = populate_network( 1, $domain, 'admin@example.test', 'Two Shops', '/', false );
    if ( is_wp_error( $done ) && 'no_wildcard_dns' !== $done->get_error_code() ) {
        throw new RuntimeException( $done->get_error_message() );
    }
"""
SECOND_SHOP: Final = """
    $id = wp_insert_site( array( 'domain' => $domain, 'path' => '/second/', 'title' => 'Second Shop', 'user_id' => 1, 'network_id' => 1 ) );
    if ( is_wp_error( $id ) ) { throw new RuntimeException( $id->get_error_message() ); }
    // WordPress removes the colon from a domain; the shops of these tests have a port
    global $wpdb;
    $wpdb->update( $wpdb->blogs, array( 'domain' => $domain ), array( 'blog_id' => $id ) );
    clean_blog_cache( $id );
    update_blog_option( $id, 'home', "http://$domain/second" );
    update_blog_option( $id, 'siteurl', "http://$domain/second" );
"""


@contextmanager
def built_network(kind: SiteKind, database: MariaDb | None) -> Iterator[tuple[Shop, Shop]]:
    """Two shops of one WordPress network (subdirectories): the first at `/`, the second at `/second/`, with the plugin active on the whole
    network. They share files, users and database, so a reset of the first resets both.
    """
    with built_site(kind, database, active=False) as first:
        domain = first.url.removeprefix("http://")
        first.php_now(NETWORK, admin=True, user=ADMIN, domain=domain)
        first.constants = {
            "WP_ALLOW_MULTISITE": True,
            "MULTISITE": True,
            "SUBDOMAIN_INSTALL": False,
            "DOMAIN_CURRENT_SITE": domain,
            "PATH_CURRENT_SITE": "/",
            "SITE_ID_CURRENT_SITE": 1,
            "BLOG_ID_CURRENT_SITE": 1,
        }
        first.configure()
        first.php_now(SECOND_SHOP, user=ADMIN, domain=domain)
        second = replace(first, url=f"{first.url}/second")
        for shop in (first, second):
            _activate(shop, "woocommerce/woocommerce.php")
            shop.php_now(SETTLE, tables=kind.orders is OrderStore.TABLES, compatibility=kind.compatibility)
        _activate(first, "tillsync-bridge/tillsync-bridge.php", network=True)
        first.keep_as_first_state()
        first.reset()
        yield first, second


def _activate(site: Site, plugin: str, *, network: bool = False) -> None:
    code = """
        $done = activate_plugin( $plugin, '', $network );
        if ( is_wp_error( $done ) ) { throw new RuntimeException( $done->get_error_message() ); }
    """
    site.php_now(code, admin=True, user=ADMIN, plugin=plugin, network=network)
