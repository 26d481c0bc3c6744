"""Connects and disconnects shops. A bridge introduces its shop, and the service calls it back before it stores anything. A disconnect
removes the secret and revokes the token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from tillsync_server.application.use_cases.account_fields import bridge_secret
from tillsync_server.application.use_cases.authentication import unknown_token
from tillsync_server.application.use_cases.upstream_reasons import SHOP_TOO_SLOW, reason_of
from tillsync_server.domain.account import DEFAULT_PRICE_DECIMALS, Account
from tillsync_server.domain.base_urls import origin_of, shop_base_url
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import FailedPrecondition, FieldViolation, InvalidArgument, Misaddressed, Unreachable, UpstreamError
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Caller
from tillsync_server.ports.accounts import AccountStore, TokenStore
from tillsync_server.ports.shop import ShopGateway, ShopStatus

_LOG = structlog.get_logger(__name__)
CALL_BACK_SECONDS = 50.0
"""Time limit of all requests to the shop: every form of its address, and a second attempt where seconds can help."""
_REST_ADDRESS = re.compile(r"(?P<base>https?://[^?#]*?)/?(?:(?:/index\.php)?/wp-json/?|/(?:index\.php)?\?rest_route=/?)", re.IGNORECASE)


_REMEDIES = {
    "SHOP_UNREACHABLE": "this service must be able to reach the shop: check its name, its certificate and its firewall",
    SHOP_TOO_SLOW: "try again; when it stays slow, ask its host why",
    "SHOP_MOVED": "correct the site's address in the settings of WordPress",
}
"""Remedies that the adapter's text does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopIntroduction:
    """A shop as its bridge introduces it. ``rest_url``: the result of WordPress's rest_url(), or empty."""

    account_id: AccountId
    base_url: str
    bridge_secret: str = field(repr=False)
    rest_url: str = ""


class ShopConnection:
    def __init__(
        self, accounts: AccountStore, shops: ShopGateway, tokens: TokenStore, *, call_back_seconds: float = CALL_BACK_SECONDS
    ) -> None:
        self._accounts = accounts
        self._shops = shops
        self._tokens = tokens
        self._call_back_seconds = call_back_seconds

    async def connect(self, shop: ShopIntroduction) -> Account:
        """Connects the shop and returns its account. Raises InvalidArgument, NotFound, FailedPrecondition (SHOP_…). The last one means that
        the bridge did not answer correctly with the new secret, and that nothing is stored."""
        addresses = _checked_addresses(shop)
        present = await self._accounts.get(shop.account_id)
        base_url, status = await self._call_back(present, addresses, shop.bridge_secret)
        change = _with_shop(base_url, shop.bridge_secret, status.price_decimals)
        changed = await self._accounts.update(shop.account_id, change)
        _LOG.info(
            "shop_connected",
            account_id=shop.account_id,
            bridge_version=status.bridge_version,
            bridge_api=status.api,
            wordpress=status.wordpress,
            woocommerce=status.woocommerce,
        )
        return changed.account

    async def disconnect(self, account_id: AccountId, caller: Caller) -> bool:
        """Disconnects the shop. Returns whether the caller's token was revoked, which is the last step; only a SITE token is the shop's
        own. A repeated call with the revoked token returns the same, as long as no shop has connected since. Raises NotFound,
        Unauthenticated."""
        # invariant: a-revoked-token-disconnects-no-shop
        if caller.is_revoked:
            return await self._was_disconnected(account_id)

        def change(present: Account) -> Account:
            return replace(present, shop=replace(present.shop, bridge_secret=""))

        await self._accounts.update(account_id, change)
        _LOG.info("shop_disconnected", account_id=account_id)
        if caller.role is not Role.SITE:
            return False
        await self._tokens.revoke(caller.account_id, caller.token_id)
        return True

    async def _was_disconnected(self, account_id: AccountId) -> bool:
        if (await self._accounts.get(account_id)).shop.has_bridge:
            raise unknown_token()
        return True

    async def _call_back(self, present: Account, addresses: tuple[str, ...], secret: str) -> tuple[str, ShopStatus]:
        """Returns the first address whose bridge answers, and its status. Otherwise raises the error of the first address, which is the
        home address."""
        first_error: UpstreamError | None = None
        try:
            async with asyncio.timeout(self._call_back_seconds):
                for base_url in addresses:
                    candidate = _with_shop(base_url, secret)(present)
                    try:
                        return base_url, await self._shops.client(candidate).status()
                    except UpstreamError as error:
                        first_error = first_error or error
                        if not isinstance(error, Misaddressed | Unreachable):
                            break
        except TimeoutError as error:
            raise _too_slow(self._call_back_seconds) from error
        assert first_error is not None
        _LOG.info("shop_not_connected", account_id=present.account_id, error=type(first_error).__name__, http_status=first_error.status)
        raise _not_connected(first_error) from first_error


def _checked_addresses(shop: ShopIntroduction) -> tuple[str, ...]:
    violations: list[FieldViolation] = []
    addresses: list[str] = []
    for name, url in (("base_url", shop.base_url), ("rest_url", _base_of_rest(shop.rest_url))):
        try:
            if url:
                addresses.append(shop_base_url(url))
        except ValueError as error:
            violations.append(FieldViolation(name, str(error)))
    try:
        bridge_secret(shop.bridge_secret)
    except ValueError as error:
        violations.append(FieldViolation("bridge_secret", str(error)))
    if not shop.base_url:
        violations.append(FieldViolation("base_url", "is required"))
    if violations:
        raise InvalidArgument(violations)
    return tuple(dict.fromkeys(addresses))


def _base_of_rest(rest_url: str) -> str:
    """Returns the address of the site with this REST API. It is empty for a site's own prefix, because ``?rest_route=`` at the home address
    finds that API."""
    found = _REST_ADDRESS.fullmatch(rest_url)
    return found["base"] if found else ""


def _with_shop(base_url: str, secret: str, price_decimals: int = DEFAULT_PRICE_DECIMALS) -> Callable[[Account], Account]:
    def change(present: Account) -> Account:
        shop = replace(present.shop, base_url=base_url, bridge_secret=secret, price_decimals=price_decimals)
        if origin_of(present.shop.base_url) != origin_of(base_url):  # keys are never sent to an origin for which they were not given
            shop = replace(shop, consumer_key="", consumer_secret="")
        return replace(present, shop=shop)

    return change


def _not_connected(error: UpstreamError) -> FailedPrecondition:
    metadata = {}
    if error.status is not None:
        metadata["http_status"] = str(error.status)
    if error.retry_after_seconds:
        metadata["retry_after_seconds"] = str(round(error.retry_after_seconds))
    reason = reason_of(error)
    text = error.text or "the shop did not answer as it should"
    remedy = _REMEDIES.get(reason, "")
    return FailedPrecondition(f"{text}; {remedy}" if remedy else text, reason=reason, metadata=metadata)


def _too_slow(seconds: float) -> FailedPrecondition:
    text = f"the shop did not answer within {seconds:.0f} seconds; try again, and when it stays slow, ask its host why"
    return FailedPrecondition(text, reason=SHOP_TOO_SLOW)
