"""wc/v3 with consumer keys, of the real WooCommerce where it is available, and otherwise of the service's emulator of a shop."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
from tillsync_sandbox import SandboxShop
from tillsync_sandbox.shop import KeyOwner, Permalinks
from tillsync_server.adapters.woo.signing import BasicKeys, OAuthKeys
from wordpress.harness.shop import Reply, Shop
from yarl import URL

KEY = """
    global $wpdb;
    $wpdb->insert( "{$wpdb->prefix}woocommerce_api_keys", array(
        'user_id' => $owner, 'description' => 'tests', 'permissions' => 'read_write',
        'consumer_key' => wc_api_hash( $key ), 'consumer_secret' => $secret, 'truncated_key' => substr( $key, -7 ),
    ) );
"""
ANOTHER_HOME = "www.shop.example.test"


@dataclass(frozen=True)
class Key:
    key: str
    secret: str


class KeyedShop(Protocol):
    """A shop with wc/v3. ``customer`` and ``administrator`` are user ids; the administrator is a customer too."""

    @property
    def origin(self) -> str: ...

    customer: int
    administrator: int

    async def key_of(self, owner: KeyOwner) -> Key: ...

    async def owner_is_gone(self) -> None:
        """Deletes the user who owns the administrator's key."""
        ...

    def php_sees_tls(self) -> None: ...

    async def has_plain_permalinks(self) -> None: ...

    async def home_is(self, host: str) -> None: ...

    async def metas(self, user_id: int) -> Mapping[str, Any]: ...


@dataclass
class EmulatedShop:
    sandbox: SandboxShop
    origin: str = field(init=False)
    customer: int = field(init=False)
    administrator: int = field(init=False)

    def __post_init__(self) -> None:
        self.origin = self.sandbox.origin
        self.customer = self.sandbox.add_customer(email="ada@example.test", first_name="Ada")
        self.administrator = self.sandbox.add_customer(email="boss@example.test", role="administrator")

    async def key_of(self, owner: KeyOwner) -> Key:
        self.sandbox.switches.key_owner = owner
        return Key(self.sandbox.switches.consumer_key, self.sandbox.switches.consumer_secret)

    async def owner_is_gone(self) -> None:
        self.sandbox.switches.consumer_key = "ck_nobody_has_it"

    def php_sees_tls(self) -> None:
        self.sandbox.switches.https_seen = True

    async def has_plain_permalinks(self) -> None:
        self.sandbox.switches.permalinks = Permalinks.PLAIN

    async def home_is(self, host: str) -> None:
        self.sandbox.switches.home_host = host

    async def metas(self, user_id: int) -> Mapping[str, Any]:
        return self.sandbox.metas(user_id)


@dataclass
class RealShop:
    site: Shop
    customer: int
    administrator: int
    owner: int

    @property
    def origin(self) -> str:
        return self.site.url

    async def key_of(self, owner: KeyOwner) -> Key:
        made = Key(f"ck_{secrets.token_hex(20)}", f"cs_{secrets.token_hex(20)}")
        user = self.owner if owner is KeyOwner.ADMINISTRATOR else await self.site.add_user(role="shop_manager")
        await self.site.php(KEY, owner=user, key=made.key, secret=made.secret)
        return made

    async def owner_is_gone(self) -> None:
        await self.site.php("require_once ABSPATH . 'wp-admin/includes/user.php'; wp_delete_user( $id );", id=self.owner)

    def php_sees_tls(self) -> None:
        self.site.inject("$_SERVER['HTTPS'] = 'on';")

    async def has_plain_permalinks(self) -> None:
        await self.site.php("update_option( 'permalink_structure', '' ); delete_option( 'rewrite_rules' );")

    async def home_is(self, host: str) -> None:
        await self.site.php("update_option( 'home', $home );", home=f"http://{host}")

    async def metas(self, user_id: int) -> Mapping[str, Any]:
        found: dict[str, Any] = await self.site.php("return array_map( 'reset', get_user_meta( $id ) );", id=user_id)
        return found


@asynccontextmanager
async def keyed_shop(site: Shop) -> AsyncIterator[KeyedShop]:
    if site.kind.real:
        people = [await site.add_user(email, role=role, first_name="Ada") for email, role in PEOPLE]
        yield RealShop(site, *people)
        return
    async with SandboxShop() as sandbox:
        yield EmulatedShop(sandbox)


PEOPLE = (("ada@example.test", "customer"), ("boss@example.test", "administrator"), ("owner@example.test", "administrator"))


@dataclass(frozen=True)
class Caller:
    """Signs as the service does. ``signed_for`` is the origin in the signature, if it differs from the request's."""

    shop: KeyedShop
    key: Key

    async def basic(self, method: str, path: str, content: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        signer = BasicKeys(self.key.key, self.key.secret)
        _, signed = signer.sign(URL(self.shop.origin), sent_method=method, method=method, route="", body=b"")
        return await send(method, URL(self.shop.origin + path, encoded=True), content, {**signed, **(headers or {})})

    async def oauth(self, method: str, path: str, content: Any = None, *, signed_for: str = "") -> Reply:
        signer = OAuthKeys(self.key.key, self.key.secret)
        url = URL((signed_for or self.shop.origin) + path, encoded=True)
        signed, _ = signer.sign(url, sent_method=method, method=method, route="", body=b"")
        return await send(method, URL(self.shop.origin + signed.raw_path_qs, encoded=True), content, {})


async def send(method: str, url: URL, content: Any, headers: Mapping[str, str]) -> Reply:
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.request(method, url, json=content, headers=headers, allow_redirects=False) as answer,
    ):
        return Reply(answer.status, dict(answer.headers), await answer.text(errors="replace"))
