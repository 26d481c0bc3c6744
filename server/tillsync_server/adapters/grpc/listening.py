"""Where the server listens, and whether it may: plain text leaves this machine only when that was asked for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import grpc


class InsecureListenError(ValueError):
    """Plain text on an address that others can reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSettings:
    listen: str = "127.0.0.1:50051"
    """``host:port``; port 0 takes a free one. IPv6 in brackets."""
    tls_certificate: Path | None = None
    """PEM chain; with ``tls_key``. Read once, at start."""
    tls_key: Path | None = None
    allow_plaintext: bool = False
    """Plain text on more than loopback: tokens and personal data then cross the network readable."""
    public_reflection: bool = False
    most_connections: int = 1_024
    """Open at once on each address. Further ones are closed at once, and the caller tries again."""
    stop_grace_seconds: float = 5.0


def is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def credentials_of(settings: GrpcSettings) -> grpc.ServerCredentials | None:
    """None: plain text. InsecureListenError where that is not allowed; OSError where the files cannot be read."""
    if settings.tls_certificate is not None and settings.tls_key is not None:
        return grpc.ssl_server_credentials([(settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())])
    if settings.tls_certificate is not None or settings.tls_key is not None:
        raise ValueError("a TLS certificate needs its key, and a key its certificate")
    if not is_loopback(settings.listen) and not settings.allow_plaintext:
        raise InsecureListenError(
            f"{settings.listen} can be reached from outside: set a TLS certificate, or allow plain text behind your own TLS"
        )
    return None
