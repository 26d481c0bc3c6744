"""Points from the till to the shopper, without a browser: which shopper gets which response, and that no cache stores it."""

from __future__ import annotations

from typing import Any

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Session, Shop

POINTS = "/wp-json/tillsync-bridge/v1/points"
GIVE = """
    $table = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Customers\\CustomerTable::class );
    foreach ( $points as $id => $number ) {
        $item = new Tillsync\\Bridge\\Customers\\CustomerItem( (int) $id, 1, false, $number, '0', null, 1767323045 );
        $table->store( array( $item ), 'x' );
    }
"""


async def give(site: Shop, points: dict[int, str]) -> None:
    """Stores points as the service writes them, as of 2026-01-02T03:04:05Z."""
    await site.php(GIVE, points={str(user): number for user, number in points.items()})


async def ask(site: Shop, session: Session | None, **more: Any) -> Any:
    return await site.request("POST", POINTS, session=session, **more)


async def test_points_changed_at_the_till_appear_in_the_shop(bridged: BridgedShop) -> None:
    site, till = bridged.site, bridged.till
    ada = till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120)
    user = await site.add_user("ada@example.test")
    session = await site.log_in(user)
    assert (await ask(site, session)).json["points"] is None
    await bridged.service.client.links.create_link(bridged.account_id, ada, user)

    async def shows(points: str | None) -> bool:
        return bool((await ask(site, session)).json["points"] == points)

    await site.until(lambda: shows("120"))
    till.change_customer(ada, points=75)
    await bridged.service.client.sync.sync_customer(bridged.account_id, ada)
    await site.until(lambda: shows("75"))
    await bridged.service.client.links.delete_link(bridged.account_id, epos_customer_id=ada)
    await site.until(lambda: shows(None))


@pytest.mark.shops("mariadb")
async def test_each_shopper_gets_their_own_points_uncached(wp_site: Shop) -> None:
    first, second = await wp_site.add_user(), await wp_site.add_user()
    await give(wp_site, {first: "11", second: "22"})
    for user, points in ((first, "11"), (second, "22")):
        reply = await ask(wp_site, await wp_site.log_in(user))
        assert (reply.status, reply.json["points"], reply.json["as_of"]) == (200, points, "2026-01-02T03:04:05Z")
        assert "no-store" in reply.headers["Cache-Control"]
    session = await wp_site.log_in(first)
    assert (await ask(wp_site, None)).status == 401
    # the cookie alone, or with an expired nonce, is no login
    assert (await ask(wp_site, session, headers={"X-WP-Nonce": ""})).status in (401, 403)
    assert (await ask(wp_site, session, headers={"X-WP-Nonce": "1234567890"})).status == 403
    assert (await wp_site.request("GET", POINTS, session=session)).status == 404
    # a request cannot name another user
    assert (await ask(wp_site, session, json_body={"user_id": second})).json["points"] == "11"


@pytest.mark.shops("sqlite", "real")
async def test_page_itself_contains_no_points(wp_site: Shop) -> None:
    user = await wp_site.add_user()
    await give(wp_site, {user: "987654"})
    await wp_site.php(
        "wp_insert_post( array( 'post_title' => 'Club', 'post_name' => 'club', 'post_type' => 'page', 'post_status' => 'publish',"
        " 'post_content' => '<!-- wp:tillsync/points /-->[tillsync_points]' ) );"
    )
    shown = await wp_site.request("GET", "/club/", session=await wp_site.log_in(user))
    assert shown.status == 200
    assert (shown.text.count("data-tillsync-points"), shown.text.count("points.js")) == (2, 1)
    assert "987654" not in shown.text
    stranger = await wp_site.request("GET", "/club/")
    assert (stranger.text.count("data-tillsync-points"), stranger.text.count("points.js")) == (0, 0)
