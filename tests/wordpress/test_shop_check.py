"""The merchant's test of both sides names each obstacle between service and shop in the merchant's words."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from support.postgres import TestDatabase
from tillsync.v1 import account_pb2
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.shop import Shop
from wordpress.test_shop_connect import NONCE, flash, press, screen

FOR_THE_SERVICE = "if ( ! str_contains( $_SERVER['REQUEST_URI'], 'wc-tillsync' ) ) { return; }\n"
PAGE = "header( 'Content-Type: text/html' ); echo '<!doctype html><html><body><h1>%s</h1></body></html>'; exit;"
FAILURE_MODES = {
    "maintenance": (
        "http_response_code( 503 ); header( 'Retry-After: 600' ); " + PAGE % "Briefly unavailable",
        "The shop is in maintenance, or overloaded.",
        "Wait until it is done",
    ),
    "moved": (
        "http_response_code( 301 ); header( 'Location: https://www.shop.example.test' . $_SERVER['REQUEST_URI'] ); exit;",
        "leads on to another address.",
        "Enter the address it leads to under Settings → General",
    ),
    "moved for a moment": (
        "http_response_code( 302 ); header( 'Location: https://www.shop.example.test/' ); exit;",
        "leads on to another address.",
        "Enter the address it leads to",
    ),
    "REST switched off": (
        "add_filter( 'rest_authentication_errors', fn() => new WP_Error( 'rest_disabled', 'off', array( 'status' => 403 ) ), 999 );",
        "A plugin has switched the shop's REST API off.",
        "Allow /wp-json/ in the security plugin",
    ),
    "REST for members only": (
        "add_filter( 'rest_authentication_errors', fn() => new WP_Error( 'rest_login_required', 'off', array( 'status' => 401 ) ), 999 );",
        "A plugin has switched the shop's REST API off.",
        "Allow /wp-json/ in the security plugin",
    ),
    "a firewall": (
        "http_response_code( 403 ); " + PAGE % "Blocked",
        "A firewall or a bot check before the shop",
        "Ask your host to let the service",
    ),
    "a bot check": (
        "http_response_code( 403 ); header( 'cf-mitigated: challenge' ); " + PAGE % "Just a moment...",
        "A firewall or a bot check before the shop",
        "Ask your host to let the service",
    ),
    "a password": (
        "http_response_code( 401 ); header( 'WWW-Authenticate: Basic realm=x' ); " + PAGE % "Authorization Required",
        "The web server asks for a password before the shop.",
        "Except /wp-json/ from the password protection",
    ),
    "a cached page": (
        "http_response_code( 200 ); header( 'X-Cache: HIT' ); " + PAGE % "Welcome",
        "The shop answered with a web page in place of data, mostly out of a cache.",
        "Except /wp-json/ from page caches",
    ),
    "the plugin is off": (
        "add_filter( 'rest_endpoints', fn( $all ) => array_diff_key( $all, array( '/wc-tillsync/v1/status' => 1 ) ), 999 );",
        "The service does not find this plugin at the shop's address.",
        "See that it is active on the site",
    ),
    "headers are dropped": (
        "unset( $_SERVER['HTTP_X_TILLSYNC_SIGNATURE'] );",
        "The shop did not accept the service's signature.",
        "Connect again, so that both sides hold the same secret.",
    ),
    "a fatal error": (
        "add_action( 'rest_api_init', static function () { throw new Error( 'of another plugin' ); }, 0 );",
        "The shop failed over the service's question.",
        "Look into the PHP error log",
    ),
    "too many": (
        "http_response_code( 429 ); header( 'Retry-After: 30' ); " + PAGE % "Slow down",
        "The shop's host limits the requests of the service.",
        "Ask your host to allow it more requests.",
    ),
}
OPERATORS = re.compile(r"\bepos\.|\bshop\.\w+_|base_url|webhook_key|consumer_key|_api_version|UpdateAccount|requests_per_minute|till_id")
"""Names of settings that a merchant does not know."""


def shown(page: str) -> list[str]:
    """Returns the steps as a merchant reads them."""
    listed = page.partition('<ol class="tillsync-steps">')[2].partition("</ol>")[0]
    return [html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", step))).strip() for step in listed.split("<li ")[1:]]


async def checked(site: Shop) -> list[str]:
    session = await site.log_in("admin", NONCE)
    await press(site, session, "check")
    return shown(await screen(site, session))


@pytest.mark.timeout(300)
@pytest.mark.shops("mariadb")
async def test_each_obstacle_before_the_shop_is_named_with_its_remedy(bridged: BridgedShop) -> None:
    site = bridged.site
    bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test")
    session = await site.log_in("admin", NONCE)
    secret = await bridged.secret()
    for name, (code, reason, to_do) in FAILURE_MODES.items():
        injected = site.inject(FOR_THE_SERVICE + code)
        await press(site, session, "check")
        page = await screen(site, session)
        assert "The connection test found a problem." in flash(page), name
        failed = [step for step in shown(page) if "Shop · Wrong" in step]
        assert len(failed) == 1, (name, shown(page))
        assert reason in failed[0], (name, failed)
        assert to_do in failed[0], (name, failed)
        assert not any(OPERATORS.search(step) for step in shown(page)), (name, shown(page))
        # a connect fails with the same words, and the stored connection stays
        await press(site, session, "reconnect")
        refused = html.unescape(flash(await screen(site, session)))
        assert f"Not connected. {reason}" in refused or reason in refused, (name, refused)
        assert to_do in refused, (name, refused)
        injected.unlink()
    site.forgive_log()
    assert await bridged.secret() == secret
    await press(site, session, "check")
    assert "Connection OK." in flash(await screen(site, session))


@pytest.mark.shops("mariadb")
async def test_output_around_the_shops_responses_is_a_warning(bridged: BridgedShop) -> None:
    """The service can still read the responses, so no step fails."""
    site = bridged.site
    bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test")
    notice = "echo '<br /><b>Notice</b>:  Undefined index in <b>/wp-content/plugins/loyal/loyal.php</b><br />';"
    injected = site.inject(f"{FOR_THE_SERVICE}add_action( 'init', static function () {{ {notice} }} );")
    steps = await checked(site)
    [warning] = [step for step in steps if "Look at this" in step and "print" in step]
    assert "WP_DEBUG_DISPLAY" in warning
    injected.unlink()
    site.forgive_log()
    assert not any("print" in step for step in await checked(site))


@pytest.mark.shops("mariadb")
async def test_operators_problems_are_shown_without_the_operators_settings(wp_site: Shop, database: TestDatabase) -> None:
    account = account_pb2.Account(customer_sync_enabled=False)
    async with bridged_shop(wp_site, database.dsn, account=account) as bridged:
        steps = await checked(wp_site)
        assert any("Look at this" in step and "Switch it on in the settings below" in step for step in steps), steps
        assert any("Ask your tillsync operator to set up the webhook." in step for step in steps), steps
        assert not any(OPERATORS.search(step) for step in steps), steps
        bridged.till.switches.api_secret = "another"
        steps = await checked(wp_site)
        assert any("Till · Wrong Epos Now refused the API credentials." in step for step in steps), steps
        assert any("Ask your tillsync operator to enter the API credentials of the till again." in step for step in steps), steps
        assert not any(OPERATORS.search(step) for step in steps), steps


@pytest.mark.shops("mariadb")
async def test_every_reason_and_warning_of_the_service_has_a_text(wp_site: Shop) -> None:
    """The codes are found in the service's code, so a new one without a text fails here."""
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parents[2] / "server/tillsync_server/application/use_cases").glob("*.py")
    )
    reasons = set(re.findall(r'"((?:SHOP|TILL)_[A-Z_]+)"', code)) | set(re.findall(r'reason="([A-Z_]+)"', code))
    checks = "".join(
        (Path(__file__).parents[2] / f"server/tillsync_server/application/use_cases/{name}.py").read_text(encoding="utf-8")
        for name in ("account_check", "shop_check", "till_check", "check_steps", "upstream_reasons")
    )
    reasons = {reason for reason in reasons if f'"{reason}"' in checks}
    warnings = set(re.findall(r'(?:run\.warn|_pass_by_list)\(\s*(?:run, )?"(\w+)"', checks)) - {
        "no_bridge"
    }  # the plugin itself is the bridge
    successes = set(re.findall(r'run\.passed\(\s*"(\w+)"', checks)) - {"consumer_keys"} | {"search_by_email"}
    assert (len(reasons) > 20, len(warnings) > 6, len(successes) > 5) == (True, True, True), (reasons, warnings, successes)
    words = await wp_site.php(
        """
        $words = array();
        foreach ( array( 'of_reason' => $reasons, 'of_warning' => $warnings, 'of_success' => $successes ) as $kind => $names ) {
            foreach ( $names as $name ) { $words[ $name ] = (array) Tillsync\\Bridge\\Health\\CheckTexts::$kind( $name ); }
        }
        return $words;
        """,
        reasons=sorted(reasons),
        warnings=sorted(warnings),
        successes=sorted(successes),
    )
    assert [name for name, reason in words.items() if not reason or not all(reason)] == []
    assert [name for name, reason in words.items() if OPERATORS.search(" ".join(reason))] == []
    assert all(text.endswith(".") for reason in words.values() for text in reason)
