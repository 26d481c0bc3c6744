"""The order screen and the order list with order posts. Panel and profile on a phone and from right to left, with long words."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import DESKTOP, PHONE, open_browser, overflow, picture, serious_findings
from wordpress.test_browser_order import BOX, edit_url, held_order

LIST = "/wp-admin/edit.php?post_type=shop_order"
RIGHT_TO_LEFT = "add_action( 'init', static function () { global $wp_locale; $wp_locale->text_direction = 'rtl'; }, 0 );"
LONG = "Wolfeschlegelsteinhausenbergerdorff"
WIDER = """selector => {
    const box = document.querySelector( selector );
    const edge = box.getBoundingClientRect();
    return [ ...box.querySelectorAll( '*' ) ]
        .filter( one => one.getClientRects().length && ! one.classList.contains( 'screen-reader-text' ) )
        .filter( one => one.getBoundingClientRect().right > edge.right + 1 || one.getBoundingClientRect().left < edge.left - 1 )
        .map( one => one.outerHTML.slice( 0, 80 ) );
}"""


@pytest.mark.shops("posts")
async def test_panel_list_and_action_list_work_with_order_posts(bridged: BridgedShop) -> None:
    site = bridged.site
    order, twins = await held_order(bridged)
    async with open_browser(site, await site.log_in()) as page:
        await page.goto(LIST)
        if "edit.php" not in page.url:  # a new WooCommerce shows its setup once
            await page.goto(LIST)
        column = page.locator(f"#post-{order} td.column-tillsync")
        await expect(column).to_have_text("Needs review Choose customer")
        assert await serious_findings(page, "td.column-tillsync") == []
        await expect(page.locator("th#tillsync, th.column-tillsync").first).to_contain_text("Till customer")
        await page.goto(await edit_url(site, order))
        box = page.locator(BOX)
        await expect(box).to_contain_text("We could not auto-link the customer as there is more than one customer in EposNow")
        wrong = box.get_by_role("button", name="Wrong customer?")
        await wrong.focus()
        await page.keyboard.press("Enter")
        await expect(wrong).to_have_attribute("aria-expanded", "true")
        # the box is inside the post's form: Enter searches, and saves nothing
        await box.get_by_role("searchbox").fill(str(twins[0]))
        await page.keyboard.press("Enter")
        choose = box.get_by_role("button", name=f"Choose: {twins[0]} Ada Byron")
        await expect(choose).to_be_visible()
        assert "post.php" in page.url
        assert "message=" not in page.url
        assert await serious_findings(page, BOX) == []
        await choose.press("Enter")
        await expect(box.locator(".tillsync-panel")).to_contain_text(f"Till customer {twins[0]}", timeout=60_000)
        await picture(page, f"order-posts-{site.kind.name}")
        await page.goto(LIST)
        await expect(column).to_have_text(f"Done Ada Byron ({twins[0]})")
        await picture(page, f"orders-posts-{site.kind.name}")
        # the screen's own list of actions works without a script
        await page.goto(await edit_url(site, order))
        await page.locator("select[name=wc_order_action]").select_option("tillsync_match_again")
        await page.locator("button.save_order").first.click()
        await page.wait_for_load_state()
    [row] = await site.rows(f"SELECT rerun, state FROM {{prefix}}tillsync_outbox WHERE order_id = {order}")
    assert (int(row["rerun"]), row["state"]) in ((1, "waiting"), (0, "sent"), (0, "done"))
    assert row["state"] == "waiting", "the match is requested, and not sent within the screen's request"


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.shops("stand-in")
async def test_panel_and_profile_fit_a_phone_with_long_words(bridged: BridgedShop, direction: str) -> None:
    site = bridged.site
    if direction == "rtl":
        site.inject(RIGHT_TO_LEFT)
    long = bridged.till.add_customer(forename=LONG, surname=LONG, email="ada@example.test", card_number="9" * 40, points=1234567)
    user = await site.add_user("ada@example.test")
    await bridged.service.client.links.create_link(bridged.account_id, long, user)
    order = await site.add_order(customer_id=user, email="ada@example.test", first_name=LONG[:50])

    async def answered() -> bool:
        await bridged.drain()
        answer = (await site.order_meta(order)).get("_tillsync_answer")
        return bool(answer and answer["epos_customer_id"] == str(long))

    await site.until(answered)
    await site.until(lambda: site.rows("SELECT * FROM {prefix}tillsync_customer WHERE removed = 0"))
    for name, size in (("phone", PHONE), ("desktop", DESKTOP)):
        async with open_browser(site, await site.log_in(), size=size) as page:
            await page.goto(await edit_url(site, order))
            await expect(page.locator("html")).to_have_attribute("dir", "rtl") if direction == "rtl" else None
            box = page.locator(BOX)
            await box.get_by_role("button", name="Wrong customer?").click()
            await expect(box.locator(".tillsync-link")).to_contain_text(LONG)
            await box.get_by_role("searchbox").fill(LONG)
            await page.keyboard.press("Enter")
            await expect(box.locator(".tillsync-found li")).to_have_count(1)
            assert await page.evaluate(WIDER, BOX) == []
            await picture(page, f"order-panel-{direction}-{name}-{site.kind.name}")
            await page.goto(f"/wp-admin/user-edit.php?user_id={user}")
            panel = page.locator(".tillsync-profile")
            await panel.get_by_role("button", name="Show the link").click()
            await expect(panel).to_contain_text(LONG)
            assert await overflow(page) == 0
            assert await page.evaluate(WIDER, ".tillsync-profile") == []
            assert await serious_findings(page, ".tillsync-profile") == []
            await picture(page, f"profile-{direction}-{name}-{site.kind.name}")
