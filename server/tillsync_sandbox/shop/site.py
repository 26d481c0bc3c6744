"""A WordPress site. It passes a request through the layers of a real site, in their order, to WooCommerce or the bridge."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tillsync_sandbox.shop.bridge import NAMESPACE as BRIDGE_NAMESPACE
from tillsync_sandbox.shop.bridge import BridgePlugin
from tillsync_sandbox.shop.customers import CustomersController
from tillsync_sandbox.shop.failure_modes import failure_answer, firewall_page, with_stray_output
from tillsync_sandbox.shop.rest import (
    RestError,
    RestRequest,
    html_response,
    json_response,
    keep_fields,
    no_route,
    page_not_found,
    rest_request,
)
from tillsync_sandbox.shop.stored import ShopStore
from tillsync_sandbox.shop.switches import FailureMode, Permalinks, ShopSwitches
from tillsync_sandbox.shop.woo_auth import KeyCheck


class WordPressSite:
    def __init__(self, store: ShopStore, switches: ShopSwitches, origin: str) -> None:
        """``origin`` is the scheme, host and port of the server. It is also the home address, unless ``home_host`` is set."""
        self._switches = switches
        self._origin = origin
        self._keys = KeyCheck(switches)
        self._store = store

    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """Answers a request. Order: host (latency, firewall) → web server and caches (:class:`FailureMode`) → WordPress."""
        if self._switches.latency_seconds:
            await asyncio.sleep(self._switches.latency_seconds)
        if self._switches.firewall_refuses_put_and_delete and request.method in ("PUT", "PATCH", "DELETE"):
            return firewall_page()
        failure = failure_answer(self._switches, request.path_qs)
        if failure is not None:
            return failure
        return with_stray_output(await self._wordpress(request, body), self._switches)

    async def _wordpress(self, request: web.Request, body: bytes) -> web.Response:
        try:
            rest = rest_request(request, body, self._switches.permalinks)
            if rest is not None:
                return await self._dispatch(rest)
        except RestError as error:
            return error.response()
        if request.path in ("/", "/index.php"):
            return html_response(200, "Sandbox shop", "Welcome to our shop.")
        if self._switches.permalinks is Permalinks.PLAIN_REWRITTEN:
            return self._redirect_canonical(request)
        return page_not_found()

    def _redirect_canonical(self, request: web.Request) -> web.Response:
        """Answers as redirect_canonical does for an address without a rewrite rule."""
        path = request.path.removeprefix("/index.php")
        if request.path == path and path.endswith("/"):
            return html_response(200, "Sandbox shop", "Welcome to our shop.")
        return html_response(301, "Moved", "It moved.", {"Location": f"{self._home_url}{path.rstrip('/')}/"})

    async def _dispatch(self, rest: RestRequest) -> web.Response:
        caller = self._keys.caller(rest, with_header=self._switches.trouble is not FailureMode.HEADER_STRIPPED)
        if caller is not None:
            caller.check_method(rest.method)
        if rest.route == "/" and rest.method == "GET":
            return json_response(keep_fields(self._index(), rest.query.get("_fields", "")))
        if rest.route == "/wc/v3/customers" or rest.route.startswith("/wc/v3/customers/"):
            return await CustomersController(self._store, self._switches, self._rest_url).handle(rest, caller)
        if rest.route.startswith(f"/{BRIDGE_NAMESPACE}/") and self._switches.bridge_installed:
            return await BridgePlugin(self._store, self._switches, self._home_url).handle(rest)
        raise no_route()

    def _index(self) -> dict[str, object]:
        namespaces = ["oembed/1.0", "wc/v1", "wc/v2", "wc/v3", "wc/store", "wc/store/v1", "wp/v2", "wp-site-health/v1"]
        if self._switches.bridge_installed:
            namespaces.append(BRIDGE_NAMESPACE)
        return {
            "name": "Sandbox shop",
            "description": "",
            "url": self._home_url,
            "home": self._home_url,
            "gmt_offset": "0",
            "timezone_string": "Europe/London",
            "page_for_posts": 0,
            "page_on_front": 0,
            "show_on_front": "posts",
            "namespaces": namespaces,
            "authentication": {
                "application-passwords": {"endpoints": {"authorization": f"{self._home_url}/wp-admin/authorize-application.php"}}
            },
            "routes": {f"/{namespace}": {"namespace": namespace, "methods": ["GET"]} for namespace in namespaces},
        }

    @property
    def _home_url(self) -> str:
        scheme, _, host = self._origin.partition("://")
        return f"{'https' if self._switches.https_seen else scheme}://{self._switches.home_host or host}"

    @property
    def _rest_url(self) -> str:
        plain = self._switches.permalinks is not Permalinks.PRETTY
        return f"{self._home_url}/index.php?rest_route=" if plain else f"{self._home_url}/wp-json"
