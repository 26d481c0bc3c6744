"""Request signers: the bridge's HMAC, or WooCommerce's consumer keys (Basic over TLS, OAuth 1.0a without TLS)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from enum import Enum, auto
from typing import Any, Protocol, cast

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, SIGNATURE_TYPE_QUERY, Client
from yarl import URL

from tillsync_server.adapters.woo.rest_address import RestForm
from tillsync_server.domain.account import ShopSettings
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import CredentialsRefused

SIGNATURE_VERSION = "v1"


class Surface(Enum):
    """The routes of the shop that a client uses. They decide the meaning and remedy of a refusal."""

    BRIDGE = auto()
    KEYS = auto()


class RequestSigner(Protocol):
    @property
    def surface(self) -> Surface: ...

    @property
    def forms(self) -> tuple[RestForm, ...]:
        """Address forms on which the shop recognises these credentials, best first."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not appear in an error or a note."""
        ...

    @property
    def is_single_use(self) -> bool:
        """Whether the shop accepts a signature only once. aiohttp resends a PUT or DELETE when a connection ends without an answer, so
        such requests must be sent as POST."""
        ...

    def sign(self, url: URL, *, sent_method: str, method: str, route: str, body: bytes) -> tuple[URL, dict[str, str]]:
        """Returns the URL and the extra headers to send. ``method`` is the effective method, ``sent_method`` that of the request line."""
        ...


class BridgeSigner:
    """Signs with ``X-Tillsync-Timestamp`` and ``X-Tillsync-Signature`` (docs/bridge/wire.md#signature-of-a-call).

    It never uses the Authorization header, because some web servers drop it.
    """

    surface = Surface.BRIDGE
    forms = (RestForm.PRETTY, RestForm.INDEX, RestForm.QUERY)
    is_single_use = False

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self.secrets = (secret,)

    def sign(self, url: URL, *, sent_method: str, method: str, route: str, body: bytes) -> tuple[URL, dict[str, str]]:
        timestamp = str(int(time.time()))
        text = "\n".join((SIGNATURE_VERSION, timestamp, method, route, hashlib.sha256(body).hexdigest()))
        mac = hmac.new(self._secret.encode(), text.encode(), hashlib.sha256)
        return url, {"X-Tillsync-Timestamp": timestamp, "X-Tillsync-Signature": f"{SIGNATURE_VERSION}={mac.hexdigest()}"}


class BasicKeys:
    """Sends consumer keys as Basic over https. WooCommerce reads them only when PHP sees TLS (``is_ssl()``)."""

    surface = Surface.KEYS
    forms = (RestForm.PRETTY, RestForm.INDEX)
    is_single_use = False

    def __init__(self, key: str, secret: str) -> None:
        pair = f"{key}:{secret}"
        self.secrets = (pair, key, secret)
        self._header = "Basic " + base64.b64encode(pair.encode()).decode()

    def sign(self, url: URL, *, sent_method: str, method: str, route: str, body: bytes) -> tuple[URL, dict[str, str]]:
        return url, {"Authorization": self._header}


class OAuthKeys:
    """Signs with consumer keys over plain http: OAuth 1.0a without a token. It never sends the secret.

    The signature is in the query, because no web server drops the query.
    """

    surface = Surface.KEYS
    forms = (RestForm.PRETTY, RestForm.INDEX)
    is_single_use = True

    def __init__(self, key: str, secret: str) -> None:
        self.secrets = (key, secret)
        self._client = Client(key, client_secret=secret, signature_method=SIGNATURE_HMAC_SHA256, signature_type=SIGNATURE_TYPE_QUERY)

    def sign(self, url: URL, *, sent_method: str, method: str, route: str, body: bytes) -> tuple[URL, dict[str, str]]:
        # The signature excludes a JSON body (RFC 5849, 3.4.1.3.1). WooCommerce checks the method of the request line.
        signed, _, _ = self._client.sign(str(url), http_method=cast(Any, sent_method))
        return URL(signed, encoded=True), {}


def signer_for(shop: ShopSettings) -> RequestSigner:
    """Returns the signer of a shop. With a bridge secret it never falls back to keys. Raises CredentialsRefused without either."""
    if shop.has_bridge:
        return BridgeSigner(shop.bridge_secret)
    if not shop.consumer_key or not shop.consumer_secret:
        raise CredentialsRefused(
            Side.SHOP, "no credentials of the shop are set: connect the tillsync bridge plugin, or enter consumer key and secret"
        )
    over_tls = shop.base_url.strip().lower().startswith("https://")
    return (BasicKeys if over_tls else OAuthKeys)(shop.consumer_key, shop.consumer_secret)
