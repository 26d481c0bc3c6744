"""Save saves, and every other button of the settings screen does what it says, at the first press of a hand.

WooCommerce's own script asks before a changed page is left. On a real WooCommerce that script is there; the stand-in has one like it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Locator, Page, expect
from support.postgres import TestDatabase
from support.waiting import until
from tillsync.v1 import account_pb2
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.browser import HELD_SECONDS, open_browser, press, questions_of
from wordpress.harness.shop import Shop
from wordpress.test_browser_settings import SCREEN

pytestmark = pytest.mark.shops("mariadb")

LEAVING = "beforeunload"
BOXES = (
    "Sync customers with the till",
    "First and last name",
    "Phone",
    "Link customers automatically",
)
OTHER_BUTTONS = (
    "Test connection",
    "Count orders",
    "Preview changes",
    "Reload settings",
    "Renew connection key",
)


@asynccontextmanager
async def settings_screen(bridged: BridgedShop) -> AsyncIterator[tuple[Page, list[str]]]:
    """The screen, and the dialog types that the browser opened."""
    async with open_browser(bridged.site, await bridged.site.log_in()) as page:
        questions = questions_of(page)
        await page.goto(SCREEN)
        yield page, questions


async def test_one_press_saves_typed_values(bridged: BridgedShop) -> None:
    """The field fires its change event only when the pointer goes down on Save. The effect of that event must not move the button."""
    other = bridged.till.add_customer(forename="Counter", surname="Sales", email="counter@example.test")
    async with settings_screen(bridged) as (page, questions):
        for number in (other, bridged.default_customer):
            field = page.get_by_label("Default till customer", exact=True)
            await field.press("ControlOrMeta+a")
            await page.keyboard.type(str(number))
            await press(page, page.get_by_role("button", name="Save changes", exact=True))
            await expect(page.get_by_text("Your settings have been saved")).to_be_visible()
            account = await bridged.service.client.accounts.get_account(bridged.account_id)
            assert account.default_epos_customer_id == number
            await page.goto(SCREEN)
        assert questions == []


@pytest.mark.parametrize("label", BOXES)
async def test_one_press_saves_a_checkbox(bridged: BridgedShop, label: str) -> None:
    async with settings_screen(bridged) as (page, questions):
        box = page.get_by_label(label, exact=True)
        wanted = not await box.is_checked()
        await press(page, box)
        await press(page, page.get_by_role("button", name="Save changes", exact=True))
        await expect(page.get_by_text("Your settings have been saved")).to_be_visible()
        await page.goto(SCREEN)
        await expect(page.get_by_label(label, exact=True)).to_be_checked(checked=wanted)
        assert questions == []


async def place_on_the_page(element: Locator) -> list[float]:
    """Returns the element's position on the page, independent of scrolling."""
    place: list[float] = await element.evaluate("one => [one.getBoundingClientRect().x, one.getBoundingClientRect().y + window.scrollY]")
    return place


async def test_effect_moves_no_button(bridged: BridgedShop) -> None:
    async with settings_screen(bridged) as (page, _):
        save = page.get_by_role("button", name="Save changes", exact=True)
        older = page.get_by_role("button", name="Start import", exact=True)
        places = [await place_on_the_page(save), await place_on_the_page(older)]
        await page.get_by_label("Phone", exact=True).check()
        await expect(page.locator(".tillsync-effect")).not_to_have_text("")
        await page.get_by_label("Guest orders").select_option(index=2)
        await expect(page.locator(".tillsync-effect")).not_to_have_text("One moment …")
        assert [await place_on_the_page(save), await place_on_the_page(older)] == places


async def test_response_during_a_press_is_shown_after_it(bridged: BridgedShop) -> None:
    async with settings_screen(bridged) as (page, _):
        effect = page.locator(".tillsync-effect")
        await page.get_by_label("Default till customer", exact=True).fill("77")
        answers: list[str] = []
        page.on("response", lambda response: answers.append(response.url))
        box = await page.get_by_role("heading", name="Import past orders").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + 5, box["y"] + 5)
        await page.mouse.down()  # the field fires its change event, and the preview's response arrives while the pointer is down
        assert await effect.text_content() == ""
        await page.mouse.up()
        await expect(effect).not_to_have_text("")
        await until(lambda: any("settings/preview" in url for url in answers), lambda: answers)


async def test_one_press_connects_the_shop(wp_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(wp_site, database.dsn, connect=False) as bridged, settings_screen(bridged) as (page, questions):
        await page.get_by_label("Connection key").focus()
        await page.keyboard.insert_text(bridged.connect_string)
        await press(page, page.get_by_role("button", name="Connect", exact=True))
        await expect(page.get_by_role("status").first).to_contain_text("Connected to")
        assert questions == []


@pytest.mark.parametrize("name", OTHER_BUTTONS)
async def test_other_buttons_open_no_dialog_and_keep_unsaved_values(bridged: BridgedShop, name: str) -> None:
    """They post the form and reload the page. Unsaved values stay unsaved. "Reload settings" shows the stored ones."""
    async with settings_screen(bridged) as (page, questions):
        await page.get_by_label("First and last name", exact=True).check()
        await page.get_by_label("Match orders from the last days:").fill("12")
        loads: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        await press(page, page.get_by_role("button", name=name, exact=True))
        if name != "Preview changes":
            await until(lambda: loads, lambda: page.url)
        kept = name != "Reload settings"
        await expect(page.get_by_label("First and last name", exact=True)).to_be_checked(checked=kept)
        if kept and loads:
            await expect(page.get_by_text("The settings below are not saved yet.")).to_be_visible()
            await press(page, page.get_by_role("button", name="Save changes", exact=True))
            await expect(page.get_by_text("Your settings have been saved")).to_be_visible()
            assert (await bridged.service.client.accounts.get_account(bridged.account_id)).sync_names
        assert questions == []


async def test_leaving_with_unsaved_values_opens_a_dialog(bridged: BridgedShop) -> None:
    """WooCommerce, or its stand-in, does this. Without it the tests above would prove nothing."""
    async with settings_screen(bridged) as (page, questions):
        await press(page, page.get_by_label("Phone", exact=True))
        await page.evaluate("() => { location.href = '/wp-admin/index.php'; }")
        await until(lambda: questions, lambda: page.url)
        assert questions == [LEAVING]


async def test_refused_values_stay_in_the_form(bridged: BridgedShop) -> None:
    async with settings_screen(bridged) as (page, _):
        linked = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test")
        user = await bridged.site.add_user("ada@example.test")
        await bridged.service.client.links.create_link(bridged.account_id, linked, user)
        await page.get_by_label("Default till customer", exact=True).fill(str(linked))
        await press(page, page.get_by_role("button", name="Save changes", exact=True))
        await expect(page.get_by_text("The settings below are not saved yet.")).to_be_visible()
        await expect(page.get_by_label("Default till customer", exact=True)).to_have_value(str(linked))


async def test_new_link_meanwhile_needs_no_second_press(bridged: BridgedShop) -> None:
    """The link changes the account's etag and none of these settings."""
    async with settings_screen(bridged) as (page, _):
        await page.get_by_label("Phone", exact=True).check()
        user = await bridged.site.add_user("ada@example.test")
        await bridged.service.client.links.create_link(bridged.account_id, bridged.till.add_customer(email="ada@example.test"), user)
        await press(page, page.get_by_role("button", name="Save changes", exact=True))
        await expect(page.get_by_text("Your settings have been saved")).to_be_visible()
        assert (await bridged.service.client.accounts.get_account(bridged.account_id)).sync_phone
        await expect(page.get_by_text("Somebody else")).to_have_count(0)


async def test_conflicting_change_is_shown_with_the_own_changes(bridged: BridgedShop) -> None:
    accounts = bridged.service.client.accounts
    async with settings_screen(bridged) as (page, _):
        await page.get_by_label("Phone", exact=True).check()
        await accounts.update_account(bridged.account_id, account_pb2.Account(sync_names=True), ["sync_names"])
        await press(page, page.get_by_role("button", name="Save changes", exact=True))
        await expect(page.get_by_text("Another user has changed these settings meanwhile.")).to_be_visible()
        assert not (await accounts.get_account(bridged.account_id)).sync_phone
        for label in ("Phone", "First and last name"):
            await expect(page.get_by_label(label, exact=True)).to_be_checked()
        await press(page, page.get_by_role("button", name="Save changes", exact=True))

        async def both_are_saved() -> bool:
            account = await accounts.get_account(bridged.account_id)
            return (account.sync_phone, account.sync_names) == (True, True)

        await until(both_are_saved, lambda: accounts.get_account(bridged.account_id))
        await expect(page.get_by_text("Somebody else")).to_have_count(0)


async def test_refreshed_row_keeps_its_button_during_a_press(bridged: BridgedShop) -> None:
    """The queues page refreshes itself. A response that arrives during a press must not remove the button."""
    site = bridged.site
    bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test")
    bridged.till.add_customer(forename="Ada", surname="Twin", email="ada@example.test")
    user = await site.add_user("ada@example.test")
    await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")
    await bridged.drain()

    async def is_held() -> bool:
        return any(entry.comment for entry in await bridged.entries())

    await until(is_held, bridged.entries)
    async with open_browser(site, await site.log_in()) as page:
        await page.goto("/wp-admin/admin.php?page=tillsync-queues")
        button = page.get_by_role("button", name="Choose", exact=False).first
        await expect(button).to_be_visible()
        box = await button.bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + 5, box["y"] + 5)
        await page.mouse.down()
        [entry] = await bridged.entries()
        assert [done async for done in bridged.service.client.queue.retry(bridged.account_id, entry_ids=[entry.entry_id])] != []
        async with page.expect_response(lambda response: "queues?" in response.url):
            await page.evaluate("() => { window.tillsyncQueues.refresh(); }")
        await asyncio.sleep(HELD_SECONDS)
        await page.mouse.up()
        await expect(page.get_by_role("dialog")).to_be_visible()
