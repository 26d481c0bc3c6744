"""Pages that were open for too long, on every page with a script: an expired nonce is renewed silently, and an ended login is reported."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import open_browser
from wordpress.test_customers_batch import AS_OF
from wordpress.test_types import ROLES

pytestmark = [pytest.mark.shops("mariadb"), pytest.mark.timeout(300)]

EXPIRED = "() => { window.wp.apiFetch.nonceMiddleware.nonce = '0123456789'; }"
TOO_OLD = "Your session has expired"


@dataclass(frozen=True)
class Step:
    """One script request of a page."""

    path: str
    act: Callable[[Page], Awaitable[None]]
    within: str
    """Selector of the element that shows success or error."""
    says: str


async def order_screen(page: Page) -> None:
    if await page.locator(".tillsync-wrong").get_attribute("aria-expanded") == "false":
        await page.get_by_role("button", name="Wrong customer?").click()
        await expect(page.locator(".tillsync-wrong-box .tillsync-link")).not_to_be_empty()
    await page.locator("#tillsync-order").get_by_role("searchbox").fill("Counter")
    await page.locator("#tillsync-order").get_by_role("button", name="Search").click()


async def match_again(page: Page) -> None:
    await page.locator("#tillsync-order .tillsync-match").click()


async def default_customer(page: Page) -> None:
    await page.get_by_label("Number, email or name").fill("Counter")
    await page.get_by_role("button", name="Search the till").click()


async def effect(page: Page) -> None:
    await page.get_by_role("button", name="Preview changes").click()


async def profile(page: Page) -> None:
    await page.get_by_role("button", name="Show the link").click()


async def who_changes(page: Page) -> None:
    await page.get_by_role("button", name="Preview").click()


async def search_queue(page: Page) -> None:
    await page.get_by_label("Email, order number or id").fill("nobody@example.test")
    await page.keyboard.press("Enter")


SETTINGS = "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync"
STEPS = {
    "default customer": Step(SETTINGS, default_customer, ".tillsync-default", "Counter Sales"),
    "effect of settings": Step(SETTINGS, effect, ".tillsync-effect", "Nothing that exists is affected"),
    "order": Step("{order}", order_screen, "#tillsync-order", "Counter Sales"),
    "match again": Step("{order}", match_again, "#tillsync-order", "service|Customer created|Done|In progress"),
    "profile": Step("/wp-admin/user-edit.php?user_id={user}", profile, ".tillsync-profile", "Not linked|Linked to this"),
    "types": Step(
        "/wp-admin/admin.php?page=tillsync-types",
        who_changes,
        "#tillsync-preview-result",
        "customers? gets? a role|customers get a role",
    ),
    "queues": Step("/wp-admin/admin.php?page=tillsync-queues", search_queue, "#tillsync-queues", "Nothing was found"),
}


@pytest.mark.parametrize("name", list(STEPS))
async def test_expired_nonce_is_renewed_and_ended_login_is_shown(bridged: BridgedShop, name: str) -> None:
    site, step = bridged.site, STEPS[name]
    site.inject(ROLES)
    bridged.till.add_customer(forename="Counter", surname="Sales", email="counter@example.test")
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test")
    content = {"version": "1", "name": "Trade", "discount": "10", "description": ""}
    secret = await bridged.secret()
    assert (await site.signed("PUT", "/wc-tillsync/v1/customer-types/7", content, secret)).status == 200
    item = {"user_id": user, "version": "1", "points": "5", "credit": "0", "type_id": 7, "as_of": AS_OF}
    assert (await site.signed("POST", "/wc-tillsync/v1/customers/batch", {"items": [item]}, secret)).status == 200
    edit = await site.php("return html_entity_decode( wc_get_order( $id )->get_edit_order_url() );", id=order, user="admin", admin=True)
    path = step.path.format(order=edit, user=user)
    async with open_browser(site, await site.log_in()) as page:
        # only the nonce has expired
        await page.goto(path)
        if "wc-admin" in page.url:  # a new WooCommerce shows its setup once
            await page.goto(path)
        await page.evaluate(EXPIRED)
        async with page.expect_response(lambda answer: "action=rest-nonce" in answer.url) as renewed:
            await step.act(page)
        assert (await renewed.value).status == 200
        await expect(page.locator(step.within)).to_contain_text(re.compile(step.says))
        assert not await page.locator(step.within).get_by_text(re.compile(TOO_OLD)).count()
        # the login has ended
        await page.goto(path)
        await page.wait_for_load_state("networkidle")
        if step.act is order_screen:
            await order_screen(page)
            await expect(page.locator(".tillsync-found li").first).to_be_visible()
        await page.context.clear_cookies()
        await step.act(page)
        await expect(page.locator(step.within)).to_contain_text(re.compile(TOO_OLD))
