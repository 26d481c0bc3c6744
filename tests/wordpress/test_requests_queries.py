"""Statements of the plugin that a shopper's request sends to the shop's database. Their number is what the plugin costs the shop."""

from __future__ import annotations

import json
import re

import pytest
from wordpress.harness.checkout import Shopper
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import connected

pytestmark = pytest.mark.shops("mariadb")

# Each statement of WordPress that names the plugin: its options, its tables, and its cron events.
RECORD = """
    add_filter( 'query', static function ( $query ) {
        if ( str_contains( $query, 'tillsync' ) ) { $GLOBALS['tillsync_queries'][] = $query; }
        return $query;
    } );
    add_action( 'shutdown', static function (): void {
        $line = json_encode( $GLOBALS['tillsync_queries'] ?? array() );
        file_put_contents( WP_CONTENT_DIR . '/uploads/queries', "$line\\n", FILE_APPEND );
    }, PHP_INT_MAX );
"""
OUTBOX = "INSERT INTO shop_tillsync_outbox"
CRON = "UPDATE shop_options SET option_value … WHERE option_name = 'cron'"
WITHOUT_OPTIONS = "DELETE FROM {prefix}options WHERE option_name LIKE 'tillsync%' OR option_name LIKE 'woocommerce_tillsync%'"


def recorded(site: Shop) -> list[str]:
    """Returns the recorded statements of all requests since the last call, shortened."""
    file = site.content / "uploads/queries"
    lines = file.read_text(encoding="utf-8").splitlines()
    file.unlink()
    return [shortened(query) for line in lines for query in json.loads(line)]


def shortened(query: str) -> str:
    text = " ".join(query.replace("`", "").split())
    if text.startswith(OUTBOX):
        return OUTBOX
    return re.sub(r"(SET option_value) = .* (WHERE)", r"\1 … \2", text)


async def with_settled_cron(site: Shop) -> None:
    """Makes the plugin's cron events and tables, as the first requests after an activation do."""
    await connected(site)
    await site.request("GET", "/")
    site.inject(RECORD)


@pytest.mark.parametrize("path", ["/", "/my-account/", "/?s=nothing", "/wp-json/"])
@pytest.mark.parametrize("is_logged_in", [False, True])
async def test_page_of_the_shop_sends_no_statement_of_the_plugin(wp_site: Shop, path: str, is_logged_in: bool) -> None:
    await with_settled_cron(wp_site)
    session = await wp_site.log_in(await wp_site.add_user("ada@example.test")) if is_logged_in else None
    (wp_site.content / "uploads/queries").unlink(missing_ok=True)
    assert (await wp_site.request("GET", path, session=session)).status == 200
    assert recorded(wp_site) == []


@pytest.mark.parametrize("block", [False, True])
async def test_checkout_sends_one_row_and_one_cron_event(wp_site: Shop, block: bool) -> None:
    await with_settled_cron(wp_site)
    assert (await Shopper(wp_site).buy("ada@example.test", block=block)).status == 200
    assert recorded(wp_site) == [OUTBOX, CRON]


async def test_options_are_made_when_an_earlier_release_is_updated(wp_site: Shop) -> None:
    """WordPress calls no activation hook for an update. The update of the tables makes the options, and the mails keep their defaults."""
    await wp_site.php("$GLOBALS['wpdb']->query( str_replace( '{prefix}', $GLOBALS['wpdb']->prefix, $sql ) );", sql=WITHOUT_OPTIONS)
    await wp_site.request("GET", "/wp-admin/index.php", session=await wp_site.log_in("admin"))
    names = "'tillsync_bridge_show_points', 'woocommerce_tillsync_attention_settings', 'woocommerce_tillsync_confirmation_settings'"
    rows = await wp_site.rows(f"SELECT option_name, autoload FROM {{prefix}}options WHERE option_name IN ({names})")
    assert {row["autoload"] in ("yes", "on") for row in rows} == {True}
    assert len(rows) == 3
    code = "$mail = WC()->mailer()->get_emails()['Tillsync_Attention_Email']; return array( $mail->is_enabled(), $mail->get_recipient() );"
    assert await wp_site.php(code) == [True, await wp_site.php("return get_option( 'admin_email' );")]
