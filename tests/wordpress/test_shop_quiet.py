"""Requests that call the service: no page does while it loads, and a slow service delays only the drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.checkout import Shopper
from wordpress.test_checkout_safety import point_to
from wordpress.test_shop_access import ORDERS

ASKED = """
    add_filter( 'pre_http_request', static function ( $done, $given, $url ) {
        if ( str_contains( $url, '/tillsync.v1.' ) ) {
            file_put_contents( WP_CONTENT_DIR . '/uploads/asked', $_SERVER['REQUEST_URI'] . ' ' . $url . PHP_EOL, FILE_APPEND );
        }
        return $done;
    }, 10, 3 );
"""
PAGES = (
    "/wp-admin/index.php",
    "/wp-admin/plugins.php",
    "/wp-admin/users.php",
    "/wp-admin/profile.php",
    "/wp-admin/site-health.php",
    "/wp-admin/options-privacy.php?tab=policyguide",
    "/wp-admin/admin.php?page=tillsync-queues",
    "/wp-admin/admin.php?page=tillsync-types",
    "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync",
    "/wp-admin/admin.php?page=wc-settings&tab=email",
    "/",
    "/my-account/",
)


async def test_no_page_calls_the_service_while_it_loads(bridged: BridgedShop) -> None:
    """The script of the queues page calls it after the page has loaded."""
    site = bridged.site
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test")
    await bridged.age_outbox()
    edit = await site.php(
        "return str_replace( home_url(), '', html_entity_decode( wc_get_order( $id )->get_edit_order_url() ) );", id=order, user="admin"
    )
    session = await site.log_in()
    await site.request("GET", "/wp-admin/index.php", session=session)  # a new WooCommerce shows its setup once
    site.inject(ASKED)
    for path in (*PAGES, edit, await site.php(ORDERS), f"/wp-admin/user-edit.php?user_id={user}"):
        reply = await site.request("GET", path, session=session)
        assert reply.status == 200, path
    log = site.content / "uploads/asked"
    # Action Scheduler may start its own work after a page of wp-admin
    requests = [line for line in (log.read_text(encoding="utf-8").splitlines() if log.exists() else []) if "admin-ajax.php" not in line]
    assert requests == []
    # the same recorder sees the script's call
    await site.request("GET", "/wp-json/tillsync-bridge/v1/queues?queue=orders", session=session)
    assert "ListQueue" in log.read_text(encoding="utf-8")


@dataclass
class SlowService:
    """A service that answers nothing before ``released`` is set."""

    url: str = ""
    called: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def slow_service(url: str) -> AsyncIterator[SlowService]:
    """Forwards to the service at ``url``."""
    slow = SlowService()

    async def forward(request: web.Request) -> web.Response:
        body = await request.read()
        slow.called.set()
        await slow.released.wait()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "content-length")}
        async with aiohttp.ClientSession() as client, client.post(url + request.path, data=body, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    application = web.Application()
    application.router.add_post("/{any:.*}", forward)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        listening = web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        host, port = runner.addresses[0][:2]
        slow.url = f"http://{host}:{port}"
        yield slow
    finally:
        slow.released.set()
        await runner.cleanup()


@pytest.mark.shops("mariadb")
async def test_slow_service_delays_no_checkout_and_gets_every_order(bridged: BridgedShop) -> None:
    """Every checkout ends before the service answers anything."""
    site = bridged.site
    service = await site.php(
        "return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\ConnectionStore::class )->current()->url;"
    )
    shopper = Shopper(site)
    async with slow_service(service) as slow:
        await point_to(site, slow.url)
        orders = []
        for block in (False, True):
            bought = await shopper.buy("ada@example.test", block=block)
            assert bought.status == 200, bought.text
            orders.append(bought.order_id)
        assert not slow.called.is_set(), "a checkout sends the service no request"
        await bridged.age_outbox()
        # a checkout during the drain does not wait either
        draining = asyncio.create_task(bridged.drain(now=False))
        await slow.called.wait()
        meanwhile = await shopper.buy("grace@example.test", block=False)
        assert meanwhile.status == 200, meanwhile.text
        assert not draining.done(), "the drain still waits for the service"
        slow.released.set()
        await draining
        entries = {entry.order_id for entry in await bridged.entries()}
        assert set(orders) <= entries
