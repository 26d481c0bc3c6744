"""Notices on their screens: they are dismissed one by one and disappear with their alerts. The mail about them."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect
from tillsync.v1 import vocabulary_pb2
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import open_browser, overflow, picture, serious_findings

ORDERS = """
    return \\Automattic\\WooCommerce\\Utilities\\OrderUtil::custom_orders_table_usage_is_enabled()
        ? '/wp-admin/admin.php?page=wc-orders' : '/wp-admin/edit.php?post_type=shop_order';
"""
SETTINGS = "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync"
QUEUES = "/wp-admin/admin.php?page=tillsync-queues"


async def two_held(bridged: BridgedShop) -> list[int]:
    """Returns held orders of two shoppers, each of whom the till has twice."""
    orders = []
    for name in ("ada", "grace"):
        for surname in ("One", "Two"):
            bridged.till.add_customer(forename=name.title(), surname=surname, email=f"{name}@example.test")
        user = await bridged.site.add_user(f"{name}@example.test")
        orders.append(await bridged.site.add_order(customer_id=user, email=f"{name}@example.test", first_name=name.title()))
    await bridged.drain()

    async def held() -> bool:
        return [entry.state for entry in await bridged.entries()] == [vocabulary_pb2.ENTRY_STATE_HELD] * 2

    await bridged.site.until(held)
    await bridged.drain()
    return orders


def notices(page: Page) -> object:
    return page.locator(".tillsync-notice")


async def test_notices_are_dismissed_one_by_one_and_close_with_their_alerts(bridged: BridgedShop) -> None:
    site = bridged.site
    first, second = await two_held(bridged)
    listing = await site.php(ORDERS)
    async with open_browser(site, await site.log_in()) as page:
        shown = page.locator(".tillsync-notice")
        for path in (listing, QUEUES, SETTINGS, "/wp-admin/plugins.php"):
            await page.goto(path)
            await expect(shown).to_have_count(2)
            await expect(shown.first).to_contain_text("several till customers use the same email address")
            assert "@example.test" not in await shown.first.inner_text(), "a notice shows no email address"
        assert await serious_findings(page, ".tillsync-notice") == []
        for path in ("/wp-admin/index.php", "/wp-admin/edit.php"):
            await page.goto(path)
            await expect(shown).to_have_count(0)
        await page.goto(listing)
        await picture(page, "notices-orders")
        assert await overflow(page) == 0
        async with page.expect_response(lambda response: "notices/dismiss" in response.url) as answer:
            await page.locator(".tillsync-notice", has_text=str(first)).locator(".notice-dismiss").click()
        assert (await answer.value).status == 200
        await page.goto(QUEUES)
        await expect(shown).to_have_count(1)
        await expect(shown).to_contain_text(str(second))
        await shown.get_by_role("link", name="Choose customer").click()
        await expect(page.get_by_label("State")).to_have_value("held")
        await expect(page.locator("tr[data-entry]")).to_have_count(1)
        # a person chooses the customer, and the notice disappears after the next answer
        await page.get_by_role("button", name="Choose the customer").click()
        await page.get_by_role("dialog").locator(".button-primary").first.click()
        await expect(page.locator(".tillsync-said")).to_contain_text("The shopper is linked")

        async def decided() -> bool:
            return any(
                entry.order_id == second and entry.state == vocabulary_pb2.ENTRY_STATE_PROCESSED for entry in await bridged.entries()
            )

        await site.until(decided)
        await bridged.drain()
        await page.goto(QUEUES)
        await expect(shown).to_have_count(0)
    # another user has dismissed nothing
    async with open_browser(site, await site.log_in(await site.add_user(role="shop_manager"))) as page:
        await page.goto(QUEUES)
        await expect(page.locator(".tillsync-notice")).to_have_count(1)


@pytest.mark.shops("mariadb")
async def test_cron_sends_one_mail_about_two_alerts(bridged: BridgedShop) -> None:
    site = bridged.site
    await two_held(bridged)
    site.inject("add_filter( 'pre_option_tillsync_bridge_nothing', '__return_false' );")
    aged = """
        global $wpdb;
        $sql = "SELECT option_name, option_value FROM {$wpdb->options} WHERE option_name LIKE 'tillsync\\_bridge\\_cause\\_%'";
        foreach ( $wpdb->get_results( $sql ) as $row ) {
            $value = unserialize( $row->option_value );
            update_option( $row->option_name, array( 'since' => $value['since'] - 120 ) + $value );
        }
    """
    await site.php(aged)
    for _ in range(2):
        await site.php("do_action( 'tillsync_bridge_minute' );")
    [mail] = [one for one in site.mails() if "till customer" in one["subject"]]
    assert "2 orders need review – till customer not clear" in mail["subject"]
    assert "@example.test" not in mail["message"]
    assert "page=tillsync-queues" in mail["message"]


@pytest.mark.shops("mariadb")
async def test_refused_token_and_unusable_till_open_account_alerts(bridged: BridgedShop) -> None:
    site = bridged.site
    bridged.till.switches.api_key = "another key"
    await site.add_order(customer_id=await site.add_user("ada@example.test"), email="ada@example.test")
    await bridged.drain()

    async def paused() -> bool:
        account = await bridged.service.client.accounts.get_account(bridged.account_id)
        return account.HasField("problem")

    await site.until(paused)
    await site.php("do_action( 'tillsync_bridge_hourly' );")
    async with open_browser(site, await site.log_in()) as page:
        await page.goto("/wp-admin/plugins.php")
        notice = "Epos Now refused the API credentials. All customers and orders wait."
        await expect(page.locator(".tillsync-notice")).to_contain_text(notice)
        await page.goto(QUEUES)
        await expect(page.locator(".tillsync-problem")).to_contain_text("Everything waits")
        await picture(page, "queues-problem")
        tokens = [one async for one in bridged.service.client.accounts.list_tokens(account_id=bridged.account_id)]
        for token in tokens:
            await bridged.service.client.accounts.revoke_token(token.token_id, account_id=bridged.account_id)
        await site.add_order(email="x@example.test")

        async def refused() -> bool:
            await bridged.drain()
            return bool(
                await site.php("return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\OutboxPause::class )->since();")
            )

        await site.until(refused)
        await page.goto("/wp-admin/plugins.php")
        await expect(page.locator(".tillsync-notice", has_text="refuses this shop")).to_have_count(1)
