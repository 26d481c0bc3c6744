"""The channel of the blocking client. It shares addresses, retries and errors with :mod:`tillsync_client.connection`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import grpc

from tillsync_client.address import Address
from tillsync_client.connection import CHANNEL_OPTIONS, DEFAULT_DEADLINE_SECONDS, explained
from tillsync_client.errors import TillsyncError, from_rpc_error

__all__ = ["DEFAULT_DEADLINE_SECONDS", "Connection"]

Request = TypeVar("Request")
Response = TypeVar("Response")


class Connection:
    """One channel with its token, for any number of threads. ``close`` it at the end.

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
        self._metadata = (("authorization", f"Bearer {token}"),)
        if self.address.secure:
            credentials = grpc.ssl_channel_credentials(root_certificates=root_certificates)
            self.channel = grpc.secure_channel(self.address.target, credentials, options=CHANNEL_OPTIONS)
        else:
            self.channel = grpc.insecure_channel(self.address.target, options=CHANNEL_OPTIONS)

    def call(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request, *, deadline_seconds: float | None = None
    ) -> Response:
        """Calls ``method``. Raises only subclasses of TillsyncError, and errors that interrupt the thread, such as KeyboardInterrupt."""
        timeout = self.deadline_seconds if deadline_seconds is None else deadline_seconds
        ends_at = time.monotonic() + timeout
        try:
            answer = method(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            failed = from_rpc_error(cast(grpc.Call, error))  # The error that a call raises is the call itself.
            raise self._explained(failed, ends_at - time.monotonic()) from None
        except ValueError as error:  # grpc raises it on a closed channel.
            raise TillsyncError(f"the client is closed: {error}") from error
        self._has_answered = True
        return answer

    def _explained(self, error: TillsyncError, seconds: float) -> TillsyncError:
        self._has_answered = self._has_answered or error.reason != ""
        if self._has_answered:
            return error
        return _in_a_loop(lambda: explained(error, self.address, self._root_certificates, seconds))

    def close(self) -> None:
        self.channel.close()


def _in_a_loop(make: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
    """The result of a coroutine. It runs in a separate thread, because the caller's thread may have a running loop (a notebook)."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: asyncio.run(make())).result()
