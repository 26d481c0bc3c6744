"""A site from nothing: laid, installed, served, WooCommerce and the bridge switched on; removed at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wordpress.bed import files
from wordpress.bed.kinds import BRIDGE, CACHE, DatabaseKind, OrderStore, SiteKind
from wordpress.bed.mariadb import MariaDb
from wordpress.bed.shop import Shop
from wordpress.bed.site import ADMIN, PASSWORD, Site
from wordpress.bed.web import WebServer, free_port

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
    update_option( 'woocommerce_custom_orders_table_data_sync_enabled', 'no' );
    update_option( 'woocommerce_default_country', 'GB' );
    update_option( 'woocommerce_enable_guest_checkout', 'yes' );
    update_option( 'woocommerce_cod_settings', array( 'enabled' => 'yes', 'title' => 'On delivery' ) );
    // a new site still moves Action Scheduler's (absent) old data, during which `unique` is not kept
    update_option( 'action_scheduler_migration_status', 'complete' );
    flush_rewrite_rules();
"""


@contextmanager
def built_site(kind: SiteKind, database: MariaDb | None, *, bridge: Path = BRIDGE, active: bool = True) -> Iterator[Shop]:
    """A site that is installed and served, WooCommerce and (where ``active``) the bridge switched on; removed at the end."""
    sites = CACHE.parent / "sites"
    sites.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="shop-", dir=sites))
    if kind.database is DatabaseKind.SQLITE:
        database = None
    name = database.new_database() if database else "shop"
    port = free_port()
    try:
        files.lay(directory, kind, database, name, bridge=bridge)
        web = WebServer(directory, port, directory / "web.log")
        try:
            site = Shop(kind, directory, f"http://127.0.0.1:{port}", database, name, web)
            site.php_now(INSTALL, installing=True, url=site.url, password=PASSWORD)
            _activate(site, "woocommerce/woocommerce.php")
            site.php_now(SETTLE, tables=kind.orders is OrderStore.TABLES)
            if active and (bridge / "tillsync-bridge.php").exists():
                _activate(site, "tillsync-bridge/tillsync-bridge.php")
            site.keep_as_first_state()
            site.reset()
            yield site
        finally:
            web.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if database:
            database.sql(f"DROP DATABASE IF EXISTS {name}; DROP DATABASE IF EXISTS {name}_first;")


def _activate(site: Site, plugin: str) -> None:
    code = "$done = activate_plugin( $plugin ); if ( is_wp_error( $done ) ) { throw new RuntimeException( $done->get_error_message() ); }"
    site.php_now(code, admin=True, user=ADMIN, plugin=plugin)
