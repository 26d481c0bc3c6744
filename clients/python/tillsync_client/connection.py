"""The channel with its address, TLS, token, deadlines and retries. It repeats only calls whose repetition changes nothing."""

from __future__ import annotations

import json
from asyncio import get_running_loop
from typing import TypeVar

import grpc

from tillsync_client.address import Address
from tillsync_client.errors import NotReachedError, TillsyncError, UnavailableError, from_rpc_error
from tillsync_client.first_contact import PROBE_SECONDS, first_contact

Request = TypeVar("Request")
Response = TypeVar("Response")

DEFAULT_DEADLINE_SECONDS = 10.0
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

# A repeated call has the answer of the first one, with two exceptions: CreateToken creates another token, and DeleteLink does not find the
# link any more. The channel repeats neither. Each refusal names a delay (grpc-retry-pushback-ms), and the channel waits for it.
_NEVER_REPEATED = (("AccountService", "CreateToken"), ("LinkService", "DeleteLink"))
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
            {"name": [{"service": f"tillsync.v1.{service}", "method": method} for service, method in _NEVER_REPEATED]},
        ]
    }
)


CHANNEL_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
)


class Connection:
    """One channel with its token. Make it inside the running loop, and ``close`` it at the end.

    ``deadline_seconds``: deadline of a call, with its retries, unless the call has its own.
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
        self._root_certificates = root_certificates
        self._has_answered = False
        """The service has answered before, so address and protocol are right."""
        self._metadata = grpc.aio.Metadata(("authorization", f"Bearer {token}"))
        if self.address.secure:
            credentials = grpc.ssl_channel_credentials(root_certificates=root_certificates)
            self.channel = grpc.aio.secure_channel(self.address.target, credentials, options=CHANNEL_OPTIONS)
        else:
            self.channel = grpc.aio.insecure_channel(self.address.target, options=CHANNEL_OPTIONS)

    async def call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, *, deadline_seconds: float | None = None
    ) -> Response:
        """Calls ``method``. Raises only subclasses of TillsyncError, and CancelledError."""
        timeout = self.deadline_seconds if deadline_seconds is None else deadline_seconds
        ends_at = get_running_loop().time() + timeout
        try:
            answer = await method(request, timeout=timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise await self._explained(from_rpc_error(error), ends_at) from None
        except grpc.aio.UsageError as error:
            raise TillsyncError(f"the client is closed: {error}") from error
        self._has_answered = True
        return answer

    async def _explained(self, error: TillsyncError, ends_at: float) -> TillsyncError:
        self._has_answered = self._has_answered or error.reason != ""
        left = ends_at - get_running_loop().time()
        return error if self._has_answered else await explained(error, self.address, self._root_certificates, left)

    async def close(self) -> None:
        await self.channel.close()


async def explained(error: TillsyncError, address: Address, root_certificates: bytes | None, seconds: float) -> TillsyncError:
    """Of a service that has never answered: names the wrong port or protocol, within ``seconds``."""
    if not isinstance(error, UnavailableError) or seconds <= 0:
        return error
    sentence = await first_contact(address, root_certificates, min(seconds, PROBE_SECONDS))
    return error if sentence is None else NotReachedError(sentence, code=error.code)
