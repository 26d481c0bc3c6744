"""Checks and compares base addresses of tills and shops. ``adapters/http_client`` decides at each connect whether the resolved address is
allowed."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

import idna

MAX_URL_LENGTH = 2048
_PORTS = {"http": 80, "https": 443}
_LABELS = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")

PlainHttpAllowed = Callable[[str, int], bool]
"""Whether a till may be called over plain http at this host and port. Loopback is always allowed, because no data leaves the machine."""


def till_base_url(text: str, plain_http_allowed: PlainHttpAllowed) -> str:
    """Returns ``https://host[:port]``, or ``http://…`` where plain http is allowed. Raises ValueError with the reason."""
    parts = _split(text)
    host, port = parts.hostname or "", _port(parts)
    if parts.path not in ("", "/"):
        raise ValueError("must be an origin without a path, such as https://api.eposnowhq.com")
    if parts.scheme != "https" and not (is_loopback(host) or plain_http_allowed(host, port)):
        raise ValueError("must begin with https://: the key pair would travel in the open")
    return f"{parts.scheme}://{parts.netloc}"


def shop_base_url(text: str) -> str:
    """Returns ``http[s]://host[:port][/path]`` without a slash at the end. Raises ValueError with the reason."""
    parts = _split(text)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port for a comparison. None: the address is empty or unusable."""
    try:
        parts = _split(url)
        return parts.scheme, _ascii_host(parts.hostname or ""), _port(parts)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    if host.rstrip(".").lower() == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _split(text: str) -> SplitResult:
    if len(text) > MAX_URL_LENGTH:
        raise ValueError(f"at most {MAX_URL_LENGTH} characters")
    # urlsplit silently drops tabs and line breaks, and browsers read a backslash as a slash. Both could hide another host.
    if any(character.isspace() or ord(character) < 33 or character == "\\" or character == "\x7f" for character in text):
        raise ValueError("must not contain blanks, control characters or backslashes")
    try:
        parts = urlsplit(text)
        _port(parts)
    except ValueError as error:
        raise ValueError("is not a URL: the host or the port is wrong") from error
    if parts.scheme not in _PORTS:
        raise ValueError("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user or password: there are fields for credentials")
    if "?" in text or "#" in text:
        raise ValueError("must not contain a query or a fragment")
    if not parts.hostname:
        raise ValueError("has no host")
    _ascii_host(parts.hostname)
    return parts


def _ascii_host(host: str) -> str:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).compressed
    if len(host) <= 253 and _LABELS.fullmatch(host):
        return host.rstrip(".").lower()
    try:
        return idna.encode(host.rstrip("."), uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise ValueError("has a host that is no host name") from error


def _port(parts: SplitResult) -> int:
    port = parts.port
    if port == 0:
        raise ValueError("port 0")
    return _PORTS.get(parts.scheme, 0) if port is None else port
