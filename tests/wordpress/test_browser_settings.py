"""The settings screen in a real browser: connecting, saving and testing."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from support.postgres import TestDatabase
from wordpress.harness.bridge import bridged_shop
from wordpress.harness.browser import PHONE, open_browser, overflow, picture, serious_findings
from wordpress.harness.shop import Shop

SCREEN = "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync"
OURS = ".tillsync-settings"


@pytest.mark.shops("mariadb")
async def test_merchant_connects_and_changes_settings(wp_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(wp_site, database.dsn, connect=False) as bridged:
        free = bridged.till.add_customer(forename="Counter", surname="Sales", email="counter@example.test")
        async with open_browser(wp_site, await wp_site.log_in()) as page:
            await page.goto(SCREEN)
            await page.get_by_label("Connection key").fill(bridged.connect_string[:40] + "\n" + bridged.connect_string[40:])
            await picture(page, "settings-connect")
            assert await serious_findings(page, OURS) == []
            await page.get_by_role("button", name="Connect", exact=True).click(timeout=60_000)
            await expect(page.get_by_role("status").first).to_contain_text("Connected to", timeout=60_000)
            # the search finds the default customer, and the screen shows a change's effect before it is saved
            await page.get_by_label("Number, email or name").fill("Counter")
            await page.keyboard.press("Enter")
            await page.get_by_role("button", name=f"Choose: {free} Counter Sales").click()
            await expect(page.get_by_label("Default till customer", exact=True)).to_have_value(str(free))
            await expect(page.locator(".tillsync-effect")).not_to_have_text("")
            await page.get_by_label("Phone").check()
            assert await serious_findings(page, OURS) == []
            await picture(page, "settings-desktop")
            await page.get_by_role("button", name="Save changes", exact=True).click()
            await expect(page.get_by_label("Phone")).to_be_checked()
            account = await bridged.service.client.accounts.get_account(bridged.account_id)
            assert (account.default_epos_customer_id, account.sync_phone) == (free, True)
            # Enter saves, and does not press the first visible button
            await page.get_by_label("First and last name").check()
            await page.get_by_label("Default till customer", exact=True).press("Enter")
            await expect(page.get_by_label("First and last name")).to_be_checked()
            assert (await bridged.service.client.accounts.get_account(bridged.account_id)).sync_names
            await page.get_by_role("button", name="Test connection").click()
            await expect(page.locator(".tillsync-steps li").first).to_be_visible(timeout=60_000)
            await expect(page.get_by_label("Number, email or name")).to_be_visible()
            await picture(page, "settings-tested")
            assert bridged.connect_string not in await page.content()
            await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            await page.goto(SCREEN)
            assert await overflow(page) == 0
            await picture(page, "settings-phone")
            await page.evaluate("() => document.documentElement.dir = 'rtl'")
            await picture(page, "settings-rtl")


@pytest.mark.shops("mariadb")
async def test_settings_screen_works_without_scripts(wp_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(wp_site, database.dsn) as bridged:
        async with open_browser(wp_site, await wp_site.log_in(), scripts=False) as page:
            await page.goto(SCREEN)
            await page.get_by_label("First and last name").check()
            await page.get_by_role("button", name="Save changes", exact=True).click()
            await expect(page.get_by_label("First and last name")).to_be_checked()
        assert (await bridged.service.client.accounts.get_account(bridged.account_id)).sync_names
