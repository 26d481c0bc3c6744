"""Access to every route, action and screen. The test finds them in the site, so that it covers new ones."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import Any

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Reply, Session, Shop

ROUTES = """
    $found = array();
    foreach ( rest_get_server()->get_routes() as $route => $handlers ) {
        if ( ! preg_match( '#^/(tillsync-bridge|wc-tillsync)/v1/.#', $route ) ) { continue; }
        foreach ( $handlers as $handler ) {
            foreach ( array_keys( array_filter( $handler['methods'] ) ) as $method ) { $found[] = array( $method, $route ); }
        }
    }
    return $found;
"""
ACTIONS = """
    $is_ours = static fn( $hook ) => 1 === preg_match( '/^(admin_post_|wp_ajax_)(nopriv_)?.*tillsync/', $hook );
    return array_values( array_filter( array_keys( $GLOBALS['wp_filter'] ), $is_ours ) );
"""
SCREENS = """
    do_action( 'admin_menu' );
    global $submenu;
    $slugs = array_column( $submenu['woocommerce'] ?? array(), 2 );
    return array_values( array_filter( $slugs, static fn( $slug ) => str_contains( $slug, 'tillsync' ) ) );
"""
ORDERS = """
    return \\Automattic\\WooCommerce\\Utilities\\OrderUtil::custom_orders_table_usage_is_enabled()
        ? '/wp-admin/admin.php?page=wc-orders' : '/wp-admin/edit.php?post_type=shop_order';
"""
OWN = ("/tillsync-bridge/v1/points", "/tillsync-bridge/v1/confirmation")
"""Routes that every shopper may use for their own data."""
BODY = {"key": "refused", "entry_ids": ["7"], "epos_customer_id": "7", "settings": {}, "query": "x"}


def path_of(route: str) -> str:
    """Replaces each variable of the route by a value."""
    return re.sub(r"\(\?P<\w+>(?:[^()]|\([^()]*\))*\)", "7", route)


async def call(site: Shop, method: str, route: str, session: Session | None, headers: dict[str, str] | None = None) -> Reply:
    """Calls a route with all its parameters, because WordPress checks them before the permission."""
    body: Any = None if method == "GET" else BODY
    path = path_of(route) + ("?queue=orders&query=x" if method == "GET" else "")
    return await site.request(method, "/wp-json" + path, session=session, json_body=body, headers=headers)


@pytest.mark.catches("admin-routes-need-the-right")
@pytest.mark.shops("mariadb")
async def test_screen_routes_accept_only_shop_managers(bridged: BridgedShop) -> None:
    site = bridged.site
    routes = [(method, route) for method, route in await site.php(ROUTES) if route.startswith("/tillsync-bridge/")]
    assert len(routes) >= 15
    shopper = await site.log_in(await site.add_user(role="subscriber"))
    customer = await site.log_in(await site.add_user(role="customer"))
    admin = await site.log_in()
    secret = await bridged.secret()
    for method, route in routes:
        where = f"{method} {route}"
        assert (await call(site, method, route, None)).status == 401, where
        # the cookie alone is refused, because another site's page could send it
        without = await call(site, method, route, admin, {"X-WP-Nonce": ""})
        assert without.status in (401, 403), where
        assert (await call(site, method, route, admin, {"X-WP-Nonce": "0123456789"})).json["code"] == "rest_cookie_invalid_nonce", where
        sent = b"" if method == "GET" else json.dumps(BODY).encode()
        signed = await call(site, method, route, None, signature(secret, int(time.time()), method, path_of(route), sent))
        assert signed.status == 401, where
        if route not in OWN:
            for session in (shopper, customer):
                assert (await call(site, method, route, session)).status == 403, where


@pytest.mark.shops("mariadb")
async def test_shop_manager_may_use_the_routes(bridged: BridgedShop) -> None:
    manager = await bridged.site.log_in(await bridged.site.add_user(role="shop_manager"))
    for path in ("/queues?queue=orders", "/queues?queue=customers", "/queues/outbox"):
        reply = await bridged.site.request("GET", f"/wp-json/tillsync-bridge/v1{path}", session=manager)
        assert reply.status == 200, reply.text
        assert "no-store" in reply.headers["Cache-Control"]
    health = await bridged.site.request("GET", "/wp-json/tillsync-bridge/v1/site-health/service", session=manager)
    assert health.status == 403, "only administrators may use Site Health"


def signature(secret: str, at: int, method: str, route: str, body: bytes) -> dict[str, str]:
    text = "\n".join(("v1", str(at), method, route, hashlib.sha256(body).hexdigest()))
    made = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"X-Tillsync-Timestamp": str(at), "X-Tillsync-Signature": f"v1={made}"}


@pytest.mark.shops("mariadb")
async def test_service_routes_accept_only_a_valid_signature(bridged: BridgedShop) -> None:
    site = bridged.site
    secret = await bridged.secret()
    admin = await site.log_in()
    shopper = await site.log_in(await site.add_user(role="subscriber"))
    routes = [(method, route) for method, route in await site.php(ROUTES) if route.startswith("/wc-tillsync/")]
    assert len(routes) >= 5
    body = json.dumps({"items": [], "events": []}).encode()
    now = int(time.time())
    for method, route in routes:
        path = path_of(route)
        sent = b"" if method == "GET" else body
        good = signature(secret, now, method, path, sent)
        assert (await send(site, method, path, sent, good)).status < 401, route
        refused = {
            "nothing": {},
            "a wrong secret": signature("x" * 43, now, method, path, sent),
            "replayed after more than five minutes": signature(secret, now - 301, method, path, sent),
            "from the future": signature(secret, int(time.time()) + 600, method, path, sent),
            "another body": signature(secret, now, method, path, sent + b" "),
            "another route": signature(secret, now, method, path + "x", sent),
            "another method": signature(secret, now, "PATCH", path, sent),
            "another time than was signed": good | {"X-Tillsync-Timestamp": str(now - 1)},
            "another version": good | {"X-Tillsync-Signature": good["X-Tillsync-Signature"].replace("v1=", "v2=")},
            "no signature": {"X-Tillsync-Timestamp": str(now)},
            "a bearer token": {"Authorization": "Bearer " + secret},
        }
        for what, headers in refused.items():
            reply = await send(site, method, path, sent, headers)
            assert reply.status == 401, f"{method} {route}: {what}: {reply.text}"
        for session in (admin, shopper):
            reply = await site.request(method, f"/wp-json{path}", session=session, body=sent or None)
            assert reply.status in (401, 403), f"{method} {route}: a cookie"


async def send(site: Shop, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    return await site.request(method, f"/wp-json{path}", body=body or None, headers=headers)


@pytest.mark.catches("admin-actions-need-the-right")
@pytest.mark.catches("admin-actions-check-their-nonce")
@pytest.mark.shops("mariadb")
async def test_every_action_needs_its_nonce_and_the_right(bridged: BridgedShop) -> None:
    site = bridged.site
    hooks = await site.php(ACTIONS, admin=True, user="admin")
    names = [hook.removeprefix("admin_post_") for hook in hooks if hook.startswith("admin_post_")]
    assert len(names) >= 10
    assert not any("nopriv" in hook or hook.startswith("wp_ajax_") for hook in hooks)
    admin = await site.log_in()
    # each has a valid nonce and lacks the right
    others = [await site.log_in(await site.add_user(role=role), "tillsync_bridge_settings", *names) for role in ("subscriber", "editor")]
    before = await site.php("return get_option( 'tillsync_bridge_connection' );")
    for name in names:
        missing = await site.request("POST", f"/wp-admin/admin-post.php?action={name}", session=admin, form={"x": "1"})
        assert missing.status == 403, f"{name}: no nonce"
        wrong = await site.request(
            "POST",
            f"/wp-admin/admin-post.php?action={name}",
            session=admin,
            form={"tillsync_nonce": "0123456789", "_wpnonce": "0123456789"},
        )
        assert wrong.status == 403, f"{name}: a wrong nonce"
        for other in others:
            form = {"tillsync_nonce": other.nonces["tillsync_bridge_settings"], "_wpnonce": other.nonces[name]}
            low = await site.request("POST", f"/wp-admin/admin-post.php?action={name}", session=other, form=form)
            assert low.status == 403, f"{name}: without the right"
        stranger = await site.request("POST", f"/wp-admin/admin-post.php?action={name}", form={"x": "1"})
        assert stranger.status in (200, 302, 400, 403), name
    assert await site.php("return get_option( 'tillsync_bridge_connection' );") == before


async def test_managers_and_administrators_may_open_every_screen(bridged: BridgedShop) -> None:
    site = bridged.site
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test")
    edit = await site.php(
        "return str_replace( home_url(), '', html_entity_decode( wc_get_order( $id )->get_edit_order_url() ) );", id=order, user="admin"
    )
    listing = await site.php(ORDERS)
    ours = {
        "/wp-admin/admin.php?page=tillsync-queues": "tillsync-queues",
        "/wp-admin/admin.php?page=tillsync-types": "tillsync",
        "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync": "tillsync-settings",
        listing: "Till customer",
        edit: "tillsync-panel",
        f"/wp-admin/user-edit.php?user_id={user}": "illsync",
    }
    screens = await site.php(SCREENS, admin=True, user="admin")
    assert all(any(f"page={slug}" in path for path in ours) for slug in screens), screens
    secret = await bridged.secret()
    for role in ("administrator", "shop_manager"):
        session = await site.log_in(await site.add_user(role=role))
        for path, words in ours.items():
            reply = await site.request("GET", path, session=session)
            assert reply.status == 200, f"{role} {path}"
            assert words in reply.text, f"{role} {path}"
            assert "tls_" not in reply.text
            assert secret not in reply.text
    low = await site.log_in(await site.add_user(role="subscriber"))
    for path in ours:
        reply = await site.request("GET", path, session=low)
        assert reply.status in (302, 403, 500), path
        assert "tillsync-panel" not in reply.text, path
