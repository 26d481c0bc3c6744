"""Files and hooks of the plugin that a request loads, by kind of request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import connected

pytestmark = pytest.mark.shops("wordpress6.1-mariadb-hpos")

LOOK = """
    function tillsync_test_look(): array {
        $root  = realpath( dirname( \\Tillsync\\Bridge\\PLUGIN_FILE ) ) . '/';
        $hooks = array();
        foreach ( $GLOBALS['wp_filter'] as $hook => $of_hook ) {
            foreach ( $of_hook->callbacks as $callbacks ) {
                foreach ( $callbacks as $callback ) {
                    if ( ! is_callable( $callback['function'] ) ) { continue; }
                    $function = new ReflectionFunction( Closure::fromCallable( $callback['function'] ) );
                    if ( str_starts_with( (string) realpath( (string) $function->getFileName() ), $root ) ) { $hooks[] = (string) $hook; }
                }
            }
        }
        $files = array();
        foreach ( get_included_files() as $file ) {
            $file = (string) realpath( $file );
            if ( str_starts_with( $file, $root ) ) { $files[] = substr( $file, strlen( $root ) ); }
        }
        sort( $files );
        return array( 'files' => $files, 'hooks' => $hooks );
    }
    add_action( 'shutdown', static function (): void {
        file_put_contents( WP_CONTENT_DIR . '/uploads/loaded', json_encode( tillsync_test_look() ) );
    }, PHP_INT_MAX );
"""
COMMAND_LINE = "define( 'WP_CLI', true ); final class WP_CLI { public static function add_command( $name, $command ): void {} }"


@dataclass(frozen=True)
class Loaded:
    files: list[str]
    hooks: list[str]

    def __str__(self) -> str:
        return f"{len(self.files)} files, {len(self.hooks)} hooks"


async def loaded_by(site: Shop, path: str, *, user: int | str | None = None) -> Loaded:
    """Returns the files and hooks that a request for ``path`` loads."""
    session = None if user is None else await site.log_in(user)
    seen = site.content / "uploads/loaded"
    seen.unlink(missing_ok=True)
    reply = await site.request("GET", path, session=session)
    assert reply.status == 200, (path, reply.status)
    return Loaded(**json.loads(seen.read_text(encoding="utf-8")))


# Files of a shop page. Every visitor loads a new one, so add it only if it is needed before its hook fires.
OF_EVERY_PAGE = {
    "tillsync-bridge.php",
    "blocks/points/editor.asset.php",
    "src/autoload.php",
    "src/Plugin.php",
    "src/Services.php",
    "src/Schedule.php",
    "src/Boot/EveryRequest.php",
    "src/Boot/HookCall.php",
    "src/Boot/LazyHooks.php",
    "src/Customers/PointsDisplay.php",
}
# These print the empty element for the points.
OF_MY_ACCOUNT = OF_EVERY_PAGE | {
    "src/Log.php",
    "src/Customers/PointsSwitch.php",
    "src/SafeCall.php",
    "src/Confirmation/ConfirmationPages.php",
    "src/Rest/AdminGate.php",
    "src/Rest/ShopperPointsRoute.php",
}
# WordPress or WooCommerce may fire each of these hooks within a shopper's request.
OF_EVERY_REQUEST = {
    # programs that manage many sites look for updates in requests of any kind
    "update_plugins_tillsync.invalid",
    "http_request_args",
    "pre_set_site_transient_update_plugins",
    "site_transient_update_plugins",
    "plugins_api",
    "upgrader_pre_download",
    "upgrader_source_selection",
    "woocommerce_order_status_changed",
    "tillsync_bridge_minute",
    "tillsync_bridge_hourly",
    "tillsync_bridge_daily",
    "tillsync_bridge_due",
    "tillsync_bridge_drain",
    "tillsync_bridge_backfill",
    "tillsync_bridge_roles",
    "cron_schedules",
    "init",
    "rest_api_init",
    "wp_initialize_site",
    "wpmu_drop_tables",
    "password_reset",
    "profile_update",
    "woocommerce_customer_email_verified",
    "delete_user",
    "deleted_user",
    "remove_user_from_blog",
    "set_user_role",
    "woocommerce_account_dashboard",
    "woocommerce_email_classes",
    "woocommerce_transactional_emails_for_block_editor",
    "woocommerce_locate_template",
    "template_redirect",
    "tillsync_customer_type_discount",
    "tillsync_order_answered",
    "tillsync_order_refused",
    "tillsync_outbox_paused",
    "tillsync_outbox_resumed",
    "tillsync_connected",
    "shutdown",
    "tillsync_disconnected",
    "before_woocommerce_init",
    "plugins_loaded",
}
# Some of the screens and tools.
OF_BACK_OFFICE = {
    "admin_init",
    "admin_menu",
    "admin_notices",
    "admin_post_tillsync_bridge_connect",
    "admin_post_tillsync_save_role_map",
    "admin_post_tillsync_bridge_confirm_email",
    "show_user_profile",
    "edit_user_profile",
    "add_meta_boxes",
    "woocommerce_order_actions",
    "woocommerce_integrations",
    "site_status_tests",
    "debug_information",
    "wp_privacy_personal_data_exporters",
    "wp_privacy_personal_data_erasers",
}


async def test_shop_page_loads_only_needed_files(wp_site: Shop, measured: Callable[[str], None]) -> None:
    wp_site.inject(LOOK)
    page = await loaded_by(wp_site, "/")
    assert set(page.files) == OF_EVERY_PAGE
    own = re.compile(r"activate_|deactivate_")
    assert {hook for hook in page.hooks if not own.match(hook)} == OF_EVERY_REQUEST
    shopper = await wp_site.add_user("ada@example.test")
    account = await loaded_by(wp_site, "/my-account/", user=shopper)
    assert set(account.files) == OF_MY_ACCOUNT
    measured(f"what a page of the shop loads of the plugin: {page}; My Account: {account}")


async def test_status_change_loads_only_the_order_hook(wp_site: Shop) -> None:
    """A shopper's request loads neither the drain nor the client of the service."""
    await connected(wp_site)
    wp_site.inject(LOOK)
    pay = "isset( $_GET['pay'] ) && wc_get_order( (int) $_GET['pay'] )->update_status( 'processing' )"
    wp_site.inject(f"add_action( 'wp_loaded', static fn() => {pay} );")
    order = await wp_site.add_order(status="pending")
    page = await loaded_by(wp_site, f"/?pay={order}")
    assert [row["state"] for row in await wp_site.rows("SELECT state FROM {prefix}tillsync_outbox")] == ["waiting"]
    assert set(page.files) - OF_EVERY_PAGE == {
        "src/Clock.php",
        "src/Log.php",
        "src/SafeCall.php",
        "src/Connection/ConnectionStore.php",
        # WooCommerce sends its mails then, and loads the class of every mail
        "src/Emails/AttentionEmail.php",
        "src/Emails/ConfirmationEmail.php",
        "src/Emails/Digest.php",
        "src/Emails/EmailParts.php",
        "src/Orders/ChosenStatuses.php",
        "src/Orders/OrderFacts.php",
        "src/Orders/OrderHook.php",
        "src/Orders/Outbox.php",
        "src/Orders/SilentQueries.php",
        "src/Schema/Tables.php",
    }


@pytest.mark.parametrize("path", ["/wp-admin/index.php", "/wp-json/", "/?rest_route=/", "/wp-cron.php"])
async def test_back_office_requests_have_screens_and_tools(wp_site: Shop, measured: Callable[[str], None], path: str) -> None:
    wp_site.inject(LOOK)
    loaded = await loaded_by(wp_site, path, user="admin" if "admin" in path else None)
    assert set(loaded.hooks) >= OF_BACK_OFFICE | OF_EVERY_REQUEST
    measured(f"what {path} loads of the plugin: {loaded}")


async def test_command_line_has_the_tools(wp_site: Shop, measured: Callable[[str], None]) -> None:
    wp_site.inject(LOOK + COMMAND_LINE)
    loaded = Loaded(**await wp_site.php("return tillsync_test_look();"))
    assert set(loaded.hooks) >= OF_BACK_OFFICE | OF_EVERY_REQUEST
    assert "src/Cli/TillsyncCommand.php" in loaded.files
    assert "src/Cli/CommandTools.php" not in loaded.files
    measured(f"what WP-CLI loads of the plugin: {loaded}")


async def test_page_that_runs_cron_has_the_tools(wp_site: Shop) -> None:
    """WordPress's scheduled Site Health check runs in such a page, and needs the plugin's tests."""
    wp_site.configure(ALTERNATE_WP_CRON=True, DISABLE_WP_CRON=True)
    wp_site.inject(LOOK)
    assert set((await loaded_by(wp_site, "/")).hooks) >= OF_BACK_OFFICE
