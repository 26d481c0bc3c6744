"""Purchases through the classic and the block checkout, by HTTP requests without a browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import aiohttp
from wordpress.harness.shop import Session, Shop

ADDRESS = {
    "first_name": "Ada",
    "last_name": "Byron",
    "address_1": "1 High Street",
    "city": "London",
    "postcode": "SW1A 1AA",
    "country": "GB",
}
PHONE = "01632 960001"
PRODUCT = """
    if ( ! class_exists( 'WC_Product_Simple' ) ) { return 0; }
    $product = new WC_Product_Simple();
    $product->set_name( 'Teapot' );
    $product->set_regular_price( '10' );
    $product->set_virtual( true );
    $product->save();
    $page = get_option( 'woocommerce_checkout_page_id' );
    wp_update_post( array( 'ID' => $page, 'post_content' => '[woocommerce_checkout]' ) );
    return $product->get_id();
"""


@dataclass(frozen=True)
class Purchase:
    status: int
    """HTTP status; 200 when the order was placed."""
    seconds: float
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def order_id(self) -> int:
        return int(self.json["order_id"])


class Shopper:
    """Cookies of one shopper: of ``session``, or of a guest. Each purchase buys one teapot."""

    def __init__(self, site: Shop, session: Session | None = None) -> None:
        self._site = site
        self._session = session
        self._product: int | None = None

    async def buy(
        self, email: str, *, block: bool, during: Callable[[], AbstractContextManager[None]] = nullcontext, **billing: str
    ) -> Purchase:
        """Buys. ``during`` is active only while the order is placed."""
        if self._product is None:
            self._product = await self._site.php(PRODUCT)
        address = {**ADDRESS, "email": email, **billing}
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(force_close=True)) as client:
            headers: dict[str, str] = {}
            if self._session is not None:
                jar.update_cookies(dict(self._session.cookies))
                headers = self._session.rest_headers
            send = await (self._block(client, address, headers) if block else self._classic(client, address))
            with during():
                return await self._timed(send)

    async def _block(self, client: aiohttp.ClientSession, address: Mapping[str, str], headers: dict[str, str]) -> Any:
        store = f"{self._site.url}/wp-json/wc/store/v1"
        if self._product:
            async with client.get(f"{store}/cart", headers=headers) as cart:
                await cart.read()  # read to the end, because the session is stored after the response
                headers = {**headers, "Nonce": cart.headers["Nonce"], "Cart-Token": cart.headers["Cart-Token"]}
            async with client.post(f"{store}/cart/add-item", json={"id": self._product, "quantity": 1}, headers=headers) as added:
                text = await added.text()
                assert added.status == 201, text
        async with client.get(f"{store}/checkout", headers=headers) as draft:
            text = await draft.text()
            assert draft.status == 200, text
        shipping = {name: value for name, value in address.items() if name != "email"}
        # WooCommerce requires the phone in the block checkout too when the checkout page has the classic one
        content = {"billing_address": {"phone": PHONE, **address}, "shipping_address": shipping, "payment_method": "cod"}
        return client.post(f"{store}/checkout", json=content, headers=headers)

    async def _classic(self, client: aiohttp.ClientSession, address: Mapping[str, str]) -> Any:
        form = {f"billing_{name}": value for name, value in address.items()} | {"payment_method": "cod", "terms": "1"}
        if self._product:
            async with client.get(f"{self._site.url}/?add-to-cart={self._product}") as added:
                await added.read()
                assert added.status == 200, added.url
            async with client.get(f"{self._site.url}/checkout/") as page:
                nonce = (await page.text()).partition('name="woocommerce-process-checkout-nonce" value="')[2].partition('"')[0]
            assert nonce, "the checkout page has no form"
            form |= {"woocommerce-process-checkout-nonce": nonce, "billing_phone": form.get("billing_phone", PHONE)}
        return client.post(f"{self._site.url}/?wc-ajax=checkout", data=form)

    async def _timed(self, request: Any) -> Purchase:
        began = time.monotonic()
        async with request as answer:
            text = await answer.text(errors="replace")
            return Purchase(answer.status, time.monotonic() - began, text)
