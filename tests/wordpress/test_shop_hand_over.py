"""An order is handed over when it is due, without cron and without a visitor: the service calls the shop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.checkout import Shopper
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import SECRET, connected

pytestmark = pytest.mark.timeout(300)
ROUTE = "/wc-tillsync/v1/outbox/drain"
# PHP's FPM has the function. The order is due a second after it is placed, instead of thirty.
FPM = """
    function fastcgi_finish_request(): bool { return true; }
    add_action( 'tillsync_order_waits', static function ( $order_id ) {
        global $wpdb;
        $wpdb->query( "UPDATE {$wpdb->prefix}tillsync_outbox SET due_at = due_at - 29 WHERE order_id = " . (int) $order_id );
    } );
"""


async def answer_of(site: Shop, order_id: int) -> dict[str, Any] | None:
    """The final answer. The drain stores one without an outcome first."""
    found: dict[str, Any] | None = (await site.order_meta(order_id)).get("_tillsync_answer")
    return found if found and found["outcome"] else None


@pytest.mark.parametrize("block", [False, True], ids=["classic", "block"])
async def test_order_is_answered_without_cron(bridged: BridgedShop, block: bool) -> None:
    site = bridged.site
    site.configure(DISABLE_WP_CRON=True)
    site.inject(FPM)
    bought = await Shopper(site).buy("ada@example.test", block=block)
    assert bought.status == 200, bought.text
    answer = await site.until(lambda: answer_of(site, bought.order_id))
    assert answer["outcome"] == "OUTCOME_DEFAULT_CUSTOMER"
    second = await Shopper(site).buy("grace@example.test", block=block)
    assert (await site.until(lambda: answer_of(site, second.order_id)))["order_id"] == second.order_id


@pytest.mark.shops("mariadb")
async def test_only_the_service_may_start_a_drain(wp_site: Shop) -> None:
    await connected(wp_site)
    for session in (None, await wp_site.log_in("admin"), await wp_site.log_in(await wp_site.add_user())):
        assert (await wp_site.request("POST", f"/wp-json{ROUTE}", session=session, json_body={})).status == 401
    assert (await wp_site.signed("POST", ROUTE, {}, "x" * 43)).status == 401
    reply = await wp_site.signed("POST", ROUTE, {}, SECRET)
    assert (reply.status, reply.json) == (200, {"next_due_in": None})


@pytest.mark.shops("mariadb")
async def test_drain_says_when_the_next_order_is_due(bridged: BridgedShop) -> None:
    site = bridged.site
    due = await site.add_order(email="ada@example.test")
    await bridged.age_outbox()
    later = await site.add_order(email="grace@example.test")
    reply = await site.signed("POST", ROUTE, {}, await bridged.secret())
    assert reply.status == 200
    assert 0 < reply.json["next_due_in"] <= 30
    rows = await site.rows("SELECT order_id, state FROM {prefix}tillsync_outbox ORDER BY order_id")
    assert {int(row["order_id"]): row["state"] == "waiting" for row in rows} == {due: False, later: True}
    both = [site.signed("POST", ROUTE, {}, await bridged.secret()) for _ in range(2)]
    await bridged.age_outbox()
    assert [reply.status for reply in await asyncio.gather(*both)] == [200, 200]
    assert await site.until(lambda: answer_of(site, later))
