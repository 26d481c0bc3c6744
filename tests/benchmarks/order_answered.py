"""Row `order`: time from the call MatchOrderCustomer until the order is PROCESSED, divided by the time of its till requests.

The row has three kinds of orders. The shopper is already linked, or is found at the till by email and linked, or is new and created there.
A till request takes 100 ms. The till's log gives the number of consecutive requests of a lone order. A linked order needs neither till nor
shop, so its row shows milliseconds. The customer entry of a new link and the event to the shop follow the answer. A lone order waits for
those of the order before it. At 50 orders a second they are part of the load.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.bench import Bench
from benchmarks.durations import ACCOUNTS, AT_RATE, PER_SECOND, Durations, at_rate, one_after_another
from benchmarks.report import Figure, Goal, of_runs
from benchmarks.served_world import TILL_SECONDS, ServedWorld, served_world
from benchmarks.sides_log import in_sequence
from tillsync.v1 import order_pb2, vocabulary_pb2

_REGISTERED = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_LINKED, _BY_EMAIL, _CREATED = "linked", "by email", "of a new shopper"
_OUTCOMES = {
    _LINKED: vocabulary_pb2.OUTCOME_MATCHED_LINK,
    _BY_EMAIL: vocabulary_pb2.OUTCOME_MATCHED_EMAIL,
    _CREATED: vocabulary_pb2.OUTCOME_CUSTOMER_CREATED,
}
_OVER_NEED = Goal(must=1.08, aim=1.03, unit="×", lower_is_better=True)
_LINKED_TIME = Goal(must=15, aim=9, unit="ms", lower_is_better=True)
"""aim: 3 % of the 300 ms of a change, as in 1.03. must: chosen to fit."""


@dataclass
class _Kind:
    """Durations of the orders by round. ``needs``: number of consecutive till requests of each lone order."""

    name: str
    alone: list[Durations] = field(default_factory=list)
    crowded: list[Durations] = field(default_factory=list)
    needs: list[int] = field(default_factory=list)

    @property
    def needed(self) -> float:
        return statistics.mode(self.needs) * TILL_SECONDS


async def order_answered(bench: Bench) -> list[Figure]:
    plan = bench.plan
    linked, by_email, created = (_Kind(name) for name in (_LINKED, _BY_EMAIL, _CREATED))
    async with served_world(bench) as world:
        orders = _Orders(world)
        for number in range(1, ACCOUNTS + 1):
            await world.open_account(with_bridge=True, account=_account(number))
        for kind in (by_email, created):  # the first order of an account learns how its till searches
            await orders.warm_up(kind)
        for _ in range(plan.rounds):
            known = orders.add_shoppers(plan.lone_units + int(plan.load_seconds * PER_SECOND), at_till=True)
            new = orders.add_shoppers(len(known), at_till=False)
            for kind, shoppers in ((by_email, known), (linked, known), (created, new)):
                await orders.round(kind, shoppers[: plan.lone_units], shoppers[plan.lone_units :])
                bench.show_progress(f"order {kind.name}: alone {_shown(kind.alone[-1:])}; {AT_RATE} {_shown(kind.crowded[-1:])}")
    return [figure for kind in (linked, by_email, created) for figure in _figures(kind)]


@dataclass(frozen=True, slots=True)
class _Shopper:
    account: str
    user: int
    email: str


class _Orders:
    def __init__(self, world: ServedWorld) -> None:
        self._world = world
        self._shoppers = self._orders = 0

    def add_shoppers(self, count: int, *, at_till: bool) -> list[_Shopper]:
        return [self._add_shopper(_account(number % ACCOUNTS + 1), at_till=at_till) for number in range(count)]

    def _add_shopper(self, account: str, *, at_till: bool) -> _Shopper:
        self._shoppers += 1
        email = f"shopper{self._shoppers}@example.test"
        if at_till:
            self._world.till.add_customer(email=email)
        user = self._world.shop.add_customer(email=email, registered=_REGISTERED.strftime("%Y-%m-%dT%H:%M:%S"))
        return _Shopper(account, user, email)

    async def warm_up(self, kind: _Kind) -> None:
        for shopper in self.add_shoppers(ACCOUNTS, at_till=kind.name is _BY_EMAIL):
            await self._seconds_of(shopper, kind)
        await self._world.all_ended()

    async def round(self, kind: _Kind, alone: Sequence[_Shopper], crowded: Sequence[_Shopper]) -> None:
        async def of_alone(number: int) -> float:
            await self._world.all_ended()
            self._world.till_spans.take()
            seconds = await self._seconds_of(alone[number - 1], kind)
            kind.needs.append(in_sequence(self._world.till_spans.take()))
            return seconds

        kind.alone.append(await one_after_another(of_alone, len(alone)))
        await self._world.all_ended()
        kind.crowded.append(await at_rate(lambda number: self._seconds_of(crowded[number - 1], kind), len(crowded)))
        await self._world.all_ended()

    async def _seconds_of(self, shopper: _Shopper, kind: _Kind) -> float:
        self._orders += 1
        order = order_pb2.Order(
            order_id=self._orders,
            order_key=hashlib.sha256(f"order {self._orders}".encode()).hexdigest(),
            woo_customer_id=shopper.user,
            account_email=shopper.email,
            billing_email=shopper.email,
            first_name="Nova",
            last_name="Newcomer",
            email_confirmation=order_pb2.EMAIL_CONFIRMATION_CONFIRMED,
        )
        order.create_time.GetCurrentTime()
        order.woo_registered_time.FromDatetime(_REGISTERED)  # as the bridge sends it
        began = time.perf_counter()
        answer = await self._world.client.sync.match_order(shopper.account, order)
        seconds = time.perf_counter() - began
        if answer.outcome != _OUTCOMES[kind.name]:
            raise RuntimeError(f"not an order {kind.name}: {answer}")
        return seconds


def _account(number: int) -> str:
    return f"shop-{number}"


def _figures(kind: _Kind) -> list[Figure]:
    return [_figure(kind, "alone", kind.alone), _figure(kind, AT_RATE, kind.crowded)]


def _figure(kind: _Kind, how: str, rounds: Sequence[Durations]) -> Figure:
    medians, p99s = [took.median for took in rounds], [took.p99 for took in rounds]
    if not kind.needed:
        what = f"order {kind.name}, call to answer, {how}"
        detail = f"p50/p99 {_shown(rounds)}; asks neither till nor shop"
        return of_runs("order", what, _LINKED_TIME, [each * 1000 for each in medians], detail, p99_ms=[each * 1000 for each in p99s])
    requests = statistics.mode(kind.needs)
    what = f"order {kind.name} / the {kind.needed * 1000:.0f} ms of its {requests} till request{'s' * (requests > 1)}, {how}"
    detail = f"p50/p99 {_shown(rounds)}, p99 {statistics.median(p99s) / kind.needed:.2f} ×"
    runs = [each / kind.needed for each in medians]
    return of_runs("order", what, _OVER_NEED, runs, detail, p99=[each / kind.needed for each in p99s])


def _shown(rounds: Sequence[Durations]) -> str:
    median, p99 = statistics.median(took.median for took in rounds), statistics.median(took.p99 for took in rounds)
    return f"{median * 1000:.1f}/{p99 * 1000:.1f} ms"
