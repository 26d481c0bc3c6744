"""Checks consumer keys like WooCommerce's REST authentication: Basic under TLS, otherwise OAuth 1.0a (one-legged)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from tillsync_sandbox.shop.rest import RestError, RestRequest
from tillsync_sandbox.shop.switches import KeyOwner, KeyPermissions, ShopSwitches

OAUTH_WINDOW_SECONDS = 15 * 60
_REQUIRED = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")
_OAUTH_PARAM = re.compile(r'(oauth_[a-z_]+)="([^"]*)"')
_DIGESTS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a consumer key."""

    role: KeyOwner
    permissions: KeyPermissions

    def check_method(self, method: str) -> None:
        """Raises RestError 401 when the key lacks the permission. WooCommerce checks it before it looks up the route."""
        reading = method in ("GET", "HEAD")
        refused = KeyPermissions.WRITE if reading else KeyPermissions.READ
        if self.permissions is refused:
            needed = "read" if reading else "write"
            raise _refused(f"The API key provided does not have {needed} permissions.")

    @property
    def may_batch(self) -> bool:
        return self.role is KeyOwner.ADMINISTRATOR

    def may_edit(self, role: str) -> bool:
        return self.role is KeyOwner.ADMINISTRATOR or role == "customer"


def _refused(message: str, code: str = "woocommerce_rest_authentication_error") -> RestError:
    return RestError(401, code, message)


class KeyCheck:
    """Checks keys and remembers OAuth nonces. A shop needs one instance for its whole life."""

    def __init__(self, switches: ShopSwitches) -> None:
        self._switches = switches
        self._nonces: dict[str, float] = {}

    def caller(self, request: RestRequest, *, with_header: bool = True) -> Caller | None:
        """Returns the caller, or None for an anonymous request without visible credentials. On http Basic credentials are not visible.

        ``with_header`` False drops the ``Authorization`` header, as some web servers do. Raises RestError 401 for visible credentials that
        are wrong.
        """
        if not request.keys_are_recognised:
            return None
        authorization = request.headers.get("Authorization", "") if with_header else ""
        if self._switches.https_seen:
            caller = self._by_basic(request, authorization)
            if caller is not None:
                return caller
        return self._by_oauth(request, authorization)

    def _by_basic(self, request: RestRequest, authorization: str) -> Caller | None:
        key, secret = request.query.get("consumer_key", ""), request.query.get("consumer_secret", "")
        if not key or not secret:
            key, secret = _basic_credentials(authorization)
        # WooCommerce raises no error for an unknown key. The request continues as an anonymous one.
        if not secret or not hmac.compare_digest(key.encode(), self._switches.consumer_key.encode()):
            return None
        if not hmac.compare_digest(secret.encode(), self._switches.consumer_secret.encode()):
            raise _refused("Consumer secret is invalid.")
        return self._caller()

    def _by_oauth(self, request: RestRequest, authorization: str) -> Caller | None:
        params = dict(parse_qsl(request.query_string, keep_blank_values=True))
        if authorization.startswith("OAuth "):
            params |= {name: unquote(value) for name, value in _OAUTH_PARAM.findall(authorization)}
        missing = [name for name in _REQUIRED if not params.get(name)]
        if len(missing) == len(_REQUIRED):
            return None
        if missing:
            plural = "s" if len(missing) > 1 else ""
            raise _refused(f"Missing OAuth parameter{plural} {', '.join(missing)}", "woocommerce_rest_authentication_missing_parameter")
        if not hmac.compare_digest(params["oauth_consumer_key"].encode(), self._switches.consumer_key.encode()):
            raise _refused("Consumer key is invalid.")
        self._check_signature(request, params)
        self._check_time(params["oauth_timestamp"], params["oauth_nonce"])
        return self._caller()

    def _check_signature(self, request: RestRequest, params: dict[str, str]) -> None:
        given = params.pop("oauth_signature").replace(" ", "+")
        digest = _DIGESTS.get(params["oauth_signature_method"])
        if digest is None:
            raise _refused("Invalid signature - signature method is invalid.")
        scheme = "https" if self._switches.https_seen else "http"
        uri = f"{scheme}://{self._switches.home_host or request.host}{request.path}"
        # This implements RFC 5849, 3.4.1 itself, and does not use the library of the signing client. The method is that of the request
        # line, because PHP's REQUEST_METHOD ignores an override. The signature excludes a JSON body.
        pairs = sorted((_escaped(name), _escaped(value)) for name, value in params.items())
        normalized = "&".join(f"{name}={value}" for name, value in pairs)
        base = "&".join((request.sent_method, _escaped(uri), _escaped(normalized)))
        mac = hmac.new(f"{self._switches.consumer_secret}&".encode(), base.encode(), digest)
        expected = base64.b64encode(mac.digest()).decode()
        if not hmac.compare_digest(expected.encode(), unquote(given).encode()):
            raise _refused("Invalid signature - provided signature does not match.")

    def _check_time(self, timestamp: str, nonce: str) -> None:
        now = time.time()
        if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > OAUTH_WINDOW_SECONDS:
            raise _refused("Invalid timestamp.")
        self._nonces = {used: until for used, until in self._nonces.items() if until >= now}
        if nonce in self._nonces:
            raise _refused("Invalid nonce - nonce has already been used.")
        self._nonces[nonce] = int(timestamp) + OAUTH_WINDOW_SECONDS

    def _caller(self) -> Caller:
        return Caller(self._switches.key_owner, self._switches.key_permissions)


def _escaped(text: str) -> str:
    return quote(text, safe="~")


def _basic_credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        key, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret
