"""Client of row `beside-flood`, in a separate process. It keeps a fixed number of calls of one token in flight, on several connections.

It sends the next call when one has ended, with any status.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

import grpc
import grpc.aio
from benchmarks.child import say_ready
from tillsync.v1 import customer_sync_service_pb2 as pb
from tillsync.v1 import queue_entry_pb2, vocabulary_pb2

_SERVICE = "/tillsync.v1.CustomerSyncService"
_ACCOUNT = "shop-1"
_CONNECTIONS = 4
_BATCH = 500
KINDS = {"sync": 1000, "batch": 64, "list-full": 64, "wrong-token": 1000}
"""Calls in flight of each kind."""


def _requests(kind: str) -> tuple[str, Callable[[int], bytes]]:
    """Returns the method, and a function that makes request number n."""
    match kind:
        case "sync" | "wrong-token":
            return "SyncCustomer", lambda n: pb.SyncCustomerRequest(account_id=_ACCOUNT, epos_customer_id=n).SerializeToString()
        case "batch":

            def batch(n: int) -> bytes:
                ids = range(n * _BATCH, (n + 1) * _BATCH)
                return pb.BatchSyncCustomersRequest(account_id=_ACCOUNT, epos_customer_ids=ids).SerializeToString()

            return "BatchSyncCustomers", batch
        case "list-full":
            page = pb.ListQueueRequest(
                account_id=_ACCOUNT, queue=vocabulary_pb2.QUEUE_CUSTOMERS, page_size=50, view=queue_entry_pb2.QUEUE_VIEW_FULL
            ).SerializeToString()
            return "ListQueue", lambda _n: page
        case _:
            raise ValueError(kind)


async def flood(target: str, kind: str, token: str, seconds: float) -> dict[str, dict[str, int]]:
    """Returns the number of calls by status code. Prints that it is ready when the first call has ended."""
    method, request = _requests(kind)
    numbers, ended, until = itertools.count(1_000_000), Counter[str](), 0.0

    async def caller(call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]) -> None:
        while not until or time.monotonic() < until:
            secret = secrets.token_hex(20) if kind == "wrong-token" else token
            try:
                await call(request(next(numbers)), metadata=(("authorization", f"Bearer {secret}"),))
                ended["OK"] += 1
            except grpc.aio.AioRpcError as error:
                ended[error.code().name] += 1

    async with AsyncExitStack() as connections, asyncio.TaskGroup() as callers:
        calls: list[grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = []
        for _ in range(_CONNECTIONS):
            options = (("grpc.use_local_subchannel_pool", 1),)
            connection = await connections.enter_async_context(grpc.aio.insecure_channel(target, options=options))
            calls.append(connection.unary_unary(f"{_SERVICE}/{method}"))
        for number in range(KINDS[kind]):
            callers.create_task(caller(calls[number % _CONNECTIONS]))
        while not ended:
            await asyncio.sleep(0.05)
        say_ready()
        until = time.monotonic() + seconds
    return {"ended": dict(ended)}
