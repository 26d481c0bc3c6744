"""A refused choice on the order screen leaves the shopper's link unchanged."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import open_browser
from wordpress.test_shop_orders import act, answered


@pytest.mark.shops("mariadb")
async def test_customer_of_another_shopper_cannot_be_chosen(bridged: BridgedShop) -> None:
    site = bridged.site
    ada = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test")
    taken = bridged.till.add_customer(forename="Grace", surname="Hopper", email="grace@example.test")
    grace, user = await site.add_user("grace@example.test"), await site.add_user("ada@example.test")
    await bridged.service.client.links.create_link(bridged.account_id, taken, grace)
    order = await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada")
    assert (await answered(bridged, order))["epos_customer_id"] == str(ada)
    session = await site.log_in("admin")
    for wanted in (taken, bridged.default_customer):
        refused = await act(site, session, order, "customer", epos_customer_id=str(wanted))
        assert refused.status == 409, refused.text
        assert refused.json["message"]
        link = await act(site, session, order, "link", "GET")
        assert (link.json["link"]["epos_customer_id"], link.json["link"]["usable"]) == (str(ada), True)
    # the shopper's next order goes to the same customer
    again = await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada")
    assert (await answered(bridged, again))["epos_customer_id"] == str(ada)


@pytest.mark.shops("mariadb")
async def test_panel_offers_no_button_for_another_shoppers_customer(bridged: BridgedShop) -> None:
    site = bridged.site
    ada = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test")
    taken = bridged.till.add_customer(forename="Ada", surname="Hopper", email="hopper@example.test")
    await bridged.service.client.links.create_link(bridged.account_id, taken, await site.add_user("hopper@example.test"))
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada")
    await answered(bridged, order)
    edit = await site.php("return wc_get_order( $id )->get_edit_order_url();", id=order, user="admin", admin=True)
    async with open_browser(site, await site.log_in()) as page:
        await page.goto(edit)
        box = page.locator("#tillsync-order")
        await box.get_by_role("button", name="Wrong customer?").click()
        await expect(box.locator(".tillsync-link")).to_contain_text(f"{ada} · Ada Byron")
        await box.get_by_role("searchbox").fill("Ada")
        await page.keyboard.press("Enter")
        rows = box.locator(".tillsync-found li")
        await expect(rows).to_have_count(2)
        other = rows.filter(has_text=str(taken))
        await expect(other).to_contain_text("linked to another shopper")
        await expect(other.get_by_role("button")).to_have_count(0)
        own = rows.filter(has_text="Byron")
        await expect(own).not_to_contain_text("linked to another shopper")
        await expect(own.get_by_role("button")).to_have_count(1)
