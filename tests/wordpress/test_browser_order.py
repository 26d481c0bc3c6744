"""The order screen's panel and the order list's column in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import PHONE, open_browser, picture, serious_findings
from wordpress.harness.shop import Shop

BOX = "#tillsync-order"


async def edit_url(site: Shop, order: int) -> str:
    url: str = await site.php("return wc_get_order( $id )->get_edit_order_url();", id=order, admin=True)
    return url


async def held_order(bridged: BridgedShop) -> tuple[int, list[int]]:
    twins = [bridged.till.add_customer(forename="Ada", surname=name, email="ada@example.test") for name in ("Byron", "King")]
    user = await bridged.site.add_user("ada@example.test")
    order = await bridged.site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")

    async def held() -> bool:
        await bridged.drain()
        answer = (await bridged.site.order_meta(order)).get("_tillsync_answer")
        return bool(answer and answer["state"] == "ENTRY_STATE_HELD")

    await bridged.site.until(held)
    return order, twins


@pytest.mark.shops("mariadb")
async def test_wrong_customer_is_corrected_by_keyboard(bridged: BridgedShop) -> None:
    site = bridged.site
    order, twins = await held_order(bridged)
    async with open_browser(site, await site.log_in()) as page:
        await page.goto(await edit_url(site, order))
        box = page.locator(BOX)
        await expect(box).to_contain_text("Needs review")
        await expect(box).to_contain_text("We could not auto-link the customer as there is more than one customer in EposNow")
        wrong = box.get_by_role("button", name="Wrong customer?")
        await wrong.focus()
        await page.keyboard.press("Enter")
        await expect(wrong).to_have_attribute("aria-expanded", "true")
        await expect(box).to_contain_text("Sales that are at the till already do not move")
        await expect(box).to_contain_text("not linked to a till customer")
        await box.get_by_role("searchbox").fill("ada@example.test")
        await page.keyboard.press("Enter")
        await expect(box.locator(".tillsync-found li")).to_have_count(2)
        assert await serious_findings(page, BOX) == []
        await picture(page, "order-panel-choose", full=False)
        await box.get_by_role("button", name=f"Choose: {twins[1]} Ada King").press("Enter")
        await expect(box.locator(".tillsync-panel")).to_contain_text(f"Till customer {twins[1]}", timeout=60_000)
        await expect(box.locator(".tillsync-link")).to_contain_text(f"{twins[1]}")  # the open box shows the new link
        await picture(page, "order-panel", full=False)
        # the list
        await page.goto("/wp-admin/admin.php?page=wc-orders")
        await expect(page.get_by_role("cell", name=f"Done Ada Byron ({twins[1]})")).to_be_visible()
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        await page.goto(await edit_url(site, order))
        await picture(page, "order-panel-phone")


@pytest.mark.shops("mariadb")
async def test_panel_reports_an_ended_session(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(email="ada@example.test")
    async with open_browser(site, await site.log_in()) as page:
        await page.goto(await edit_url(site, order))
        await site.php("WP_Session_Tokens::get_instance( 1 )->destroy_all();")
        await page.locator(BOX).get_by_role("button", name="Match again").click()
        await expect(page.locator(BOX)).to_contain_text("Your session has expired")
    rows = await site.rows("SELECT rerun FROM {prefix}tillsync_outbox")
    assert [int(row["rerun"]) for row in rows] == [0]
