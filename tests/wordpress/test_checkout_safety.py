"""A checkout succeeds in its normal time, whatever fails in the plugin or the service, and the order is matched later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.checkout import Shopper
from wordpress.harness.shop import Shop
from wordpress.harness.web import free_port

pytestmark = pytest.mark.timeout(300)  # about twenty PHP processes each, and the real WooCommerce takes a second for one on a quiet machine
NORMAL_SECONDS = 14.0
"""A checkout takes 50 ms in the stand-in and a second in the real WooCommerce. The service's timeouts are 15 s and more. The spy below
shows that a checkout sends the service no request.
"""
SPY = """
    add_filter( 'pre_http_request', static function ( $answer, $with, $url ) {
        if ( str_contains( $_SERVER['REQUEST_URI'] ?? '', 'checkout' ) && str_contains( $url, '/tillsync.v1.' ) ) {
            file_put_contents( WP_CONTENT_DIR . '/uploads/asked.txt', "$url\n", FILE_APPEND );
        }
        return $answer;
    }, 10, 3 );
"""


async def buy(site: Shop, *, block: bool) -> int:
    if not (site.content / "injected/spy.php").exists():
        site.inject(SPY, "spy")
    bought = await Shopper(site).buy("ada@example.test", block=block)
    assert bought.seconds < NORMAL_SECONDS
    assert bought.status == 200, bought.text
    assert block or bought.json["result"] == "success", bought.text
    assert await site.php("return wc_get_order( $id )->get_status();", id=bought.order_id) == "processing"
    assert not (site.content / "uploads/asked.txt").exists(), "a checkout sends the service no request"
    return bought.order_id


async def both(site: Shop) -> list[int]:
    return [await buy(site, block=block) for block in (False, True)]


async def outbox(site: Shop) -> dict[int, str]:
    return {int(row["order_id"]): row["state"] for row in await site.rows("SELECT order_id, state FROM {prefix}tillsync_outbox")}


async def matched(bridged: BridgedShop, orders: list[int]) -> None:
    async def done() -> bool:
        await bridged.site.php("delete_option( 'tillsync_bridge_breaker' );")
        await bridged.drain()
        states = await outbox(bridged.site)
        return all(states.get(order) == "done" for order in orders)

    await bridged.site.until(done, 120)


async def sweep(site: Shop) -> int:
    found: int = await site.php("return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Sweep::class )->run();")
    return found


async def test_checkout_adds_its_order_to_the_outbox_without_a_call(bridged: BridgedShop) -> None:
    site = bridged.site
    orders = await both(site)
    assert await outbox(site) == dict.fromkeys(orders, "waiting")
    await matched(bridged, orders)


async def test_missing_outbox_table_stops_no_checkout(bridged: BridgedShop) -> None:
    site = bridged.site
    await site.php('global $wpdb; $wpdb->query( "DROP TABLE {$wpdb->prefix}tillsync_outbox" );')
    orders = await both(site)
    # the first drain or sweep creates the table again, and the next sweep finds the orders
    await site.php("do_action( 'tillsync_bridge_drain' );")
    assert await sweep(site) + await sweep(site) == 2
    await matched(bridged, orders)
    site.forgive_log()


@pytest.mark.shops("mariadb")
async def test_unwritable_outbox_stops_no_checkout(bridged: BridgedShop) -> None:
    site = bridged.site
    assert site.database is not None
    trigger = "CREATE TRIGGER read_only BEFORE INSERT ON shop_tillsync_outbox FOR EACH ROW SIGNAL SQLSTATE '45000'"
    site.database.sql(f"USE {site.database_name}; {trigger};")
    orders = await both(site)
    assert await outbox(site) == {}
    site.database.sql(f"USE {site.database_name}; DROP TRIGGER read_only;")
    assert await sweep(site) == 2
    await matched(bridged, orders)
    site.forgive_log()


async def test_plugin_fails_silently_on_a_read_only_database(bridged: BridgedShop) -> None:
    """No order can be placed then, but the plugin adds no error of its own."""
    site = bridged.site
    for block in (False, True):
        tried = await Shopper(site).buy("ada@example.test", block=block, during=site.read_only)
        assert "tillsync" not in tried.text.lower()
    with site.read_only():
        drained = await site.php("do_action( 'tillsync_bridge_drain' ); do_action( 'tillsync_bridge_minute' ); return 'went on';")
        assert drained == "went on"
    site.forgive_log()
    await matched(bridged, [await buy(site, block=False)])


@pytest.mark.parametrize("error", ["TypeError", "Error", "Exception", "DivisionByZeroError"])
@pytest.mark.shops("mariadb")
async def test_error_in_the_plugin_stops_no_checkout(bridged: BridgedShop, error: str) -> None:
    site = bridged.site
    # the plugin's hook fails where it reads its option
    thrower = f"add_filter( 'pre_option_tillsync_bridge_active', function () {{ throw new {error}( 'ours' ); }} );"
    injected = site.inject(thrower)
    later = site.inject("add_action( 'woocommerce_order_status_changed', fn( $id ) => update_option( 'later', $id ), 99 );")
    orders = await both(site)
    # the callbacks after the plugin's have run
    assert await site.php("return (int) get_option( 'later' );") == orders[1]
    injected.unlink()
    later.unlink()
    assert await sweep(site) == 2
    await matched(bridged, orders)
    site.forgive_log()


@asynccontextmanager
async def something_else(answer: bytes | None, delay: float = 0) -> AsyncIterator[str]:
    """A server that sends this response to every request; with None it never answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(delay)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def reply(status: str, body: str, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return (head + body).encode()


SERVICES = {
    "401": (reply("401 Unauthorized", '{"code":"unauthenticated","message":"unknown token"}'), "paused"),
    "403": (reply("403 Forbidden", '{"code":"permission_denied","message":"another account"}'), "paused"),
    "429": (reply("429 Too Many", '{"code":"resource_exhausted","message":"slower"}', more="Retry-After: 30\r\n"), "throttled"),
    "500": (reply("500 Error", ""), ""),
    "html": (reply("200 OK", "<html><body>It works!</body></html>", "text/html"), ""),
    "redirect": (reply("301 Moved", "", "text/html", "Location: https://www.example.test/\r\n"), ""),
}


async def point_to(site: Shop, url: str) -> str:
    code = """
        $it = get_option( 'tillsync_bridge_connection' );
        $before = $it['url'];
        update_option( 'tillsync_bridge_connection', array( 'url' => $url ) + $it );
        return $before;
    """
    before: str = await site.php(code, url=url)
    return before


async def report(site: Shop) -> dict[str, object]:
    run = "return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run()->to_array();"
    found: dict[str, object] = await site.php(run)
    return found


@pytest.mark.parametrize("kind", list(SERVICES))
@pytest.mark.shops("mariadb")
async def test_bad_answers_of_the_service_keep_orders_waiting(bridged: BridgedShop, kind: str) -> None:
    site = bridged.site
    answer, stops = SERVICES[kind]
    async with something_else(answer) as url:
        before = await point_to(site, url)
        orders = await both(site)
        await bridged.age_outbox()
        first = await report(site)
        assert (first["stopped_by"], first["failed_calls"], first["sent"]) == (stops, 1, 0)
        assert await outbox(site) == dict.fromkeys(orders, "waiting")
        await bridged.age_outbox()
        if stops == "":
            second = await report(site)
            assert second["stopped_by"] == "breaker"
        third = await report(site)
        assert (third["stopped_by"], third["failed_calls"]) == ("paused" if stops == "paused" else "breaker", 0)
    await point_to(site, before)
    await site.php("Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\OutboxPause::class )->resume();")
    await matched(bridged, orders)


@pytest.mark.shops("mariadb")
@pytest.mark.parametrize("kind", ["down", "silent"])
async def test_unreachable_or_silent_service_keeps_orders_waiting(bridged: BridgedShop, kind: str) -> None:
    site = bridged.site
    async with something_else(None) as silent:
        before = await point_to(site, silent if kind == "silent" else f"http://127.0.0.1:{free_port()}")
        orders = await both(site)
        await bridged.age_outbox()
        began = time.monotonic()
        first = await report(site)
        assert first["failed_calls"] == 1
        assert time.monotonic() - began < 30
        rows = await site.rows("SELECT state, attempts, reason FROM {prefix}tillsync_outbox")
        assert [row["state"] for row in rows] == ["waiting", "waiting"]
        assert all("not reached" in row["reason"] and int(row["attempts"]) == 1 for row in rows)
    await point_to(site, before)
    await matched(bridged, orders)


@pytest.mark.shops("sqlite", "real")
async def test_refused_shop_shows_one_notice_on_its_settings_screen(bridged: BridgedShop) -> None:
    site = bridged.site
    async with something_else(SERVICES["401"][0]) as url:
        before = await point_to(site, url)
        order = await buy(site, block=False)
        await bridged.age_outbox()
        assert (await report(site))["stopped_by"] == "paused"
        session = await site.log_in("admin", "tillsync_bridge_settings")
        page = await site.request("GET", "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync", session=session)
        assert page.text.count("Nothing is sent: the service refuses this shop.") == 1
        assert "ask your tillsync operator for a new connect string" in page.text
    await point_to(site, before)
    form = {"tillsync_nonce": session.nonces["tillsync_bridge_settings"]}
    await site.request("POST", "/wp-admin/admin-post.php?action=tillsync_bridge_resume", session=session, form=form)
    await matched(bridged, [order])
