"""The channel: address, TLS, token, deadlines, and retries where a repeated call changes nothing."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import grpc

from tillsync_client.errors import TillsyncError, from_rpc_error

Request = TypeVar("Request")
Response = TypeVar("Response")

DEFAULT_DEADLINE_SECONDS = 10.0
DEFAULT_PORT = 50051
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

# Every call of the contract is naturally idempotent but CreateToken: after a lost answer, list, revoke and make another. The service says
# with each refusal when to come back (grpc-retry-pushback-ms), and the channel waits for so long.
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
                },
            },
            {"name": [{"service": "tillsync.v1.AccountService", "method": "CreateToken"}]},
        ]
    }
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service listens. ``secure``: TLS."""

    target: str
    secure: bool

    @classmethod
    def parse(cls, text: str) -> Address:
        """``127.0.0.1:50051`` (plain text: loopback), ``sync.example.test:50051`` (TLS), or with ``http://`` / ``https://`` to say which.

        ValueError says what is wrong.
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


class Connection:
    """One channel with its token. Make it inside the running loop; ``close`` it at the end.

    ``deadline_seconds``: of every call unless a method is given its own; retries stay within it.
    """

    def __init__(
        self,
        address: str,
        token: str,
        *,
        deadline_seconds: float = DEFAULT_DEADLINE_SECONDS,
        root_certificates: bytes | None = None,
    ) -> None:
        self.address = Address.parse(address)
        self.deadline_seconds = deadline_seconds
        self._metadata = grpc.aio.Metadata(("authorization", f"Bearer {token}"))
        options = [
            ("grpc.service_config", _SERVICE_CONFIG),
            ("grpc.enable_retries", 1),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ]
        if self.address.secure:
            credentials = grpc.ssl_channel_credentials(root_certificates=root_certificates)
            self.channel = grpc.aio.secure_channel(self.address.target, credentials, options=options)
        else:
            self.channel = grpc.aio.insecure_channel(self.address.target, options=options)

    async def call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, *, deadline_seconds: float | None = None
    ) -> Response:
        """Raises TillsyncError subclasses only (and CancelledError)."""
        timeout = self.deadline_seconds if deadline_seconds is None else deadline_seconds
        try:
            return await method(request, timeout=timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        except grpc.aio.UsageError as error:
            raise TillsyncError(f"the client is closed: {error}") from error

    async def close(self) -> None:
        await self.channel.close()
