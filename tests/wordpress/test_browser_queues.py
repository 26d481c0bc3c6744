"""The queues page in a real browser: both queues, the outbox, filters, retries and an ended login."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect
from support.waiting import within
from tillsync.v1 import account_pb2, vocabulary_pb2
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import PHONE, open_browser, overflow, picture, serious_findings

QUEUES = "/wp-admin/admin.php?page=tillsync-queues"
DUPLICATE = "We could not auto-link the customer as there is more than one customer in EposNow with the same email address."
LOOKED_AT = """seen => {
    Object.defineProperty(document, 'hidden', { value: ! seen, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}"""
SILENT = """
    add_filter( 'pre_http_request', static function ( $done, $given, $url ) {
        file_put_contents( WP_CONTENT_DIR . '/asked.txt', (string) $given['timeout'] );
        return new WP_Error( 'http_request_failed', 'cURL error 28: Operation timed out' );
    }, 10, 3 );
"""
AWAY = """
    if ( isset( $_SERVER['HTTP_X_TILLSYNC_SIGNATURE'] ) ) {
        http_response_code( 503 );
        header( 'Content-Type: text/plain' );
        exit( 'The shop is being looked after.' );
    }
"""
"""The shop answers its visitors but not the service."""
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 2


async def held_orders(bridged: BridgedShop, *, count: int = 1, email: str = "ada@example.test", name: str = "Ada") -> list[int]:
    """Returns held orders of one shopper whom the till has twice."""
    for card in ("1001", "1002"):
        bridged.till.add_customer(forename=name, surname=f"Byron {card}", email=email, points=int(card), card_number=card)
    user = await bridged.site.add_user(email)
    orders = [await bridged.site.add_order(customer_id=user, email=email, first_name=name, last_name="Byron") for _ in range(count)]
    await bridged.drain()
    await until_held(bridged, count)
    return orders


async def until_held(bridged: BridgedShop, held: int) -> None:
    async def are_held() -> bool:
        return [entry.state for entry in await bridged.entries()].count(vocabulary_pb2.ENTRY_STATE_HELD) == held

    await bridged.site.until(are_held)


async def linked_by_an_order(bridged: BridgedShop) -> tuple[int, int, int]:
    """Returns Ada's till customer, her user id, and her processed order."""
    ada = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=5)
    user = await bridged.site.add_user("ada@example.test")
    order = await bridged.site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")
    await bridged.drain()
    await bridged.site.until(lambda: finished(bridged, order))
    return ada, user, order


async def opened(page: Page, query: str = "") -> None:
    await page.goto(QUEUES + query)
    if "tillsync-queues" not in page.url:  # a new WooCommerce shows its setup once
        await page.goto(QUEUES + query)
    await expect(page.get_by_role("tab", name="Orders Queue")).to_be_visible()
    await expect(page.locator(".tillsync-list")).not_to_contain_text("One moment")


async def test_row_of_a_held_order_shows_meaning_and_remedy(bridged: BridgedShop) -> None:
    [order] = await held_orders(bridged)
    waiting = await bridged.site.add_order(email="grace@example.test", first_name="Grace")
    session = await bridged.site.log_in()
    async with open_browser(bridged.site, session) as page:
        await opened(page)
        row = page.locator("tr[data-entry]")
        await expect(row).to_have_count(1)
        await expect(row.locator(".tillsync-comment").first).to_have_text(DUPLICATE)
        await expect(row).to_contain_text("Needs review")
        await expect(row).to_contain_text("At the service, waiting for a person")
        await expect(row).to_contain_text("What it means: The till has several customers with this email")
        await expect(row).to_contain_text("What to do: Choose the right customer here")
        await expect(row).to_contain_text("a•••@e•••.test")
        left = page.locator(f"tr[data-order='{waiting}']")
        await expect(left).to_contain_text("Has not left the shop")
        assert await overflow(page) == 0
        assert await serious_findings(page, "#tillsync-queues") == []
        await row.locator("summary").click()
        await expect(row.locator(".tillsync-attempts")).to_contain_text("Attempt 1")
        await expect(row.locator(".tillsync-attempts")).to_contain_text(DUPLICATE)
        await picture(page, "queues-desktop")

        await left.get_by_role("button", name="Send now").click()
        await expect(page.locator(".tillsync-said")).to_contain_text("Sent to the service.")
        await expect(left).to_have_count(0)
        # the guest's order goes to the default customer; an open row stays open while the page refreshes
        await bridged.site.until(lambda: finished(bridged, waiting))
        await page.evaluate("() => window.tillsyncQueues.refresh()")
        await expect(page.locator("tr[data-entry]")).to_have_count(2)
        await expect(page.locator("tr", has_text="Matched to the default customer")).to_contain_text("Answered")
        await expect(page.locator("tr", has_text=DUPLICATE).locator("details")).to_have_attribute("open", "")
    assert order != waiting


async def finished(bridged: BridgedShop, order: int) -> bool:
    return any(entry.order_id == order and entry.state == vocabulary_pb2.ENTRY_STATE_PROCESSED for entry in await bridged.entries())


@pytest.mark.shops("mariadb")
async def test_each_queue_shows_the_problems_of_the_sides_it_needs(bridged: BridgedShop) -> None:
    """First the shop is away, then the till refuses the key. Orders need only the till, customers both."""
    site, till = bridged.site, bridged.till
    ada, _, order = await linked_by_an_order(bridged)

    async def problems() -> list[account_pb2.AccountProblem]:
        return list((await bridged.service.client.accounts.get_account(bridged.account_id)).problems)

    async def are(count: int) -> bool:
        return len(await problems()) == count

    site.inject(AWAY)
    till.change_customer(ada, points=77)
    await bridged.service.client.sync.sync_customer(bridged.account_id, ada)
    await site.until(lambda: are(1))
    [of_shop] = await problems()
    async with open_browser(site, await site.log_in()) as page:
        problem = page.locator(".tillsync-problem")
        await opened(page)
        await expect(problem).to_be_empty()
        await page.get_by_role("tab", name="Customers Queue").click()
        await expect(problem).to_contain_text(of_shop.text)

        till.switches.api_key = "another-key"
        guest = await site.add_order(email="grace@example.test", first_name="Grace")
        await bridged.drain()
        await site.until(lambda: are(2))
        of_till = next(each for each in await problems() if each.side == vocabulary_pb2.SIDE_TILL)
        await page.get_by_role("tab", name="Orders Queue").click()
        await expect(problem).to_contain_text(of_till.text)
        await expect(problem).not_to_contain_text(of_shop.text)
        await picture(page, "queues-problem-of-the-till")
        await page.get_by_role("tab", name="Customers Queue").click()
        await expect(problem).to_contain_text(of_till.text)
        await expect(problem).to_contain_text(of_shop.text)
        assert await overflow(page) == 0
        assert await serious_findings(page, "#tillsync-queues") == []
        await picture(page, "queues-problems-of-both")
    assert guest != order


@pytest.mark.shops("mariadb")
async def test_customers_queue_filters_and_searches(bridged: BridgedShop) -> None:
    site, till = bridged.site, bridged.till
    ada, user, order = await linked_by_an_order(bridged)
    stranger = till.add_customer(forename="Grace", surname="Hopper", email="grace@example.test")
    await bridged.service.client.sync.sync_customer(bridged.account_id, stranger)

    async def both_ended() -> bool:
        entries = await bridged.entries(vocabulary_pb2.QUEUE_CUSTOMERS)
        return len(entries) == 2 and all(entry.finish_time.seconds for entry in entries)

    await site.until(both_ended)
    async with open_browser(site, await site.log_in()) as page:
        await opened(page)
        await page.get_by_role("tab", name="Orders Queue").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("tab", name="Customers Queue")).to_have_attribute("aria-selected", "true")
        rows = page.locator("tr[data-entry]")
        await expect(rows).to_have_count(2)
        await expect(page.get_by_role("tab", name="Customers Queue")).to_be_focused()
        await expect(page.locator("tr", has_text="Successfully Updated")).to_contain_text(str(ada))
        await page.get_by_label("Cause").select_option("OUTCOME_CUSTOMER_NOT_LINKED")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("Customer is not linked")
        await page.get_by_role("button", name="Show all").click()
        await page.get_by_label("State").select_option("processed")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("Successfully Updated")
        await page.get_by_role("button", name="Show all").click()
        for text, found in (
            (str(stranger), "Customer is not linked"),
            (str(user), "Successfully Updated"),
            ("ADA@example.test", "Successfully Updated"),
        ):
            await search(page, text)
            await expect(rows).to_have_count(1)
            await expect(rows).to_contain_text(found)
        await search(page, "nobody@example.test")
        await expect(page.locator(".tillsync-empty")).to_have_text("Nothing was found.")
        await page.get_by_role("button", name="Show all").click()
        await page.get_by_role("tab", name="Orders Queue").click()
        await search(page, f"#{order}")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("Matched by email")


@pytest.mark.shops("mariadb")
async def test_refresh_keeps_a_focus_that_moved_meanwhile(bridged: BridgedShop) -> None:
    await held_orders(bridged)
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        await opened(page)
        requested, may_answer = asyncio.Event(), asyncio.Event()

        async def hold(route: Route) -> None:
            requested.set()
            await may_answer.wait()
            await route.continue_()

        await page.route(lambda url: "queue=orders" in url and "state=held" in url, hold)
        await page.get_by_label("State").focus()
        await page.get_by_label("State").select_option("held")
        await within(requested.wait())
        await page.get_by_label("Email, order number or id").focus()
        may_answer.set()
        await expect(page.locator("tr[data-entry]")).to_have_count(1)
        await expect(page.get_by_label("Email, order number or id")).to_be_focused()


async def search(page: Page, text: str) -> None:
    await page.get_by_label("Email, order number or id").fill(text)
    await page.keyboard.press("Enter")


@pytest.mark.shops("sqlite", "real")
async def test_pages_turn_forward_and_back(bridged: BridgedShop) -> None:
    ids = [bridged.till.add_customer(forename="Many", surname=str(number), email="") for number in range(30)]
    await bridged.service.client.sync.sync_customers(bridged.account_id, ids)
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        await opened(page, "&queue=customers")
        rows = page.locator("tr[data-entry]")
        await expect(rows).to_have_count(25)
        await page.get_by_role("button", name="Next page").click()
        await expect(rows).to_have_count(5)
        await expect(page.get_by_role("button", name="Next page")).to_be_disabled()
        await page.get_by_role("button", name="Previous page").click()
        await expect(rows).to_have_count(25)


@pytest.mark.shops("mariadb")
async def test_entries_with_one_cause_are_counted_before_the_retry(bridged: BridgedShop) -> None:
    await held_orders(bridged, count=3)
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        await opened(page)
        row = page.locator("tr[data-entry]").first
        await row.get_by_role("button", name="Retry all with this cause").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("3 entries have this cause.")
        assert await serious_findings(page, "dialog") == []
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(row.get_by_role("button", name="Retry all with this cause")).to_be_focused()
        before = {entry.entry_id: entry.attempt_count for entry in await bridged.entries()}
        await row.get_by_role("button", name="Retry all with this cause").click()
        await dialog.get_by_role("button", name="Yes").click()
        await expect(page.locator(".tillsync-said")).to_contain_text("3 run again.")

        async def ran() -> bool:
            return all(len(entry.attempts) > 1 for entry in [await attempts_of(bridged, entry_id) for entry_id in before])

        await bridged.site.until(ran)
        await until_held(bridged, 3)
        await page.evaluate("() => window.tillsyncQueues.refresh()")
        await row.get_by_role("button", name="Close: ").click()
        await dialog.get_by_role("button", name="Yes").click()
        await expect(page.locator(".tillsync-said")).to_contain_text("Closed.")
        await expect(page.locator("tr", has_text="Dismissed")).to_have_count(1)


async def attempts_of(bridged: BridgedShop, entry_id: str) -> Any:
    return await bridged.service.client.queue.get_entry(bridged.account_id, entry_id)


@pytest.mark.shops("mariadb")
async def test_queues_page_fits_a_phone_and_right_to_left_with_long_words(bridged: BridgedShop) -> None:
    await held_orders(bridged, name=LONG)
    await bridged.site.add_order(email="x@example.test")
    # makes every screen of wp-admin right-to-left without a language pack
    bridged.site.inject("add_action( 'init', static function () { global $wp_locale; $wp_locale->text_direction = 'rtl'; }, 0 );")
    session = await bridged.site.log_in()
    for name, size in (("phone", PHONE), ("desktop", (1280, 900))):
        async with open_browser(bridged.site, session, size=size) as page:
            await opened(page)
            await expect(page.locator("html")).to_have_attribute("dir", "rtl")
            assert await overflow(page) == 0
            await picture(page, f"queues-rtl-{name}")
            await page.get_by_role("button", name="Choose the customer").click()
            await expect(page.get_by_role("dialog").locator(".tillsync-candidate")).to_have_count(2)
            assert await page.evaluate("() => { const d = document.querySelector('dialog'); return d.scrollWidth - d.clientWidth; }") == 0
            await picture(page, f"chooser-rtl-{name}", full=False)
    bridged.site.inject("global $wp_locale;", name="001")
    (bridged.site.content / "injected/000.php").unlink()
    async with open_browser(bridged.site, session, size=PHONE) as page:
        await opened(page)
        assert await overflow(page) == 0
        assert await serious_findings(page, "#tillsync-queues") == []
        await picture(page, "queues-phone")


@pytest.mark.shops("mariadb")
async def test_page_refreshes_only_while_it_is_visible(bridged: BridgedShop) -> None:
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url) if "tillsync-bridge/v1/queues?" in request.url else None)
        await page.clock.install()
        await opened(page)
        seen = len(requests)
        async with page.expect_response(lambda response: "/queues?" in response.url):
            await page.clock.run_for(15_500)
        assert len(requests) == seen + 1
        await page.evaluate(LOOKED_AT, False)
        await page.clock.run_for(120_000)
        assert len(requests) == seen + 1, "a hidden tab sends no request"
        async with page.expect_response(lambda response: "/queues?" in response.url):
            await page.evaluate(LOOKED_AT, True)


@pytest.mark.shops("mariadb")
async def test_expired_nonce_is_renewed_and_an_ended_login_is_reported(bridged: BridgedShop) -> None:
    await held_orders(bridged)
    session = await bridged.site.log_in()
    async with open_browser(bridged.site, session) as page:
        await opened(page)
        await page.evaluate("() => { window.wp.apiFetch.nonceMiddleware.nonce = '0123456789'; }")
        await page.get_by_role("button", name="Retry", exact=False).first.click()
        await expect(page.locator(".tillsync-said")).to_contain_text("run again.")
        await page.context.clear_cookies()
        await page.evaluate("() => window.tillsyncQueues.refresh()")
        await expect(page.get_by_role("alert")).to_contain_text("Your session has expired")
        await expect(page.get_by_role("button", name="Reload")).to_be_visible()


@pytest.mark.shops("mariadb")
async def test_outbox_rows_are_shown_without_the_service(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(email="x@example.test")
    site.inject(SILENT)
    async with open_browser(site, await site.log_in()) as page:
        await opened(page)
        await expect(page.get_by_role("alert")).to_contain_text("not reached")
        await expect(page.get_by_role("alert")).to_contain_text("This page shows only what the shop has stored.")
        await expect(page.locator(f"tr[data-order='{order}']")).to_contain_text("Has not left the shop")
        await picture(page, "queues-unreached")
    assert (site.content / "asked.txt").read_text(encoding="utf-8") == "3"
    (site.content / "asked.txt").unlink()


@pytest.mark.shops("mariadb")
async def test_markup_in_names_is_shown_as_text(bridged: BridgedShop) -> None:
    evil = "<img src=x onerror=window.hacked=1>"
    await held_orders(bridged, name=evil)
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        await opened(page, f"&search={json.dumps(evil)}")
        await page.get_by_role("button", name="Show all").click()
        await expect(page.locator("tr[data-entry]")).to_contain_text("<img")
        await page.get_by_role("button", name="Choose the customer").click()
        await expect(page.get_by_role("dialog")).to_contain_text("<img")
        assert await page.evaluate("() => window.hacked") is None
