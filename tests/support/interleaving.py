"""Runs of the order flow that advance step by step, in any order, and can end at any step, in two or ten processes on one till.

A *run* is one claim of one account's order under one lease. Each of its steps (a request, a statement, before and after its commit) waits
for the test. A run can be killed (no step continues), cancelled, refused by the database, or put to sleep and woken after its lease has
another owner.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fakes.lanes import FakeLane
from support.flow_world import FlowWorld, order_entry
from tillsync_server.application.flows.order_flow import OrderFlow
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Disposition, Verdict

_TURNS = 12
"""Turns of the event loop after which every run has reached its next step."""
FAULTY_STEPS = ("intents.", "links.", "knowledge.")
"""Where the database may fail, before the statement or after its commit."""


class DatabaseGone(Exception):
    """An error of the database driver."""


@dataclass(eq=False)
class Run:
    account: Account
    lane: FakeLane
    task: asyncio.Task[Verdict]
    waits_at: tuple[str, asyncio.Future[None]] | None = None
    asleep: bool = False


@dataclass
class Shop:
    """One account with one order of the same person."""

    account: Account
    facts: OrderFacts
    token: int = 0
    run: Run | None = None
    due: datetime | None = None
    answer: Verdict | None = None
    history: list[str] = field(default_factory=list)


class Interleaving:
    def __init__(self, world: FlowWorld, shops: list[tuple[Account, OrderFacts]]) -> None:
        self.world = world
        self.shops = [Shop(account, facts) for account, facts in shops]
        self.sleepers: list[Run] = []
        self._runs: dict[asyncio.Task[Verdict], Run] = {}
        world.step = self._step

    async def _step(self, name: str) -> None:
        task = asyncio.current_task()
        run = self._runs[task]  # type: ignore[index]
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.waits_at = (name, gate)
        await gate

    # possible events

    def startable(self) -> list[Shop]:
        now = self.world.clock.database_now()
        return [shop for shop in self.shops if shop.run is None and shop.answer is None and (shop.due is None or shop.due <= now)]

    def waiting(self) -> list[Run]:
        """Runs at a step, without sleeping ones."""
        return [shop.run for shop in self.shops if shop.run is not None and shop.run.waits_at is not None]

    async def start(self, shop: Shop) -> None:
        shop.token += 1
        lane = self.world.lane(shop.account, token=shop.token)
        flow = OrderFlow(self.world.context(shop.account, lane))
        task = asyncio.ensure_future(flow.run(order_entry(shop.account, shop.facts)))
        shop.run = self._runs[task] = Run(shop.account, lane, task)
        await self._settle()

    async def go_on(self, run: Run, fault: BaseException | None = None) -> None:
        assert run.waits_at is not None
        name, gate = run.waits_at
        run.waits_at = None
        if fault is None:
            gate.set_result(None)
        else:
            gate.set_exception(fault)
        self._shop_of(run).history.append(name if fault is None else f"{name}!")
        await self._settle()

    async def cancel(self, run: Run) -> None:
        """Cancels the run as a stopping process does. Its cleanup handlers run, and their statements succeed."""
        run.task.cancel()
        run.waits_at = None
        await self._settle()

    def kill(self, run: Run) -> None:
        """Kills the run as SIGKILL does. The lane has work again when the lease has expired."""
        self._put_aside(run)
        run.asleep = False

    def put_to_sleep(self, run: Run) -> None:
        """Stops the run as SIGSTOP does. It can be woken even if the lane has another owner by then."""
        self._put_aside(run)
        self.sleepers.append(run)

    async def wake(self, run: Run) -> None:
        """Continues the run to its end while all other runs are stopped."""
        self.sleepers.remove(run)
        for _ in range(200):
            if run.task.done():
                return
            await self.go_on(run)
        raise AssertionError("a woken run does not end")

    def _put_aside(self, run: Run) -> None:
        shop = self._shop_of(run)
        run.asleep = True
        run.lane.taken_over = True
        self.world.start_process()
        shop.run = None
        shop.due = self.world.clock.database_now() + timedelta(seconds=max(run.lane.lease_ends_at - self.world.clock(), 0.0))

    def _shop_of(self, run: Run) -> Shop:
        return next(shop for shop in self.shops if shop.account is run.account)

    async def _settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for shop in self.shops:
            if shop.run is not None and shop.run.task.done():
                self._ended(shop, shop.run)

    def _ended(self, shop: Shop, run: Run) -> None:
        """Applies the run's result as the engine does. A run without a verdict is claimed again at once, a PENDING one when it is due."""
        shop.run, now = None, self.world.clock.database_now()
        if run.task.cancelled() or isinstance(run.task.exception(), DatabaseGone | RunInterrupted):
            shop.due = now
            return
        verdict = run.task.result()
        if verdict.state is not EntryState.PENDING:
            shop.answer = verdict
            return
        shop.due = verdict.not_before or now + timedelta(seconds=verdict.wait_seconds)
        if verdict.disposition in (Disposition.RETRY, Disposition.PAUSE_SIDE):
            shop.due = now + timedelta(seconds=max(verdict.retry_after_seconds or 0.0, 15.0))

    async def finish(self) -> None:
        """Runs everything to its end without further faults, the sleeping runs last."""
        for _ in range(2000):
            if all(shop.answer is not None for shop in self.shops):
                break
            if runs := self.waiting():
                await self.go_on(runs[0])
            elif shops := self.startable():
                await self.start(shops[0])
            else:
                self.world.clock.advance_to(min(shop.due for shop in self.shops if shop.answer is None and shop.due is not None))
        else:
            raise AssertionError([shop.history[-20:] for shop in self.shops if shop.answer is None])
        for run in list(self.sleepers):
            await self.wake(run)

    async def close(self) -> None:
        for task in self._runs:
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
