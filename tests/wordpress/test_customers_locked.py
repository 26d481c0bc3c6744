"""Another transaction (a backup, an import, another plugin) locks rows that the service writes. The request waits a while and fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import ROUTE, SECRET, connected, item, send

pytestmark = pytest.mark.shops("mariadb")

HOLD = """
    global $wpdb;
    $wpdb->query( 'START TRANSACTION' );
    $wpdb->query( "UPDATE {$wpdb->prefix}tillsync_customer SET points = points WHERE user_id = $who" );
    $wpdb->query( "SELECT * FROM {$wpdb->prefix}tillsync_customer WHERE user_id = $who FOR UPDATE" );
    file_put_contents( WP_CONTENT_DIR . '/uploads/held', 'x' );
    for ( $i = 0; $i < 1200 && ! file_exists( WP_CONTENT_DIR . '/uploads/go-on' ); $i++ ) { usleep( 25000 ); }
    $wpdb->query( 'ROLLBACK' );
"""
LOG_IN = """
    $began = microtime( true );
    WP_Session_Tokens::get_instance( $who )->create( time() + 600 );
    update_user_meta( $who, 'billing_phone', '01632 960001' );
    return microtime( true ) - $began;
"""


@asynccontextmanager
async def row_is_held(site: Shop, user: int) -> AsyncIterator[None]:
    held, go_on = site.content / "uploads/held", site.content / "uploads/go-on"
    go_on.unlink(missing_ok=True)
    holding = asyncio.create_task(site.php(HOLD, who=user))

    async def is_held() -> bool:
        return held.exists()

    try:
        await site.until(is_held)
        yield
    finally:
        go_on.write_text("x", encoding="utf-8")
        await holding
        held.unlink()


async def test_request_waits_for_a_short_lock(wp_site: Shop) -> None:
    await connected(wp_site)
    user, other = await wp_site.add_user(), await wp_site.add_user()
    await send(wp_site, item(user, 1))
    async with row_is_held(wp_site, user):
        writing = asyncio.create_task(send(wp_site, item(user, 2, "20"), item(other, 2, "20")))
        done, _ = await asyncio.wait({writing}, timeout=1)
        assert not done
    assert [result["status"] for result in await writing] == ["updated", "updated"]


async def test_long_lock_fails_the_request_before_the_service_times_out(wp_site: Shop) -> None:
    await connected(wp_site)
    user, other = await wp_site.add_user(), await wp_site.add_user()
    await send(wp_site, item(user, 1))
    async with row_is_held(wp_site, user):
        began = time.monotonic()
        reply = await wp_site.signed("POST", ROUTE, {"items": [item(user, 2, "20"), item(other, 2, "20")]}, SECRET)
        seconds = time.monotonic() - began
        assert (reply.status, reply.json["code"]) == (500, "tillsync_not_stored")
        assert seconds < 15
        # the shopper does not wait for the lock, which MariaDB gives up after 5 s
        assert await wp_site.php(LOG_IN, who=user) < 4
    rows = {int(row["user_id"]): row["points"] for row in await wp_site.rows("SELECT * FROM {prefix}tillsync_customer")}
    assert rows == {user: "10"}
    assert [result["status"] for result in await send(wp_site, item(user, 2, "20"), item(other, 2, "20"))] == ["updated", "updated"]
    wp_site.forgive_log()
