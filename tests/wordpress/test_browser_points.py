"""Points, the profile's link and the customer types screen in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import DESKTOP, PHONE, open_browser, overflow, picture, serious_findings
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import connected, users_of
from wordpress.test_points_shown import give
from wordpress.test_types import ROLES, SAVE, give_type, put_type, roles

PLACE = "[data-tillsync-points]"


@pytest.mark.shops("sqlite", "real")
async def test_a_shopper_sees_their_points_on_my_account(wp_site: Shop) -> None:
    user = await wp_site.add_user()
    await give(wp_site, {user: "1234.50"})
    session = await wp_site.log_in(user)
    async with open_browser(wp_site, session) as page:
        await page.goto("/my-account/")
        place = page.locator(PLACE)
        await place.locator("strong").wait_for()
        assert "Your points: 1,234.5" in await place.inner_text()
        assert await place.locator("time").get_attribute("datetime") == "2026-01-02T03:04:05Z"
        assert await place.get_attribute("aria-busy") is None
        assert await serious_findings(page, PLACE) == []
        await picture(page, f"points-my-account-{wp_site.kind.name}")
    async with open_browser(wp_site, session, size=PHONE) as page:
        await page.goto("/my-account/")
        await page.locator(f"{PLACE} strong").wait_for()
        assert await overflow(page) == 0
    unknown = await wp_site.log_in(await wp_site.add_user())
    async with open_browser(wp_site, unknown) as page:
        async with page.expect_response("**/tillsync-bridge/v1/points"):
            await page.goto("/my-account/")
        await page.locator(PLACE).wait_for(state="hidden")


@pytest.mark.shops("mariadb")
async def test_shopper_without_a_link_reads_what_to_do(bridged: BridgedShop) -> None:
    site = bridged.site
    await site.php("Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\SiteSettings::class )->refresh();")
    session = await site.log_in(await site.add_user("ada@example.test"))
    for size in (DESKTOP, PHONE):
        async with open_browser(site, session, size=size) as page:
            await page.goto("/my-account/")
            await expect(page.locator(PLACE)).to_contain_text("If our store knows you by ada@example.test, your points appear here")
            assert await serious_findings(page, PLACE) == []
            assert await overflow(page) == 0
            await picture(page, f"points-not-linked-{size[0]}")


@pytest.mark.shops("mariadb")
async def test_page_with_an_expired_nonce_gets_a_new_one(wp_site: Shop) -> None:
    """This covers a cached page too: the logged-in user sees their own points, not those of the user for whom the page was made."""
    user = await wp_site.add_user()
    await give(wp_site, {user: "77"})
    wp_site.inject(
        """add_action( 'wp_enqueue_scripts', static fn() => add_filter( 'rest_url', static fn( $url ) => $url ) );
        add_action( 'wp_print_footer_scripts', static function () { ob_start( static fn( $html ) =>
            preg_replace( '/"nonce":"[0-9a-f]{10}"/', '"nonce":"0123456789"', $html ) ); }, 1 );"""
    )
    async with open_browser(wp_site, await wp_site.log_in(user)) as page:
        statuses: list[int] = []
        page.on("response", lambda answer: statuses.append(answer.status) if "v1/points" in answer.url else None)
        await page.goto("/my-account/")
        await page.locator(f"{PLACE} strong").wait_for()
        assert "77" in await page.locator(PLACE).inner_text()
        assert statuses == [403, 200]


@pytest.mark.shops("mariadb")
async def test_profile_links_and_unlinks_a_customer(bridged: BridgedShop) -> None:
    site = bridged.site
    ada = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120)
    user = await site.add_user("ada@example.test")
    async with open_browser(site, await site.log_in("admin")) as page:
        await page.goto(f"/wp-admin/user-edit.php?user_id={user}")
        panel = page.locator(".tillsync-profile")
        await panel.get_by_role("button", name="Show the link").focus()
        await page.keyboard.press("Enter")
        field = panel.get_by_label("Link to a till customer")
        await field.fill("ada@example.test")
        # the field is inside the profile's form: Enter searches, and does not save the profile
        await field.press("Enter")
        await panel.get_by_role("button", name=f"Link: {ada} Ada Byron").click()
        await panel.get_by_text("Linked. Points and credit arrive").wait_for()
        assert "user-edit.php" in page.url
        assert f"{ada} · Ada Byron" in await panel.inner_text()
        assert await serious_findings(page, ".tillsync-profile") == []
        await picture(page, f"profile-link-{site.kind.name}")

        async def stored() -> list[dict[str, Any]]:
            return await site.rows("SELECT * FROM {prefix}tillsync_customer WHERE removed = 0")

        await site.until(stored)
        await page.reload()
        assert "120" in await panel.inner_text()
        page.on("dialog", lambda dialog: dialog.accept())
        await panel.get_by_role("button", name="Show the link").click()
        await panel.get_by_role("button", name="Unlink").click()
        await panel.get_by_text("Unlinked.").wait_for()

    async def gone() -> bool:
        return await stored() == []

    await site.until(gone)


@pytest.mark.shops("sqlite", "real")
async def test_preview_shows_the_changes_of_a_mapping(wp_site: Shop) -> None:
    await connected(wp_site)
    wp_site.inject(ROLES)
    users = await users_of(wp_site, 5)
    await put_type(wp_site, 7, 1, name="Trade " + "with a very long name " * 8)
    await put_type(wp_site, 8, 1, name="Staff")
    await give_type(wp_site, users, 7, 1)
    session = await wp_site.log_in("admin", SAVE)
    async with open_browser(wp_site, session) as page:
        await page.goto("/wp-admin/admin.php?page=tillsync-types")
        await page.locator('select[name="map[7][role]"]').select_option("trade")
        await page.get_by_role("button", name="Preview").focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("5 customers get a role").wait_for()
        assert await page.locator("#tillsync-preview-result tbody tr").count() == 5
        assert await serious_findings(page, ".tillsync-types") == []
        await picture(page, f"types-{wp_site.kind.name}")
        await page.locator("#tillsync-role-map").get_by_role("button", name="Save changes").click()
        await page.get_by_text("Saved. Roles are given").wait_for()
        await page.get_by_text("0 of 5 customers done").wait_for()
        await wp_site.php("do_action( 'tillsync_bridge_minute' );")
        await page.get_by_text("Roles: done, 5 customers changed.").wait_for()
    assert await roles(wp_site, users[0]) == ["customer", "trade"]
    for size, direction in ((PHONE, "ltr"), ((1280, 900), "rtl")):
        async with open_browser(wp_site, session, size=size) as page:
            await page.goto("/wp-admin/admin.php?page=tillsync-types")
            await page.evaluate("direction => { document.documentElement.dir = direction }", direction)
            within = await page.evaluate(
                "() => [...document.querySelectorAll('.tillsync-types *')].every(one => one.getBoundingClientRect().width <= innerWidth)"
            )
            assert within
            await picture(page, f"types-{size[0]}-{direction}-{wp_site.kind.name}")
