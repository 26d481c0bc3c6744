"""Where the server listens, and whether it may: plain text leaves this machine only when that was asked for."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from tillsync_server.adapters.tls.certificate_files import CertificateFiles, CertificatePair


class InsecureListenError(ValueError):
    """Plain text on an address that others can reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSettings:
    listen: str = "127.0.0.1:50051"
    """``host:port``; port 0 takes a free one. IPv6 in brackets."""
    certificate: CertificateFiles | None = None
    """With it the port speaks TLS only; each new connection gets the pair of that moment."""
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
    """None: plain text. InsecureListenError where that is not allowed."""
    if settings.certificate is not None:
        return _reloading_credentials(settings.certificate)
    if not is_loopback(settings.listen) and not settings.allow_plaintext:
        raise InsecureListenError(
            f"{settings.listen} can be reached from outside: set a TLS certificate, or allow plain text behind your own TLS"
        )
    return None


def _reloading_credentials(files: CertificateFiles) -> grpc.ServerCredentials:
    served = files.pair
    fetch = _changes_since(served, files)
    return grpc.dynamic_ssl_server_credentials(_configuration(served), fetch)  # type: ignore[arg-type]  # may return None, says gRPC


def _changes_since(served: CertificatePair, files: CertificateFiles) -> Callable[[], grpc.ServerCertificateConfiguration | None]:
    """For gRPC, which calls it in its own threads before each handshake. Its answer None means: the same as before."""

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        pair = files.pair
        if pair is served:
            return None
        served = pair
        return _configuration(pair)

    return fetch


def _configuration(pair: CertificatePair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)])
