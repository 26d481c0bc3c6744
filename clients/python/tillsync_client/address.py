"""Parses the service's address as people write it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORT = 50051


@dataclass(frozen=True, slots=True)
class Address:
    """The service's address. ``secure``: the client uses TLS."""

    target: str
    """``host:port``, IPv6 in brackets."""
    secure: bool

    @property
    def host(self) -> str:
        return self.target.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.target.rpartition(":")[2])

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parses ``127.0.0.1:50051`` (loopback, so plain text) or ``sync.example.test:50051`` (TLS). A scheme ``http://`` or ``https://``
        decides instead. Raises ValueError with the reason.
        """
        raw = text.strip()
        parts = urlsplit(raw if "://" in raw else f"//{raw}")
        if parts.scheme not in ("", "http", "https"):
            raise ValueError(f"address {text!r}: http:// or https:// or just host:port, not {parts.scheme}://")
        if not parts.hostname or " " in parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
            raise ValueError(f"address {text!r} is not host:port")
        try:
            port = parts.port or DEFAULT_PORT
        except ValueError:
            raise ValueError(f"address {text!r}: the port is a number from 1 to 65535") from None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        secure = parts.scheme == "https" or (parts.scheme == "" and not _is_loopback(parts.hostname))
        return cls(f"{host}:{port}", secure)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
