"""Connect, reconnect, copies and disconnect, by the merchant's own clicks with the real service."""

from __future__ import annotations

import base64
import json
import re
import time

import pytest
from support.postgres import TestDatabase
from tillsync.v1 import account_pb2
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.shop import Reply, Session, Shop

NONCE = "tillsync_bridge_settings"
SCREEN = "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync"
STATUS = "/wc-tillsync/v1/status"


async def press(site: Shop, session: Session, action: str, **fields: str) -> Reply:
    form = {"tillsync_nonce": session.nonces[NONCE], **fields}
    return await site.request("POST", f"/wp-admin/admin-post.php?action=tillsync_bridge_{action}", session=session, form=form)


async def screen(site: Shop, session: Session) -> str:
    reply = await site.request("GET", SCREEN, session=session)
    assert reply.status == 200, reply.text[:500]
    return reply.text


def flash(page: str) -> str:
    found = re.search(r'tillsync-flash" role="\w+">(.*?)</div>', page, re.S)
    return re.sub(r"<[^>]+>", " ", found.group(1)).strip() if found else ""


async def option(site: Shop, name: str) -> object:
    return await site.php("return get_option( $name );", name=name)


async def test_merchant_connects_with_a_pasted_string(wp_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(wp_site, database.dsn, connect=False) as bridged:
        session = await wp_site.log_in("admin", NONCE)
        assert "tillsync-connect" in await screen(wp_site, session)
        reply = await press(wp_site, session, "connect", tillsync_connect=bridged.connect_string)
        assert reply.status == 302
        assert reply.headers["Location"].endswith("section=tillsync")
        page = await screen(wp_site, session)
        assert "Connected to" in flash(page)
        account = await bridged.service.client.accounts.get_account(bridged.account_id)
        assert account.shop.has_bridge_secret
        assert account.shop.base_url.rstrip("/") == wp_site.url
        # the shop accepts the service's secret
        secret = await bridged.secret()
        status = (await wp_site.signed("GET", STATUS, None, secret)).json
        assert (status["api"], status["home_url"], status["max_batch"]) == (1, wp_site.url, 500)
        # token and secret are on no page
        token = json.loads(base64.urlsafe_b64decode(bridged.connect_string.removeprefix("tillsync1.") + "=="))["token"]
        for shown in (page, (await wp_site.request("GET", "/wp-json/", session=session)).text, "\n".join(wp_site.log())):
            assert token not in shown
            assert secret not in shown


@pytest.mark.shops("mariadb")
async def test_reconnect_rotates_the_secret_and_disconnect_revokes_the_token(bridged: BridgedShop) -> None:
    site = bridged.site
    session = await site.log_in("admin", NONCE)
    before = await bridged.secret()
    await press(site, session, "reconnect")
    assert "new secret" in flash(await screen(site, session))
    after = await bridged.secret()
    assert after != before
    assert (await site.signed("GET", STATUS, None, before)).status == 401
    assert (await site.signed("GET", STATUS, None, after)).status == 200
    await press(site, session, "disconnect")
    assert "Disconnected" in flash(await screen(site, session))
    assert not (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret
    assert (await site.signed("GET", STATUS, None, after)).status == 401
    await press(site, session, "connect", tillsync_connect=bridged.connect_string)
    assert "unknown or revoked" in flash(await screen(site, session))


@pytest.mark.shops("mariadb")
async def test_connect_fails_with_a_remedy_when_the_rest_api_is_off(wp_site: Shop, database: TestDatabase) -> None:
    wp_site.inject("add_filter( 'rest_authentication_errors', fn() => new WP_Error( 'rest_disabled', 'off', array( 'status' => 401 ) ) );")
    async with bridged_shop(wp_site, database.dsn, connect=False) as bridged:
        session = await wp_site.log_in("admin", NONCE)
        await press(wp_site, session, "connect", tillsync_connect=bridged.connect_string)
        page = await screen(wp_site, session)
        assert "Not connected" in flash(page)
        assert "/wp-json/" in flash(page)
        assert "tillsync-connect" in page
        assert await option(wp_site, "tillsync_bridge_connection") is False
        assert not (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret


@pytest.mark.parametrize("pasted", ["", "hello", "tillsync1.e30", "tillsync1.%%%"])
@pytest.mark.shops("mariadb")
async def test_malformed_connect_string_is_refused(wp_site: Shop, pasted: str) -> None:
    session = await wp_site.log_in("admin", NONCE)
    await press(wp_site, session, "connect", tillsync_connect=pasted)
    assert "connect string" in flash(await screen(wp_site, session)).lower()


@pytest.mark.shops("mariadb")
async def test_copy_sends_and_accepts_nothing_before_the_merchant_chooses(bridged: BridgedShop) -> None:
    site = bridged.site
    secret = await bridged.secret()
    # the database was copied from another site
    code = "$it = get_option( 'tillsync_bridge_connection' ); $it['home_url'] = $home; update_option( 'tillsync_bridge_connection', $it );"
    await site.php(code, home="https://live.example.test")
    order = await site.add_order(email="ada@example.test", first_name="Ada", last_name="Byron")
    await bridged.drain()
    assert await bridged.entries() == []
    refused = await site.signed("GET", STATUS, None, secret)
    assert (refused.status, refused.json["code"]) == (403, "tillsync_site_differs")
    session = await site.log_in("admin", NONCE)
    assert "address has changed" in await screen(site, session)
    await press(site, session, "reconnect")
    await bridged.drain()
    assert [entry.order_id for entry in await bridged.entries()] == [order]
    assert (await site.signed("GET", STATUS, None, secret)).status == 401


@pytest.mark.shops("mariadb")
async def test_copy_forgets_the_connection_and_the_original_stays_connected(bridged: BridgedShop) -> None:
    site = bridged.site
    site.configure(WP_ENVIRONMENT_TYPE="staging")
    await site.add_order(email="ada@example.test")
    session = await site.log_in("admin", NONCE)
    assert "address has changed" in await screen(site, session)
    await press(site, session, "copy")
    page = await screen(site, session)
    assert "forgot the connection" in flash(page)
    assert "was marked as a copy" in page
    assert await option(site, "tillsync_bridge_connection") is False
    rows = await site.rows("SELECT state FROM {prefix}tillsync_outbox")
    assert [row["state"] for row in rows] == ["closed"]
    assert (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret


@pytest.mark.shops("sqlite", "real")
async def test_test_site_connects_only_with_a_confirmation(wp_site: Shop, database: TestDatabase) -> None:
    wp_site.configure(WP_ENVIRONMENT_TYPE="staging")
    async with bridged_shop(wp_site, database.dsn, connect=False) as bridged:
        session = await wp_site.log_in("admin", NONCE)
        await press(wp_site, session, "connect", tillsync_connect=bridged.connect_string)
        assert "no live shop" in flash(await screen(wp_site, session))
        await press(wp_site, session, "connect", tillsync_connect=bridged.connect_string, tillsync_test_site="1")
        assert "Connected to" in flash(await screen(wp_site, session))


async def test_cron_connects_with_the_string_in_wp_config(wp_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(wp_site, database.dsn, connect=False) as bridged:
        wp_site.configure(TILLSYNC_CONNECT=bridged.connect_string)
        session = await wp_site.log_in("admin", NONCE)
        page = await screen(wp_site, session)
        assert "wp-config.php" in page
        assert bridged.connect_string not in page
        await wp_site.php("do_action( 'tillsync_bridge_minute' );")
        assert (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret


async def test_page_of_wp_admin_connects_with_the_string_in_wp_config(wp_site: Shop, database: TestDatabase) -> None:
    """Without cron. Orders since the activation are sent."""
    async with bridged_shop(wp_site, database.dsn, connect=False) as bridged:
        activated = int(time.time()) - 500
        await wp_site.php("update_option( 'tillsync_bridge_activated', $at );", at=activated)
        wp_site.configure(TILLSYNC_CONNECT="tillsync1.broken", DISABLE_WP_CRON=True)
        session = await wp_site.log_in("admin", NONCE)
        await wp_site.request("GET", "/wp-admin/index.php", session=session)
        page = await wp_site.until(lambda: shown_failure(wp_site, session))
        assert "Next try at" in page
        await wp_site.php("delete_option( 'tillsync_bridge_connect_after' );")
        wp_site.configure(TILLSYNC_CONNECT=bridged.connect_string, DISABLE_WP_CRON=True)
        shopper = await wp_site.log_in(await wp_site.add_user())
        await wp_site.request("GET", "/wp-admin/index.php", session=shopper)
        assert not (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret
        await wp_site.request("GET", "/wp-admin/index.php", session=session)

        async def is_connected() -> bool:
            return (await bridged.service.client.accounts.get_account(bridged.account_id)).shop.has_bridge_secret

        await wp_site.until(is_connected)
        store = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\ConnectionStore::class )"
        assert await wp_site.php(f"return {store}->current()->orders_since;") == activated


async def shown_failure(site: Shop, session: Session) -> str:
    page = await screen(site, session)
    return page if "It could not connect" in page else ""


@pytest.mark.shops("sqlite", "real")
async def test_merchant_previews_and_saves_settings(bridged: BridgedShop) -> None:
    site = bridged.site
    session = await site.log_in("admin", NONCE, "woocommerce-settings")
    form = {
        "_wpnonce": session.nonces["woocommerce-settings"],
        "save": "1",
        "tillsync_settings[form]": "1",
        "tillsync_settings[defaultEposCustomerId]": str(bridged.default_customer),
        "tillsync_settings[guestPolicy]": "GUEST_POLICY_MATCH_ONLY",
        "tillsync_settings[matchEmail]": "MATCH_EMAIL_BILLING",
        "tillsync_settings[autoLink]": "1",
        "tillsync_settings[syncNames]": "1",
        "tillsync_statuses[]": "completed",
    }
    wanted = {"guestPolicy": "GUEST_POLICY_MATCH_ONLY", "autoLink": "1", "customerSyncEnabled": "1"}
    preview = await site.request("POST", "/wp-json/tillsync-bridge/v1/settings/preview", session=session, json_body={"settings": wanted})
    assert preview.status == 200, preview.text
    assert preview.json["lines"]
    unchanged = await bridged.service.client.accounts.get_account(bridged.account_id)
    assert unchanged.guest_policy == 1
    assert unchanged.customer_sync_enabled
    reply = await site.request("POST", SCREEN, session=session, form=form)
    assert reply.status in (200, 302), reply.text[:500]
    account = await bridged.service.client.accounts.get_account(bridged.account_id)
    assert (account.customer_sync_enabled, account.guest_policy, account.match_email, account.sync_names) == (False, 2, 2, True)
    assert await option(site, "tillsync_bridge_statuses") == ["completed"]
    page = await screen(site, session)
    assert f'value="{bridged.default_customer}"' in page
    # another person changes a setting: the next save shows the present settings
    await bridged.service.client.accounts.update_account(bridged.account_id, account_pb2.Account(sync_phone=True), ["sync_phone"])
    await site.request("POST", SCREEN, session=session, form={**form, "tillsync_settings[customerSyncEnabled]": "1"})
    assert not (await bridged.service.client.accounts.get_account(bridged.account_id)).customer_sync_enabled


@pytest.mark.shops("mariadb")
async def test_one_click_tests_both_sides(bridged: BridgedShop) -> None:
    session = await bridged.site.log_in("admin", NONCE)
    await press(bridged.site, session, "check")
    page = await screen(bridged.site, session)
    assert "tillsync-steps" in page
    assert "tillsync-step-ok" in page
    bridged.till.switches.api_secret = "another"
    await press(bridged.site, session, "check")
    page = await screen(bridged.site, session)
    assert "found a problem" in flash(page)
    assert "tillsync-step-failed" in page


ACTIONS = ("connect", "reconnect", "disconnect", "copy", "check", "refresh", "resume", "preview", "backfill_preview", "backfill")


@pytest.mark.shops("mariadb")
async def test_every_button_refuses_a_missing_nonce_and_a_wrong_capability(bridged: BridgedShop) -> None:
    site = bridged.site
    before = await option(site, "tillsync_bridge_connection")
    admin = await site.log_in("admin", NONCE)
    shopper = await site.log_in(await site.add_user(role="customer"), NONCE)
    editor = await site.log_in(await site.add_user(role="editor"), NONCE)
    for action in ACTIONS:
        path = f"/wp-admin/admin-post.php?action=tillsync_bridge_{action}"
        assert (await site.request("POST", path, session=admin, form={"tillsync_nonce": "wrong"})).status == 403, action
        assert (await site.request("POST", path, session=admin, form={})).status == 403, action
        for other in (shopper, editor):
            refused = await press(site, other, action)
            assert refused.status in (302, 403), action
            assert "section=tillsync" not in refused.headers.get("Location", ""), action
        anonymous = await site.request("POST", path, form={"tillsync_nonce": admin.nonces[NONCE]})
        assert anonymous.status in (200, 302, 400, 403)
        assert "section=tillsync" not in anonymous.headers.get("Location", "")
    assert await option(site, "tillsync_bridge_connection") == before
    assert await option(site, "tillsync_bridge_backfill") is False


@pytest.mark.shops("mariadb")
async def test_shop_manager_may_use_the_screen(bridged: BridgedShop) -> None:
    session = await bridged.site.log_in(await bridged.site.add_user(role="shop_manager"), NONCE)
    assert "Test connection" in await screen(bridged.site, session)
    await press(bridged.site, session, "refresh")
    assert "as the service has them" in flash(await screen(bridged.site, session))


@pytest.mark.shops("mariadb")
async def test_status_route_accepts_only_the_service(bridged: BridgedShop) -> None:
    site = bridged.site
    secret = await bridged.secret()
    for session in (None, await site.log_in("admin"), await site.log_in(await site.add_user(role="customer"))):
        refused = await site.request("GET", f"/wp-json{STATUS}", session=session)
        assert (refused.status, refused.json["code"]) == (401, "rest_forbidden")

    assert (await site.signed("GET", STATUS, None, secret, at=time.time() - 301)).status == 401
    assert (await site.signed("GET", STATUS, None, "x" * 43)).status == 401
    assert (await site.signed("GET", STATUS, None, secret, headers={"X-HTTP-Method-Override": "POST"})).status in (401, 404)
    good = await site.signed("GET", STATUS, None, secret)
    assert good.status == 200
    assert "no-store" in good.headers["Cache-Control"]
