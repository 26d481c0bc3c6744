"""Customer types from the till to roles in the shop, and the screen that maps them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tillsync.v1 import vocabulary_pb2
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Reply, Session, Shop
from wordpress.test_customers_batch import SECRET, connected, users_of

SCREEN = "/wp-admin/admin.php?page=tillsync-types"
SAVE = "tillsync_save_role_map"
SAVE_POINTS = "tillsync_save_points_display"
PREVIEW = "/wp-json/tillsync-bridge/v1/customer-types/preview"
PROGRESS = "/wp-json/tillsync-bridge/v1/customer-types/progress"
# roles that exist in each request
ROLES = "add_action( 'init', static function () { add_role( 'trade', 'Trade', array( 'read' => true ) ); }, 1 );"


async def roles(site: Shop, user: int) -> list[str]:
    found: list[str] = await site.php("return array_values( get_userdata( $id )->roles );", id=user)
    return found


async def put_type(site: Shop, type_id: int, version: int, **more: str) -> dict[str, Any]:
    content = {"version": str(version), "name": "Trade", "discount": "10", "description": "", **more}
    reply = await site.signed("PUT", f"/wc-tillsync/v1/customer-types/{type_id}", content, SECRET)
    assert reply.status == 200, reply.text
    answer: dict[str, Any] = reply.json
    return answer


async def give_type(site: Shop, users: list[int], type_id: int | None, version: int) -> None:
    items = [
        {"user_id": user, "version": str(version), "points": "1", "credit": "0", "type_id": type_id, "as_of": "2026-01-02T03:04:05Z"}
        for user in users
    ]
    reply = await site.signed("POST", "/wc-tillsync/v1/customers/batch", {"items": items}, SECRET)
    assert reply.status == 200, reply.text


async def save(site: Shop, session: Session, mapped: dict[int, tuple[str, str]], **more: str) -> Reply:
    form = {
        f"map[{type_id}][{name}]": value
        for type_id, entry in mapped.items()
        for name, value in zip(("role", "when_deleted"), entry, strict=True)
    }
    return await site.request(
        "POST", "/wp-admin/admin-post.php", session=session, form={"action": SAVE, "_wpnonce": session.nonces[SAVE], **form, **more}
    )


async def text_of(site: Shop, session: Session) -> str:
    reply = await site.request("GET", SCREEN, session=session)
    assert reply.status == 200, reply.text[:300]
    return reply.text


@pytest.mark.shops("mariadb")
async def test_only_the_service_puts_and_deletes_types(wp_site: Shop) -> None:
    await connected(wp_site)
    route = "/wc-tillsync/v1/customer-types/7"
    content = {"version": "1", "name": "Trade", "discount": "10", "description": ""}
    for session in (None, await wp_site.log_in("admin"), await wp_site.log_in(await wp_site.add_user())):
        for method in ("PUT", "DELETE"):
            assert (await wp_site.request(method, f"/wp-json{route}", session=session, json_body=content)).status == 401
    assert (await wp_site.signed("PUT", route, content, "x" * 43)).status == 401
    assert await put_type(wp_site, 7, 1) == {"id": 7, "status": "updated"}
    # behind a firewall for GET and POST only, the signature covers the method of the header
    body = {"version": "2"}
    reply = await wp_site.request("POST", f"/wp-json{route}", json_body=body, headers={"X-HTTP-Method-Override": "DELETE"})
    assert reply.status == 401
    assert (await wp_site.signed("DELETE", route, body, SECRET)).json == {"id": 7, "status": "updated"}
    assert (await put_type(wp_site, 7, 1))["status"] == "stale"


async def test_till_type_becomes_a_role_in_the_shop(bridged: BridgedShop) -> None:
    site, till = bridged.site, bridged.till
    site.inject(ROLES)
    type_id = till.add_type(name="Trade", discount=10)
    ada = till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", type_id=type_id, points=120)
    user = await site.add_user("ada@example.test")
    add = vocabulary_pb2.CUSTOMER_TYPE_ACTION_ADD
    await bridged.service.client.sync.sync_customer_type(bridged.account_id, type_id, add)
    await site.until(lambda: site.rows("SELECT * FROM {prefix}tillsync_customer_type"))
    session = await site.log_in("admin", SAVE)
    page = await text_of(site, session)
    for text in ("Trade", "not applied to any price", "tillsync_customer_type_discount"):
        assert text in page
    await save(site, session, {type_id: ("trade", "take")})
    await bridged.service.client.links.create_link(bridged.account_id, ada, user)

    async def has_role() -> bool:
        return "trade" in await roles(site, user)

    await site.until(has_role)
    assert await roles(site, user) == ["customer", "trade"]
    till.delete_type(type_id)
    await bridged.service.client.sync.sync_customer_type(bridged.account_id, type_id, vocabulary_pb2.CUSTOMER_TYPE_ACTION_DELETE)
    await site.until(lambda: site.rows("SELECT * FROM {prefix}tillsync_customer_type WHERE removed = 1"))
    await site.php("do_action( 'tillsync_bridge_minute' );")
    assert await roles(site, user) == ["customer"]


async def test_mapping_is_previewed_saved_and_applied_in_the_background(wp_site: Shop) -> None:
    await connected(wp_site)
    wp_site.inject(ROLES)
    users = await users_of(wp_site, 60)
    await put_type(wp_site, 7, 1)
    await give_type(wp_site, users, 7, 1)
    session = await wp_site.log_in("admin", SAVE)
    mapped = {"map": {"7": {"role": "trade", "when_deleted": "take"}}}
    preview = (await wp_site.request("POST", PREVIEW, session=session, json_body=mapped)).json
    assert (preview["given"], preview["looked_at"], preview["complete"], len(preview["people"])) == (60, 60, True, 50)
    assert await roles(wp_site, users[0]) == ["customer"]
    reply = await save(wp_site, session, {7: ("trade", "take")})
    assert (reply.status, reply.headers["Location"].endswith("page=tillsync-types")) == (302, True)
    progress = (await wp_site.request("GET", PROGRESS, session=session)).json
    assert (progress["running"], progress["total"], progress["left"]) == (True, 60, 60)
    assert "0 of 60" in await text_of(wp_site, session)
    await wp_site.run_actions()
    progress = (await wp_site.request("GET", PROGRESS, session=session)).json
    assert (progress["running"], progress["changed"]) == (False, 60)
    assert await roles(wp_site, users[59]) == ["customer", "trade"]
    await save(wp_site, session, {7: ("", "take")})
    await wp_site.run_actions()
    assert await roles(wp_site, users[59]) == ["customer"]


@pytest.mark.shops("mariadb")
async def test_privileged_role_is_not_saved(wp_site: Shop) -> None:
    await connected(wp_site)
    await put_type(wp_site, 7, 1)
    session = await wp_site.log_in("admin", SAVE)
    page = await text_of(wp_site, session)
    offered = re.findall(r'<option value="([^"]*)"', page.split("map[7][role]")[1].split("</select>")[0])
    assert "customer" in offered
    assert not {"administrator", "editor", "shop_manager"} & set(offered)
    for role in ("administrator", "shop_manager", "editor", "no-such-role"):
        await save(wp_site, session, {7: (role, "take")})
        assert "Nothing was saved" in await text_of(wp_site, session)
        assert await wp_site.php("return get_option( 'tillsync_bridge_role_map' );") in (False, [])


@pytest.mark.shops("mariadb")
async def test_every_action_refuses_a_missing_nonce_and_a_wrong_capability(wp_site: Shop) -> None:
    await connected(wp_site)
    await put_type(wp_site, 7, 1)
    admin = await wp_site.log_in("admin", SAVE, SAVE_POINTS)
    others = [await wp_site.log_in(await wp_site.add_user(role=role), SAVE, SAVE_POINTS) for role in ("customer", "editor")]
    for action in (SAVE, SAVE_POINTS):
        form = {"action": action, "map[7][role]": "customer"}
        assert (await wp_site.request("POST", "/wp-admin/admin-post.php", session=admin, form=form)).status == 403
        assert (
            await wp_site.request("POST", "/wp-admin/admin-post.php", session=admin, form={**form, "_wpnonce": "1234567890"})
        ).status == 403
        for other in others:
            reply = await wp_site.request(
                "POST", "/wp-admin/admin-post.php", session=other, form={**form, "_wpnonce": other.nonces[action]}
            )
            # WooCommerce redirects shoppers away from wp-admin
            assert reply.status in (302, 403)
            assert "tillsync-types" not in reply.headers.get("Location", "")
    for whoever in (None, *others):
        status = 401 if whoever is None else 403
        assert (await wp_site.request("POST", PREVIEW, session=whoever, json_body={"map": {}})).status == status
        assert (await wp_site.request("GET", PROGRESS, session=whoever)).status == status
    assert (await wp_site.request("GET", PROGRESS, session=admin, headers={"X-WP-Nonce": "1234567890"})).status == 403
    assert await wp_site.php("return array( get_option( 'tillsync_bridge_role_map' ), get_option( 'tillsync_bridge_show_points' ) );") == [
        False,
        "yes",
    ]


@pytest.mark.shops("mariadb")
async def test_shop_manager_may_use_the_screen(wp_site: Shop) -> None:
    await connected(wp_site)
    wp_site.inject(ROLES)
    await put_type(wp_site, 7, 1)
    session = await wp_site.log_in(await wp_site.add_user(role="shop_manager"), SAVE)
    assert "Trade" in await text_of(wp_site, session)
    await save(wp_site, session, {7: ("trade", "keep")})
    assert "Saved." in await text_of(wp_site, session)
    assert await wp_site.php("return get_option( 'tillsync_bridge_role_map' );") == {"7": {"role": "trade", "when_deleted": "keep"}}
