"""All screens of the plugin in the real WooCommerce, on desktop and phone and in both directions. They must not overflow and must have no
serious accessibility finding. A person should look at the pictures.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import DESKTOP, PHONE, open_browser, picture, serious_findings, sticking_out
from wordpress.test_browser_notices import ORDERS, SETTINGS
from wordpress.test_browser_order import edit_url, held_order
from wordpress.test_points_shown import give

RIGHT_TO_LEFT = "add_action( 'init', static function () { global $wp_locale; $wp_locale->text_direction = 'rtl'; }, 0 );"


async def looked_at(page: Page, path: str, ours: str, name: str) -> None:
    await page.goto(path)
    await expect(page.locator(ours).first).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert await sticking_out(page, ours) == [], path
    assert await serious_findings(page, ours) == [], path
    await picture(page, f"looks-{name}")


@pytest.mark.shops("real")
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_no_screen_overflows_or_has_serious_findings(bridged: BridgedShop, size: tuple[int, int], direction: str) -> None:
    site = bridged.site
    order, _ = await held_order(bridged)
    waiting = await site.add_order(email="x@example.test", first_name="Grace", last_name="Wolfeschlegelsteinhausenbergerdorff")
    shopper = await site.add_user("grace@example.test")
    await give(site, {shopper: "1234.50"})
    if direction == "rtl":
        site.inject(RIGHT_TO_LEFT)
    end = f"{'desktop' if size == DESKTOP else 'phone'}-{direction}-{site.kind.name}"
    async with open_browser(site, await site.log_in(), size=size) as page:
        await looked_at(page, await site.php(ORDERS), ".tillsync-notice", f"orders-{end}")
        # a phone shows only the list's first column
        shown = page.locator("td.column-tillsync:visible, .tillsync-narrow:visible", has_text="Needs review")
        await expect(shown).to_have_count(1)
        assert await sticking_out(page, "td.column-tillsync, .tillsync-narrow") == []
        await looked_at(page, await edit_url(site, order), "#tillsync-order", f"order-{end}")
        await looked_at(page, await edit_url(site, waiting), "#tillsync-order", f"order-waiting-{end}")
        await looked_at(page, SETTINGS, ".tillsync-settings", f"settings-{end}")
        await looked_at(page, "/wp-admin/admin.php?page=tillsync-queues", "#tillsync-queues", f"queues-{end}")
        await looked_at(page, "/wp-admin/admin.php?page=tillsync-types", ".tillsync-types", f"types-{end}")
        await looked_at(page, f"/wp-admin/user-edit.php?user_id={shopper}", ".tillsync-profile", f"profile-{end}")
    async with open_browser(site, await site.log_in(shopper), size=size) as page:
        await looked_at(page, "/my-account/", "[data-tillsync-points]", f"account-{end}")
