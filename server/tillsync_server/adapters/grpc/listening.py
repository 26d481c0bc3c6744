"""Address and credentials of the gRPC server. Plain text leaves this machine only if the settings allow it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from tillsync_server.adapters.tls.certificate_files import CertificateFiles, CertificatePair


class InsecureListenError(ValueError):
    """The settings ask for plain text on an address that other machines can reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSettings:
    listen: str = "127.0.0.1:50051"
    """``host:port``; port 0 selects a free port. An IPv6 address is in brackets."""
    certificate: CertificateFiles | None = None
    """With a certificate the port speaks TLS only. Each new connection gets the current pair."""
    allow_plaintext: bool = False
    """Allows plain text beyond loopback. Tokens and personal data then cross the network readable."""
    public_reflection: bool = False
    max_connections: int = 1_024
    """Open connections on each address. A further connection is closed immediately, and its caller tries again."""
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
    """Returns the credentials, or None for plain text. Raises InsecureListenError if the settings do not allow plain text."""
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
    """Returns a callback for gRPC, which calls it in its own threads before each handshake. Its result None means that nothing changed."""

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
