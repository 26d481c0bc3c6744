"""The duplicate chooser in a real browser: candidates side by side, keyboard use, and the effect of one click."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect
from support.postgres import TestDatabase
from tillsync.v1 import account_pb2, vocabulary_pb2
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.browser import DESKTOP, PHONE, open_browser, picture, serious_findings
from wordpress.harness.shop import Shop

QUEUES = "/wp-admin/admin.php?page=tillsync-queues"
ALERTS = "return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Health\\Alerts::class )->all();"
ADA: dict[str, Any] = {"email": "ada@example.test", "first_name": "Ada", "last_name": "Byron"}


def twins(bridged: BridgedShop, email: str = "ada@example.test") -> tuple[int, int]:
    one = bridged.till.add_customer(
        forename="Ada", surname="Byron", email=email, points=120, balance="3.50", card_number="77001", sign_up_date="2019-03-02T09:30:00"
    )
    two = bridged.till.add_customer(
        forename="Ada", surname="King", email=email, points=5, card_number="", sign_up_date="2024-05-01T09:30:00"
    )
    return one, two


async def states(bridged: BridgedShop) -> list[vocabulary_pb2.EntryState.ValueType]:
    return [entry.state for entry in await bridged.entries()]


async def held(bridged: BridgedShop, count: int) -> None:
    await bridged.drain()

    async def all_held() -> bool:
        return await states(bridged) == [vocabulary_pb2.ENTRY_STATE_HELD] * count

    await bridged.site.until(all_held)
    await bridged.drain()  # the answers reach the shop


async def chooser(page: Page) -> None:
    await page.goto(QUEUES)
    await page.get_by_role("button", name="Choose the customer").first.click()
    await expect(page.get_by_role("dialog").locator(".tillsync-candidate")).to_have_count(2)


async def test_one_click_links_the_person_and_requeues_their_orders(bridged: BridgedShop) -> None:
    one, two = twins(bridged)
    user = await bridged.site.add_user("ada@example.test")
    orders = [await bridged.site.add_order(customer_id=user, **ADA) for _ in range(3)]
    await held(bridged, 3)
    assert len(await bridged.site.php(ALERTS)) == 1
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        await chooser(page)
        dialog = page.get_by_role("dialog", name="Which till customer is it?")
        first = dialog.locator(".tillsync-candidate").first
        for text in ("Ada Byron", str(one), "77001", "120", "3.50", "March 2, 2019"):
            await expect(first).to_contain_text(text)
        await expect(first).not_to_contain_text("ada@example.test")
        assert await serious_findings(page, "dialog") == []
        await picture(page, "chooser-desktop", full=False)
        # by keyboard: the first choice has the focus, and Tab moves to the second
        await expect(dialog.get_by_role("button", name=f"This one: Ada Byron, till customer {one}")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(dialog.get_by_role("button", name=f"This one: Ada King, till customer {two}")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".tillsync-said")).to_contain_text(
            f"is linked to till customer {two}. 2 further orders of this person go on too."
        )

    async def all_done() -> bool:
        return await states(bridged) == [vocabulary_pb2.ENTRY_STATE_PROCESSED] * 3

    await bridged.site.until(all_done)
    assert {entry.epos_customer_id for entry in await bridged.entries()} == {two}
    link = await bridged.service.client.links.get_link(bridged.account_id, woo_customer_id=user)
    assert link.epos_customer_id == two
    await bridged.drain()
    for order in orders:
        assert (await bridged.site.order_meta(order))["_tillsync_answer"]["epos_customer_id"] == str(two)
    assert await bridged.site.php(ALERTS) == []


@pytest.mark.shops("mariadb")
async def test_escape_returns_the_focus_and_a_taken_customer_cannot_be_chosen(bridged: BridgedShop) -> None:
    one, two = twins(bridged)
    other = await bridged.site.add_user("king@example.test")
    await bridged.service.client.links.create_link(bridged.account_id, two, other)
    user = await bridged.site.add_user("ada@example.test")
    await bridged.site.add_order(customer_id=user, **ADA)
    await held(bridged, 1)
    third = bridged.till.add_customer(forename="Ada", surname="Third", email="third@example.test", points=9)
    async with open_browser(bridged.site, await bridged.site.log_in(), size=PHONE) as page:
        await chooser(page)
        dialog = page.get_by_role("dialog")
        taken = dialog.locator(".tillsync-candidate", has_text=str(two))
        await expect(taken).to_contain_text("Linked to another shopper")
        await expect(taken.get_by_role("button")).to_have_count(0)
        assert await page.evaluate("() => { const d = document.querySelector('dialog'); return d.scrollWidth - d.clientWidth; }") == 0
        await picture(page, "chooser-phone", full=False)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Choose the customer")).to_be_focused()
        await page.keyboard.press("Enter")
        # neither candidate fits, so the till is searched
        await dialog.get_by_label("None of these?").fill(str(third))
        await page.keyboard.press("Enter")
        await dialog.get_by_role("button", name=f"till customer {third}").click()
        await expect(page.locator(".tillsync-said")).to_contain_text(f"linked to till customer {third}")
    link = await bridged.service.client.links.get_link(bridged.account_id, woo_customer_id=user)
    assert link.epos_customer_id == third != one


@pytest.mark.shops("mariadb")
async def test_guest_order_gets_the_chosen_customer_without_a_link(wp_site: Shop, database: TestDatabase) -> None:
    account = account_pb2.Account(customer_sync_enabled=True, guest_policy=account_pb2.GUEST_POLICY_MATCH_OR_CREATE)
    async with bridged_shop(wp_site, database.dsn, account=account) as bridged:
        one, _ = twins(bridged)
        for _ in range(2):
            await wp_site.add_order(**ADA)
        await held(bridged, 2)
        async with open_browser(wp_site, await wp_site.log_in(), size=DESKTOP) as page:
            await chooser(page)
            dialog = page.get_by_role("dialog")
            await expect(dialog).to_contain_text("A guest cannot be linked")
            await dialog.get_by_role("button", name=f"till customer {one}").click()
            await expect(page.locator(".tillsync-said")).to_contain_text(f"The order goes to till customer {one}.")

        async def released() -> bool:
            found = await bridged.entries()
            return any(entry.epos_customer_id == one and entry.state == vocabulary_pb2.ENTRY_STATE_PROCESSED for entry in found)

        await wp_site.until(released)
        assert [link async for link in bridged.service.client.links.list_links(bridged.account_id)] == []


@pytest.mark.shops("mariadb")
async def test_dialog_reports_an_unreadable_till(bridged: BridgedShop) -> None:
    twins(bridged)
    user = await bridged.site.add_user("ada@example.test")
    await bridged.site.add_order(customer_id=user, email="ada@example.test")
    await held(bridged, 1)
    bridged.till.switches.api_key = "another key"
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        await page.goto(QUEUES)
        await page.get_by_role("button", name="Choose the customer").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.locator(".tillsync-dialog-said")).not_to_have_text("One moment …")
        await expect(dialog.locator(".tillsync-dialog-said")).to_contain_text("credentials")
        await expect(dialog.get_by_role("button", name="This one")).to_have_count(0)


@pytest.mark.shops("mariadb")
async def test_chooser_searches_the_till_without_candidates(bridged: BridgedShop) -> None:
    email = f"{'a' * 40}@example.test"  # longer than the till stores
    user = await bridged.site.add_user(email)
    await bridged.site.add_order(customer_id=user, email=email, first_name="Ada", last_name="Byron")
    await held(bridged, 1)
    right = bridged.till.add_customer(forename="Ada", surname="Byron", email="other@example.test")
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        await page.goto(QUEUES)
        await expect(page.locator("tr[data-entry] .tillsync-comment").first).to_have_text("Customer Id Not Matched with EPOSNOW")
        await page.get_by_role("button", name="Choose the customer").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("There are no candidates")
        await expect(dialog.get_by_label("None of these?")).to_be_focused()
        await page.keyboard.type("nobody@example.test")
        await page.keyboard.press("Enter")
        await expect(dialog).to_contain_text("The till has no such customer.")
        await dialog.get_by_label("None of these?").fill("other@example.test")
        await page.keyboard.press("Enter")
        await dialog.get_by_role("button", name=f"till customer {right}").click()
        await expect(page.locator(".tillsync-said")).to_contain_text(f"linked to till customer {right}")
