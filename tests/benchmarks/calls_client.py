"""Client of the call rows, in a separate process. It keeps a fixed number of calls in flight, and measures them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
from benchmarks.echo_server import PATH
from tillsync.v1 import customer_sync_service_pb2 as pb
from tillsync.v1.customer_sync_service_pb2_grpc import CustomerSyncServiceStub

ACCOUNTS = 100
BATCH = 500


def _call(channel: grpc.aio.Channel, kind: str, token: str) -> Callable[[int], Awaitable[Any]]:
    """Returns a function that makes call number n. Each call names another customer, so that no hints coalesce."""
    metadata = (("authorization", f"Bearer {token}"),)
    stub: Any = CustomerSyncServiceStub(channel)
    match kind:
        case "echo":
            echo = channel.unary_unary(
                PATH, request_serializer=pb.SyncCustomerRequest.SerializeToString, response_deserializer=pb.SyncCustomerRequest.FromString
            )
            return lambda n: echo(pb.SyncCustomerRequest(account_id=f"shop-{n % ACCOUNTS + 1}", epos_customer_id=n), metadata=metadata)
        case "sync":
            return lambda n: stub.SyncCustomer(
                pb.SyncCustomerRequest(account_id=f"shop-{n % ACCOUNTS + 1}", epos_customer_id=n), metadata=metadata
            )
        case "batch":

            async def batch(n: int) -> None:
                ids = range(n * BATCH, (n + 1) * BATCH)
                request = pb.BatchSyncCustomersRequest(account_id=f"shop-{n % ACCOUNTS + 1}", epos_customer_ids=ids)
                response = await stub.BatchSyncCustomers(request, metadata=metadata)
                if any(not result.HasField("ok") for result in response.results):
                    raise RuntimeError("an entry was not accepted")

            return batch
        case _:
            raise ValueError(kind)


async def measure(target: str, kind: str, token: str, warm: int, count: int, in_flight: int, first_id: int) -> dict[str, float]:
    channel = grpc.aio.insecure_channel(target)
    measured = await timed(_call(channel, kind, token), warm, count, in_flight, first_id)
    await channel.close()
    return measured


async def timed(call: Callable[[int], Awaitable[Any]], warm: int, count: int, in_flight: int, first_id: int) -> dict[str, float]:
    """Returns the calls a second over ``count`` calls, and the median time of one in ms. Makes ``warm`` calls before."""
    times: list[float] = []

    async def some(first: int, calls: int) -> None:
        numbers = iter(range(first, first + calls))

        async def one_after_another() -> None:
            for number in numbers:
                began = time.perf_counter()
                await call(number)
                times.append(time.perf_counter() - began)

        async with asyncio.TaskGroup() as callers:
            for _ in range(in_flight):
                callers.create_task(one_after_another())

    await some(first_id, warm)
    times.clear()
    began = time.perf_counter()
    await some(first_id + warm, count)
    seconds = time.perf_counter() - began
    return {"per_second": count / seconds, "median_ms": sorted(times)[len(times) // 2] * 1000}
