"""Purchases in a real browser, through both checkouts of the real WooCommerce, until the till has the shopper."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.browser import PHONE, open_browser, picture
from wordpress.harness.shop import Shop

pytestmark = pytest.mark.shops("real")

SHOP_WINDOW = """
    $product = new WC_Product_Simple();
    $product->set_name( 'Teapot' );
    $product->set_regular_price( '10' );
    $product->set_virtual( true );
    $product->save();
    if ( $classic ) {
        wp_update_post( array( 'ID' => get_option( 'woocommerce_checkout_page_id' ), 'post_content' => '[woocommerce_checkout]' ) );
    }
    return $product->get_id();
"""
FIELDS = {"First name": "Ada", "Last name": "Byron", "Address": "1 High Street", "City": "London", "Postcode": "SW1A 1AA"}
CLASSIC = {"first_name": "Ada", "last_name": "Byron", "address_1": "1 High Street", "city": "London", "postcode": "SW1A 1AA"}


async def newest_order(site: Shop) -> int:
    code = "return (int) ( wc_get_orders( array( 'limit' => 1, 'orderby' => 'ID', 'order' => 'DESC', 'return' => 'ids' ) )[0] ?? 0 );"
    found: int = await site.php(code)
    return found


async def block_form(page: Page, email: str) -> None:
    # the form is visible before its script controls it, and earlier input is lost
    await expect(page.get_by_role("button", name="Place Order")).to_be_enabled()
    await page.get_by_label("Email address").fill(email)
    edit = page.get_by_role("button", name="Edit billing address")
    if await edit.is_visible():
        await edit.click()
    for label, text in FIELDS.items():
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_role("button", name="Place Order").click()


async def classic_form(page: Page, email: str) -> None:
    for name, text in CLASSIC.items():
        await page.locator(f"#billing_{name}").fill(text)
    await page.locator("#billing_phone").fill("01632 960001")
    await page.locator("#billing_email").fill(email)
    await expect(page.locator(".blockUI")).to_have_count(0)
    await page.locator("#place_order").click()


@pytest.mark.parametrize("shopper", [True, False], ids=["shopper", "guest"])
@pytest.mark.parametrize("kind", ["block", "classic"])
async def test_purchase_gets_its_till_customer(bridged: BridgedShop, kind: str, shopper: bool) -> None:
    site = bridged.site
    product = await site.php(SHOP_WINDOW, classic=kind == "classic")
    user = await site.add_user("ada@example.test") if shopper else 0
    session = await site.log_in(user) if shopper else None
    async with open_browser(site, session, size=PHONE if shopper else (1280, 900)) as page:
        await page.goto(f"/?add-to-cart={product}")
        await page.goto("/checkout/")
        await (block_form if kind == "block" else classic_form)(page, "ada@example.test")
        await page.wait_for_url("**/order-received/**", timeout=60_000)
        await expect(page.get_by_text("Thank you. Your order has been received.")).to_be_visible()
        await picture(page, f"checkout-{kind}-{'shopper' if shopper else 'guest'}-{site.kind.name}")
    order = await newest_order(site)
    assert [row["state"] for row in await site.rows("SELECT state FROM {prefix}tillsync_outbox")] == ["waiting"]

    async def answer() -> dict[str, str] | None:
        await bridged.drain()
        found: dict[str, str] | None = (await site.order_meta(order)).get("_tillsync_answer")
        return found if found and found["state"] == "ENTRY_STATE_PROCESSED" else None

    answered = await site.until(answer)
    if not shopper:
        assert answered["epos_customer_id"] == str(bridged.default_customer)
        return
    customer = bridged.till.store.customers[int(answered["epos_customer_id"])]
    assert (customer.forename, customer.surname, customer.email_address) == ("Ada", "Byron", "ada@example.test")
    link = await bridged.service.client.links.get_link(bridged.account_id, woo_customer_id=user)
    assert str(link.epos_customer_id) == answered["epos_customer_id"]
