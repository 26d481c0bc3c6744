"""An unconfirmed email is unproven. A user who registers with another person's email sees nothing of that person."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import expect
from support.postgres import TestDatabase
from tillsync.v1 import account_pb2, link_pb2
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.browser import open_browser, picture, press, serious_findings
from wordpress.harness.shop import Session, Shop
from wordpress.test_browser_settings import SCREEN
from wordpress.test_points_shown import ask

CONFIRMATION = "/wp-json/tillsync-bridge/v1/confirmation"
PROMPT = "Confirm your email to see your points."
GOLD = """
    add_role( 'gold', 'Gold', array( 'read' => true ) );
    update_option( 'tillsync_bridge_role_map', array( $type => array( 'role' => 'gold', 'when_deleted' => 'take' ) ) );
"""
CHANGE_EMAIL = """
    add_filter( 'send_email_change_email', '__return_false' );
    wp_update_user( array( 'ID' => $id, 'user_email' => $email ) );
"""
CONFIRMED = """
    $confirmations = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Confirmation\\Confirmations::class );
    return array_map( fn( $id ) => $confirmations->is_confirmed( $id ), $ids );
"""


@pytest_asyncio.fixture
async def careful(wp_site: Shop, database: TestDatabase) -> AsyncIterator[BridgedShop]:
    """A shop with a new account, which trusts only confirmed emails."""
    account = account_pb2.Account(customer_sync_enabled=True, trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_CONFIRMED_ONLY)
    async with bridged_shop(wp_site, database.dsn, account=account) as made:
        yield made


async def links(bridged: BridgedShop, **wanted: Any) -> list[tuple[int, int, str]]:
    found = bridged.service.client.links.list_links(bridged.account_id, **wanted)
    return [(one.epos_customer_id, one.woo_customer_id, link_pb2.LinkGround.Name(one.ground)[12:]) async for one in found]


async def answered(bridged: BridgedShop, order: int, outcome: str) -> dict[str, Any]:
    """Returns the order's answer once it has this outcome."""

    async def answer() -> bool:
        await bridged.drain()
        return bool((await bridged.site.order_meta(order)).get("_tillsync_answer", {}).get("outcome") == outcome)

    await bridged.site.until(answer)
    kept: dict[str, Any] = (await bridged.site.order_meta(order))["_tillsync_answer"]
    return kept


async def values(bridged: BridgedShop) -> list[dict[str, Any]]:
    return await bridged.site.rows("SELECT user_id, points, credit FROM {prefix}tillsync_customer WHERE removed = 0")


def link_in(mail: dict[str, Any]) -> str:
    """Returns path and query of the confirmation link."""
    [found] = set(
        re.findall(r'https?://[^\s"<>]+tillsync_confirm=[0-9a-f-]+', mail["message"].replace("&amp;", "&").replace("&#038;", "&"))
    )
    parts = urlsplit(found)
    return f"{parts.path}?{parts.query}"


async def mailed(site: Shop, session: Session) -> dict[str, Any]:
    before = len(site.mails())
    reply = await site.request("POST", CONFIRMATION, session=session)
    assert "We have sent you a mail" in reply.json["said"]
    [mail] = site.mails()[before:]
    return mail


async def test_stranger_with_adas_email_sees_nothing_of_ada(careful: BridgedShop) -> None:
    site, till = careful.site, careful.till
    gold = till.add_type(name="Gold")
    ada = till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120, balance=35, type_id=gold)
    await site.php(GOLD, type=gold)
    stranger = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=stranger, email="ada@example.test", first_name="Eve", last_name="Moss")
    answer = await answered(careful, order, "OUTCOME_MATCHED_EMAIL")
    assert answer["epos_customer_id"] == str(ada), "the order finds its till customer"

    async def has_notes() -> bool:  # an event brings the answer, and the next drain its notes
        await careful.drain()
        return any("is not confirmed" in note for note in (await site.order_meta(order))["_tillsync_answer"]["notes"])

    await site.until(has_notes)
    await careful.service.client.sync.sync_customer(careful.account_id, ada)
    session = await site.log_in(stranger)
    shown = (await ask(site, session)).json
    assert (shown["points"], PROMPT in shown["html"]) == (None, True)
    assert (await values(careful), await links(careful)) == ([], [])
    # nothing of Ada appears when the stranger later confirms an email of their own
    mail = await mailed(site, session)
    assert mail["to"] in ("ada@example.test", ["ada@example.test"])
    await site.php(CHANGE_EMAIL, id=stranger, email="eve@example.test")
    old = await site.request("GET", link_in(mail), session=session)
    assert old.status == 302
    assert (await ask(site, session)).json["soon"] is False, "the link belongs to the other email"
    mail = await mailed_later(site, session)
    assert (await site.request("GET", link_in(mail), session=session)).status == 302
    answer = await answered(careful, order, "OUTCOME_CUSTOMER_CREATED")
    assert answer["epos_customer_id"] != str(ada)
    assert [(one, ground) for _, one, ground in await links(careful)] == [(stranger, "CONFIRMED_EMAIL")]

    async def arrived() -> bool:
        return [(row["user_id"], row["points"]) for row in await values(careful)] == [(str(stranger), "0")]

    await site.until(arrived)
    assert await site.php("return get_userdata( $id )->roles;", id=stranger) == ["customer"]


async def mailed_later(site: Shop, session: Session) -> dict[str, Any]:
    """Requests a mail after the minimum time between two mails."""
    refused = await site.request("POST", CONFIRMATION, session=session)
    assert "A mail was sent a moment ago" in refused.json["said"]
    await site.php('global $wpdb; $wpdb->query( "UPDATE {$wpdb->prefix}tillsync_confirmation SET mailed_at = mailed_at - 3600" );')
    return await mailed(site, session)


@pytest.mark.shops("mariadb")
async def test_confirmation_link_works_only_for_its_own_user(careful: BridgedShop) -> None:
    """Ada, whose address a stranger typed, and a scanner of her mail must not confirm the stranger's account by a click."""
    site = careful.site
    stranger, ben = await site.add_user("ada@example.test"), await site.add_user("ben@example.test")
    session = await site.log_in(stranger)
    link = link_in(await mailed(site, session))
    assert (await site.request("GET", link)).status == 200, "the same address shows a login page"
    assert (await site.request("GET", link, session=await site.log_in(ben))).status == 302
    assert await site.php(CONFIRMED, ids=[stranger, ben]) == [False, False]
    assert (await site.request("POST", CONFIRMATION)).status == 401
    # the same address confirms for the logged-in user
    assert (await site.request("GET", link, session=session)).status == 302
    assert await site.php(CONFIRMED, ids=[stranger, ben]) == [True, False]


async def test_managers_confirmation_takes_effect_at_once(careful: BridgedShop) -> None:
    site, till = careful.site, careful.till
    ada = till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120)
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")
    await answered(careful, order, "OUTCOME_MATCHED_EMAIL")
    assert await links(careful) == []
    action = f"tillsync_bridge_confirm_email{user}"
    address = f"/wp-admin/admin-post.php?action=tillsync_bridge_confirm_email&user={user}&_wpnonce="
    clerk = await site.add_user(role="editor")
    session = await site.log_in(clerk, action)
    assert (await site.request("GET", address + session.nonces[action], session=session)).status == 403
    admin = await site.log_in("admin", action)
    assert (await site.request("GET", address + "0123456789", session=admin)).status == 403
    assert await links(careful) == []
    assert (await site.request("GET", address + admin.nonces[action], session=admin)).status == 302

    async def there() -> bool:
        await careful.drain()
        return await links(careful) == [(ada, user, "CONFIRMED_EMAIL")] and [row["points"] for row in await values(careful)] == ["120"]

    await site.until(there)
    assert await links(careful, unconfirmed_only=True) == []


@pytest.mark.shops("mariadb")
async def test_mailed_password_link_confirms_the_email(careful: BridgedShop) -> None:
    """WooCommerce's "send password setup link", "lost password" and WordPress's mail to new users use this path."""
    site = careful.site
    ada = careful.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120)
    user = await site.add_user("ada@example.test")
    await site.php(
        "$user = get_userdata( $id ); $key = get_password_reset_key( $user );"
        " reset_password( check_password_reset_key( $key, $user->user_login ), 'chosen-by-the-person' );",
        id=user,
    )
    await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")

    async def there() -> bool:
        await careful.drain()
        return [row["points"] for row in await values(careful)] == ["120"]

    await site.until(there)
    assert await links(careful) == [(ada, user, "CONFIRMED_EMAIL")]


@pytest.mark.shops("mariadb")
async def test_merchant_decides_once_and_trust_by_age_ends_with_the_email(careful: BridgedShop) -> None:
    site, till = careful.site, careful.till
    known = {name: till.add_customer(email=f"{name}@example.test", points=7) for name in ("old", "moved", "new")}
    users = {name: await site.add_user(f"{name}@example.test", user_registered="2020-01-02 03:04:05") for name in ("old", "claims")}
    async with open_browser(site, await site.log_in()) as page:
        await page.goto(SCREEN)
        question = page.locator(".tillsync-trust-question")
        await expect(question).to_be_visible()
        choice = page.get_by_label("Points are shown to", exact=True)
        await expect(choice).to_have_value("TRUSTED_ACCOUNTS_CONFIRMED_ONLY")
        await choice.select_option("TRUSTED_ACCOUNTS_REGISTERED_BEFORE")
        assert await serious_findings(page, ".tillsync-settings") == []
        await picture(page, "settings-trust")
        await press(page, page.get_by_role("button", name="Save changes", exact=True))
        await expect(page.get_by_text("Your settings have been saved")).to_be_visible()
        await page.goto(SCREEN)
        await expect(question).to_have_count(0)
        await expect(choice).to_have_value("TRUSTED_ACCOUNTS_REGISTERED_BEFORE")
    account = await careful.service.client.accounts.get_account(careful.account_id)
    assert account.trusted_accounts == account_pb2.TRUSTED_ACCOUNTS_REGISTERED_BEFORE
    assert account.HasField("trusted_before_time")
    await site.php(CHANGE_EMAIL, id=users["claims"], email="moved@example.test")
    users["new"] = await site.add_user("new@example.test", user_registered="2038-01-02 03:04:05")
    emails = {"old": "old", "claims": "moved", "new": "new"}
    for name, email in emails.items():
        await site.add_order(customer_id=users[name], email=f"{email}@example.test", first_name=name)

    async def all_answered() -> bool:
        await careful.drain()
        entries = await careful.entries()
        return len(entries) == 3 and {entry.epos_customer_id for entry in entries} == set(known.values())

    await site.until(all_answered)
    assert await links(careful) == [(known["old"], users["old"], "TRUSTED_ACCOUNT")]
    assert await links(careful, unconfirmed_only=True) == [(known["old"], users["old"], "TRUSTED_ACCOUNT")]
    # only users who are not trusted get the prompt
    prompts = [PROMPT in (await ask(site, await site.log_in(users[name]))).json["html"] for name in ("claims", "new")]
    assert prompts == [True, True]
    async with open_browser(site, await site.log_in()) as page:
        await page.goto(SCREEN)
        await page.get_by_role("button", name="List links without a confirmed email").click()
        await expect(page.locator(".tillsync-flash")).to_contain_text(f"(user {users['old']}) is linked to till customer {known['old']}")


@pytest.mark.shops("sqlite", "real")
async def test_points_appear_after_ada_confirms_on_my_account(careful: BridgedShop) -> None:
    site = careful.site
    careful.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120)
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")
    await answered(careful, order, "OUTCOME_MATCHED_EMAIL")
    async with open_browser(site, await site.log_in(user)) as page:
        await page.goto("/my-account/")
        place = page.locator("[data-tillsync-points]")
        await expect(place).to_contain_text(PROMPT)
        assert await serious_findings(page, "[data-tillsync-points]") == []
        await picture(page, f"points-confirm-{site.kind.name}")
        await press(page, place.get_by_role("button", name="Send me the mail"))
        await expect(place.get_by_role("status")).to_contain_text("We have sent you a mail")
        [mail] = [each for each in site.mails() if "tillsync_confirm" in each["message"]]
        await page.goto(link_in(mail))
        await expect(page).to_have_url(re.compile(r"/my-account/$"))
        await expect(place).to_contain_text("Your points appear here in a moment")
        await picture(page, f"points-confirmed-{site.kind.name}")
        await careful.drain()
        # the points appear without a click and without a new order
        await expect(place.locator("strong")).to_have_text("120", timeout=60_000)
