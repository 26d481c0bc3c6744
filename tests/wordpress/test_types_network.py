"""Roles and customer types in two shops of one network. They share users, and each shop has its own roles and types."""

from __future__ import annotations

from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import SECRET, connected
from wordpress.test_types import PREVIEW, ROLES, SAVE, give_type, put_type, roles, save

JOIN = "foreach ( $people as $id ) { add_user_to_blog( get_current_blog_id(), $id, 'customer' ); }"
LEAVE = "remove_user_from_blog( $who, $shop );"
GRANTS = "SELECT user_id, role FROM {prefix}tillsync_role_grant"
BLOG = "return get_current_blog_id();"


async def prepared(shops: tuple[Shop, Shop]) -> tuple[int, int]:
    """Connects both shops. Returns one user who shops in both, and one who shops only in the first."""
    first, second = shops
    first.inject(ROLES)
    for shop in shops:
        await shop.php("do_action( 'tillsync_bridge_minute' );")  # a site of a network creates its tables in cron
        await connected(shop)
    both, one = await first.add_user(), await first.add_user()
    await second.php(JOIN, people=[both])
    return both, one


async def granted(shop: Shop) -> dict[int, str]:
    return {int(row["user_id"]): row["role"] for row in await shop.rows(GRANTS)}


async def test_type_brings_its_role_only_in_its_own_shop(wp_network: tuple[Shop, Shop]) -> None:
    first, second = wp_network
    both, one = await prepared(wp_network)
    await put_type(first, 7, 1)
    # the same id at another till is another type
    await put_type(second, 7, 1, name="Gold")
    await give_type(first, [both, one], 7, 1)
    session = await first.log_in("admin", SAVE)
    await save(first, session, {7: ("trade", "take")})
    await first.php("do_action( 'tillsync_bridge_roles' );")
    assert [await roles(first, user) for user in (both, one)] == [["customer", "trade"], ["customer", "trade"]]
    assert await roles(second, both) == ["customer"]
    assert (await granted(first), await granted(second)) == ({both: "trade", one: "trade"}, {})
    # the second shop decides for itself
    await give_type(second, [both], 7, 1)
    await second.php("do_action( 'tillsync_bridge_roles' );")
    assert await roles(second, both) == ["customer"], "no mapping there"
    other = await second.log_in("admin", SAVE)
    preview = (await second.request("POST", PREVIEW, session=other, json_body={"map": {"7": {"role": "trade"}}})).json
    assert (preview["given"], preview["looked_at"]) == (1, 1), "whoever is no member of this shop is not looked at"
    await save(second, other, {7: ("trade", "keep")})
    await second.php("do_action( 'tillsync_bridge_roles' );")
    assert await roles(second, both) == ["customer", "trade"]
    # the first till deletes the type: only the first shop revokes the role, as its merchant chose
    gone = await first.signed("DELETE", "/wc-tillsync/v1/customer-types/7", {"version": "2"}, SECRET)
    assert gone.json["status"] == "updated"
    await first.php("do_action( 'tillsync_bridge_minute' );")
    assert [await roles(shop, both) for shop in wp_network] == [["customer"], ["customer", "trade"]]
    assert [len(await shop.rows("SELECT * FROM {prefix}tillsync_customer_type WHERE removed = 0")) for shop in wp_network] == [0, 1]


async def test_former_members_and_network_administrators_get_no_role(wp_network: tuple[Shop, Shop]) -> None:
    first, second = wp_network
    both, _ = await prepared(wp_network)
    super_admin = await first.add_user()
    await first.php("grant_super_admin( $who );", who=super_admin, admin=True, user="admin")
    for shop in wp_network:
        await put_type(shop, 7, 1)
        await save(shop, await shop.log_in("admin", SAVE), {7: ("trade", "take")})
    await give_type(first, [both, super_admin], 7, 1)
    await give_type(second, [both], 7, 1)
    for shop in wp_network:
        await shop.php("do_action( 'tillsync_bridge_roles' );")
    assert [await roles(shop, both) for shop in wp_network] == [["customer", "trade"], ["customer", "trade"]]
    assert await roles(first, super_admin) == ["customer"], "staff of the network"
    await first.php(LEAVE, who=both, shop=await second.php(BLOG), admin=True, user="admin")
    assert (await granted(first), await granted(second)) == ({both: "trade"}, {})
    assert await second.rows(f"SELECT * FROM {{prefix}}tillsync_customer WHERE user_id = {both}") == []
    # the plugin does not make the user a member again
    for hook in ("tillsync_bridge_daily", "tillsync_bridge_minute", "tillsync_bridge_roles"):
        await second.php("do_action( $hook );", hook=hook)
    assert await second.php("return is_user_member_of_blog( $who );", who=both) is False
    assert await roles(first, both) == ["customer", "trade"]
