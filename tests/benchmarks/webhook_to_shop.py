"""Row `webhook`: time from the till's webhook until the shop has stored the new points, divided by the time of till and shop.

Till and shop need 300 ms: the till answers the read of the customer after 100 ms, and the shop stores a write after 200 ms. The details
show the times in the logs of the sandboxes too, because a busy machine delays them. Each account has one linked customer, so no read and no
write is shared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import aiohttp
from benchmarks.bench import Bench
from benchmarks.durations import ACCOUNTS, AT_RATE, PER_SECOND, Durations, at_rate, one_after_another
from benchmarks.report import Figure, Goal, of_runs
from benchmarks.served_world import SHOP_SECONDS, TILL_SECONDS, ServedWorld, served_world
from benchmarks.service_world import WEBHOOK_KEY, WEBHOOK_SECRET
from benchmarks.sides_log import median_seconds
from tillsync_sandbox.till.rows import v2, webhook_json

_NEEDED = TILL_SECONDS + SHOP_SECONDS
_GOAL = Goal(must=1.08, aim=1.03, unit="×", lower_is_better=True)
"""must: 325 ms, the time with the former, heavier engine."""


async def webhook_to_shop(bench: Bench) -> list[Figure]:
    plan = bench.plan
    alone, crowded = _Runs(), _Runs()
    async with served_world(bench) as world, aiohttp.ClientSession() as http:
        changes = [await _Change.of_new_account(world, http, f"shop-{number}") for number in range(1, ACCOUNTS + 1)]
        for change in changes:  # the service reads the abilities of each shop's plugin once
            await change.run()

        async def of_first(_number: int) -> float:
            return await changes[0].run()

        async def of_next(number: int) -> float:
            return await changes[number % ACCOUNTS].run()

        for _ in range(plan.rounds):
            alone.add(world, await one_after_another(of_first, plan.lone_units))
            crowded.add(world, await at_rate(of_next, int(plan.load_seconds * PER_SECOND)))
            bench.show_progress(f"webhook to shop: alone {alone.shown(-1)}; {AT_RATE} {crowded.shown(-1)}")
    what = f"webhook to shop / the {_NEEDED * 1000:.0f} ms that till and shop need"
    return [alone.figure(f"{what}, alone"), crowded.figure(f"{what}, {AT_RATE}")]


class _Change:
    """Changes the points of one account's customer repeatedly."""

    def __init__(self, world: ServedWorld, http: aiohttp.ClientSession, account: str, customer: int) -> None:
        self._world, self._http, self._account, self._customer = world, http, account, customer
        self._shopper = max(world.shop.store.users)
        self._points = 1000.0

    @classmethod
    async def of_new_account(cls, world: ServedWorld, http: aiohttp.ClientSession, account: str) -> _Change:
        customer = world.till.add_customer(email=f"{account}@example.test")
        await world.open_account(with_bridge=True, account=account)
        await world.link([customer], account=account)
        return cls(world, http, account, customer)

    async def run(self) -> float:
        """Returns the seconds from sending the webhook until the shop has stored the points."""
        till = self._world.till
        self._points += 1
        points = self._points
        till.change_customer(self._customer, points=points)
        body = webhook_json(till.store.customers[self._customer], v2())
        began = time.perf_counter()
        url = f"{self._world.http_url}/webhooks/eposnow/{self._account}"
        headers = {
            "Content-Type": "application/json",
            "Epos-Object": "Customer",
            "Epos-Action": "Update",
            "Authorization": aiohttp.encode_basic_auth(WEBHOOK_KEY, WEBHOOK_SECRET),
        }
        async with self._http.post(url, data=body.encode(), headers=headers) as response:
            response.raise_for_status()
        await self._world.shop.wait_for(lambda: self._stored() >= points)
        return time.perf_counter() - began

    def _stored(self) -> float:
        row = self._world.shop.store.bridge_rows.get(self._shopper)
        return float(row.points) if row is not None and row.points is not None else -1.0


class _Runs:
    """Durations of the changes by round, and the median requests of till and shop."""

    def __init__(self) -> None:
        self._took: list[Durations] = []
        self._sides: list[float] = []

    def add(self, world: ServedWorld, took: Durations) -> None:
        self._took.append(took)
        self._sides.append(median_seconds(world.till_spans.take()) + median_seconds(world.shop_spans.take()))

    def shown(self, number: int) -> str:
        took = self._took[number]
        return f"p50/p99 {_ms(took.median)}/{_ms(took.p99)} ms, till and shop themselves {_ms(self._sides[number])} ms"

    def figure(self, what: str) -> Figure:
        medians, p99s = [took.median for took in self._took], [took.p99 for took in self._took]
        median, p99 = statistics.median(medians), statistics.median(p99s)
        detail = (
            f"p50/p99 {_ms(median)}/{_ms(p99)} ms, p99 {p99 / _NEEDED:.2f} ×; "
            f"till and shop themselves took {_ms(statistics.median(self._sides))} ms"
        )
        return of_runs("webhook", what, _GOAL, _over(medians), detail, p99=_over(p99s))


def _over(seconds: Sequence[float]) -> list[float]:
    return [each / _NEEDED for each in seconds]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
