"""Row `order-beside-bulk`: time of a new shopper's order while thousands of BULK customers wait for the same till.

The till allows 60 requests a minute, and the service uses all of them. The orders follow one another. Each creates its customer with
several consecutive requests. Without the BULK customers each request would wait only for its own second.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import UTC, datetime

from benchmarks.bench import Bench
from benchmarks.report import Figure, Goal
from benchmarks.service_world import ACCOUNT, ServiceWorld, service_world
from google.protobuf.timestamp_pb2 import Timestamp
from tillsync.v1 import order_pb2, vocabulary_pb2
from tillsync_sandbox.request_log import LoggedRequest

_REQUESTS_PER_MINUTE = 60
_BULK_AHEAD_SECONDS = 15.0
"""Time before the first order, with BULK requests only."""
_BETWEEN_ORDERS_SECONDS = 3.0
_LONGEST_SECONDS = 240.0


async def order_beside_bulk(bench: Bench) -> list[Figure]:
    waiting, orders = bench.plan.bulk_waiting, bench.plan.bulk_orders
    async with service_world(bench) as world:
        customers = world.add_customers(waiting)
        await world.open_account(with_bridge=True, requests_per_minute=_REQUESTS_PER_MINUTE)
        await world.link(customers)
        for start in range(0, waiting, 500):
            await world.client.sync.sync_customers(ACCOUNT, customers[start : start + 500])
        async with world.working():
            await asyncio.sleep(_BULK_AHEAD_SECONDS)
            took, request_counts = [], []
            for number in range(1, orders + 1):
                took.append(await _seconds_of(world, number))
                request_counts.append(sum(_is_of_order(request, number) for request in world.till.log))
                await asyncio.sleep(_BETWEEN_ORDERS_SECONDS)
    seconds = statistics.median(took)
    each = ", ".join(f"{value:.1f}" for value in took)
    return [
        Figure(
            row="order-beside-bulk",
            what=f"order of a new shopper beside {waiting:,} BULK customers, till of {_REQUESTS_PER_MINUTE} a minute",
            goal=Goal(must=8, aim=5, unit="s", lower_is_better=True),
            got=seconds,
            runs=tuple(took),
            detail=f"{each} s; {min(request_counts)} to {max(request_counts)} requests with the order's email",
        )
    ]


def _is_of_order(request: LoggedRequest, number: int) -> bool:
    return f"shopper{number}@" in f"{request.query} {request.body!r}".replace("%40", "@")


async def _seconds_of(world: ServiceWorld, number: int) -> float:
    """Returns the seconds from the call until the order has its customer."""
    made = Timestamp()
    made.FromDatetime(datetime.now(UTC))
    order = order_pb2.Order(
        order_id=number,
        order_key=f"{number:064x}",
        create_time=made,
        woo_customer_id=900_000 + number,
        account_email=f"shopper{number}@example.test",
        billing_email=f"shopper{number}@example.test",
        first_name="Ada",
        last_name="Byron",
        email_confirmation=order_pb2.EMAIL_CONFIRMATION_CONFIRMED,
    )
    began = time.perf_counter()
    async with asyncio.timeout(_LONGEST_SECONDS):
        while True:
            answer = await world.client.sync.match_order(ACCOUNT, order)
            if answer.outcome == vocabulary_pb2.OUTCOME_CUSTOMER_CREATED:
                return time.perf_counter() - began
            if answer.entry.state != vocabulary_pb2.ENTRY_STATE_PENDING:
                raise RuntimeError(f"the order did not create its customer: {answer}")
