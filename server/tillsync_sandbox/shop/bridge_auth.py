"""Checks the bridge's signature (``X-Tillsync-Timestamp``, ``X-Tillsync-Signature``). The bridge never reads the Authorization header."""

from __future__ import annotations

import hashlib
import hmac
import time

from tillsync_sandbox.shop.rest import RestRequest, rest_forbidden

WINDOW_SECONDS = 300
_VERSION = "v1="


def bridge_signature(secret: str, timestamp: int, method: str, route: str, body: bytes) -> str:
    """Returns the value of ``X-Tillsync-Signature``.

    ``method`` is the effective method, ``route`` the result of ``get_route()``, without query.
    """
    text = f"v1\n{timestamp}\n{method}\n{route}\n{hashlib.sha256(body).hexdigest()}"
    return _VERSION + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_bridge_signature(request: RestRequest, secret: str) -> None:
    """Raises RestError 401 ``rest_forbidden`` with the reason in its message."""
    timestamp = request.headers.get("X-Tillsync-Timestamp", "")
    given = request.headers.get("X-Tillsync-Signature", "")
    if not timestamp or not given:
        raise rest_forbidden("X-Tillsync-Timestamp and X-Tillsync-Signature are required.")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise rest_forbidden("X-Tillsync-Timestamp is not a time in unix seconds.")
    if abs(time.time() - int(timestamp)) > WINDOW_SECONDS:
        raise rest_forbidden(f"X-Tillsync-Timestamp is more than {WINDOW_SECONDS} seconds away from the shop's clock.")
    expected = bridge_signature(secret, int(timestamp), request.method, request.route, request.body)
    if not secret or not hmac.compare_digest(expected.encode(), given.encode()):
        raise rest_forbidden("X-Tillsync-Signature does not match.")
