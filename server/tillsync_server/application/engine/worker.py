"""Leases ready lanes, runs a LaneRunner on each, and releases them. Any number of processes share the work."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from tillsync_server.application.concurrency.recent import Recent
from tillsync_server.application.engine.lane_runner import LaneRunner, LaneServices
from tillsync_server.application.engine.lane_statements import LaneStatements, WorkerCounters
from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.application.engine.lease_renewal import LeaseRenewal
from tillsync_server.application.engine.lease_signal import LeaseSignal
from tillsync_server.application.engine.leased_lane import AccountReader, LaneState, LeasedLane
from tillsync_server.application.engine.lost_answers import LostAnswers
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.slots import Probes, ProvenSides, Slots
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.handler import EntryHandler
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease, LaneOffer, LaneStore
from tillsync_server.ports.wakeups import WakeUps

_LOG = structlog.get_logger(__name__)
_LEASE_ANSWER_SECONDS = 2.0
_CANCELLED_SECONDS = 5.0
_LOST_ANSWER_SECONDS = 1.0
_LEASED_AT_ONCE = 256
_BULK_LEASED_AT_ONCE = 32
_EARLY_WAKE_UPS_KEPT = 1000
_SKIPPED_SECONDS = 0.02
"""Another session holds the row lock of a ready lane and sends no notification on release. Lease again after this delay, then twice it."""


def new_owner() -> str:
    """Returns the owner of this process's leases. It is random, so that a restarted process never continues a lease of its predecessor."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Worker:
    """``database_gone``: exceptions that mean that the database is unreachable. The worker retries without limit."""

    def __init__(
        self,
        store: LaneStore,
        wakeups: WakeUps,
        handler: EntryHandler,
        accounts: AccountReader,
        settings: EngineSettings,
        *,
        database_gone: tuple[type[BaseException], ...] = (OSError,),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.owner = new_owner()
        self.counters = WorkerCounters()
        self.slots = Slots(settings.lane_slots, settings.live_reserved_slots, settings.entry_slots)
        self.probes = Probes(settings.probe_slots)
        self._store = store
        self._settings = settings
        self._accounts = accounts
        self._clock = clock
        self._lease_signal = LeaseSignal()
        self._statements = LaneStatements(store, self.counters, database_gone, self._lease_signal)
        self._renewal = LeaseRenewal(store, lease_seconds=settings.lease_seconds, clock=clock)
        self._lost_answers = LostAnswers(store, lease_seconds=settings.lease_seconds, clock=clock)
        self._offers = itertools.count(1)
        self._services = LaneServices(settings, handler, self._statements, self.slots, self.probes, ProvenSides())
        self._runners: dict[AccountId, LaneRunner] = {}
        self._early_wake_ups: Recent[AccountId, None] = Recent(_EARLY_WAKE_UPS_KEPT)
        """Lanes without a runner for which live work was announced. The answer to the statement that leases the lane may be under way."""
        self._lane_tasks: set[asyncio.Task[None]] = set()
        self._skipped_seconds = _SKIPPED_SECONDS
        self._lease_again_seconds = settings.poll_floor_seconds
        self._stopping = False
        self._leasing: asyncio.Task[None] | None = None
        self._main: asyncio.Task[None] | None = None
        wakeups.on_lanes_ready(self._lease_signal.set)
        wakeups.on_live_work(self._wake_lane)

    @property
    def leased_accounts(self) -> list[AccountId]:
        return list(self._runners)

    def start(self) -> None:
        self._main = asyncio.create_task(self._work(), name="worker")

    async def stop(self) -> None:
        """Releases every lane. Running entries get a grace period, then they are cancelled.

        Ends in bounded time, even if the database never answers.
        """
        self._stopping = True
        self._lease_signal.set()
        for runner in self._runners.values():
            # invariant: stops-end-lanes
            runner.lane.end(LaneState.STOPPING)
        if self._leasing is not None:  # not cancelled at once: lanes that it has just leased would wait for the end of their leases
            await asyncio.wait([self._leasing], timeout=min(self._settings.stop_grace_seconds, _LEASE_ANSWER_SECONDS))
            self._leasing.cancel()
        if self._lane_tasks:
            _, late = await asyncio.wait(self._lane_tasks, timeout=self._settings.stop_grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_CANCELLED_SECONDS)
        await self._statements.stop()
        if self._main is not None:
            self._main.cancel()
            await asyncio.wait([self._main])
            self._main = self._leasing = None

    def _wake_lane(self, account_id: AccountId) -> None:
        runner = self._runners.get(account_id)
        if runner is not None:
            runner.wake()
        else:
            # invariant: early-wake-ups-are-kept
            self._early_wake_ups.keep(account_id, None)

    async def _work(self) -> None:
        settings = self._settings
        async with asyncio.TaskGroup() as tasks:
            self._leasing = tasks.create_task(self._lease_lanes(), name="lease")
            tasks.create_task(self._repeat("renew", self._renew, settings.lease_seconds / 12), name="renew")
            tasks.create_task(self._repeat("lost_answers", self._lost_answers.release, _LOST_ANSWER_SECONDS), name="lost answers")
            tasks.create_task(self._repeat("sweep", self._sweep, settings.sweep_seconds), name="sweep")

    async def _repeat(self, what: str, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._guarded(what, work)

    async def _guarded(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """A fault of ours, or an absence of the database, never ends a loop of the worker."""
        try:
            await work()
        except self._statements.database_gone as error:
            self._statements.database_failed(what, error)
        except Exception:  # noqa: BLE001 - as above
            _LOG.exception("recurring_work_failed", task=what)

    async def _renew(self) -> None:
        await self._renewal.renew_due([runner.lane for runner in self._runners.values()])

    async def _sweep(self) -> None:
        """Finds lanes whose wake-up was lost. The counter must stay 0."""
        found = await self._store.repair_lost_wakeups()
        if found:
            self.counters.lost_wakeups += found
            _LOG.error("lost_wakeups", lanes=found)

    # leasing

    def offer(self, most: int) -> LaneOffer | None:
        """Returns an offer for the store of a call that makes up to ``most`` lanes due. None without room for them, or while others wait.

        The offer calls back: the store starts the lane in the turn in which its commit returns, before the entry's caller is answered.
        """
        slots = self.slots
        if self._leasing is None or self._stopping or slots.lanes_wait or self._statements.are_behind or most > slots.free_lanes:
            return None
        owner = f"{self.owner}:{next(self._offers)}"
        start = partial(self._start_lane, self._clock())
        return LaneOffer(owner, self._settings.lease_seconds, start, partial(self._lost_answers.note, owner))

    async def _lease_lanes(self) -> None:
        while not self._stopping:
            self._lease_signal.event.clear()
            self._lease_again_seconds = self._settings.poll_floor_seconds
            await asyncio.sleep(0)  # lets the lanes leased just now submit their claims, which show whether the database is behind
            await self._guarded("lease", self._lease)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._lease_again_seconds):
                    await self._lease_signal.event.wait()

    async def _lease(self) -> None:
        slots, asked_at = self.slots, self._clock()
        left, is_behind = max(slots.free_lanes, 0), self._statements.are_behind
        # invariant: bulk-lanes-wait-for-the-database
        bulk_limit = 0 if is_behind else min(slots.free_lanes_for_bulk, _BULK_LEASED_AT_ONCE)
        if self.probes.free <= 0:
            self.probes.set_when_free(self._lease_signal.event)
        leased = await self._store.lease(
            self.owner,
            limit=min(left, _LEASED_AT_ONCE),
            bulk_limit=bulk_limit,
            probe_limit=min(left, self.probes.free),
            lease_seconds=self._settings.lease_seconds,
        )
        for lease in leased.leases:
            self._start_lane(asked_at, lease)
        due = leased.seconds_until_due
        is_ready = due is not None and due <= 0
        self._lease_signal.waits_for_database = is_ready and is_behind
        # with more slots free than are reserved for live work, a ready lane has only just become ready, or is locked
        slots.lanes_wait = is_ready and (is_behind or slots.free_lanes <= slots.live_reserved_lanes)
        if is_ready and (slots.free_lanes > left - len(leased.leases) or len(leased.leases) >= _BULK_LEASED_AT_ONCE):
            self._lease_signal.set()  # a slot was released before this lease reported a shortage, or more lanes are ready
        if leased.leases or not is_ready:
            self._skipped_seconds = _SKIPPED_SECONDS
        if due is not None and due > 0:
            self._lease_again_seconds = min(self._lease_again_seconds, due)
        elif is_ready and not slots.lanes_wait:
            self._lease_again_seconds = min(self._lease_again_seconds, self._skipped_seconds)
            self._skipped_seconds *= 2

    def _start_lane(self, asked_at: float, lease: LaneLease, entries: Sequence[ClaimedEntry] = ()) -> None:
        """``entries``: the entries that were claimed with the lease."""
        self.counters.leases += 1
        if lease.lapses:
            self.counters.lapsed_leases += 1
            _LOG.warning("lane_taken_over", account_id=lease.account_id, lapses=lease.lapses)
        lane = LeasedLane(lease, LeaseClock(self._settings, asked_at, self._clock), self._accounts, self._renewal.renew_one)
        predecessor = self._runners.get(lease.account_id)
        if predecessor is not None:  # the earlier lease of this process ran out while the process was suspended: the new one counts
            predecessor.lane.end(LaneState.LOST)
        runner = self._runners[lease.account_id] = LaneRunner(self._services, lane, entries)
        if lease.account_id in self._early_wake_ups:
            del self._early_wake_ups[lease.account_id]
            runner.wake()
        if self._stopping:
            lane.end(LaneState.STOPPING)
        self.slots.lanes_taken += 1
        task = asyncio.create_task(self._run_lane(runner), name=f"lane:{lease.account_id}")
        self._lane_tasks.add(task)
        task.add_done_callback(self._lane_tasks.discard)

    async def _run_lane(self, runner: LaneRunner) -> None:
        lane, account_id = runner.lane, runner.lane.lease.account_id
        try:
            await runner.run()
        except asyncio.CancelledError:
            pass  # the grace period of the stop is over: the running entries stay PENDING, and the lane is released all the same
        except Exception:  # noqa: BLE001 - a bug in one lane must not stop the others
            _LOG.exception("lane_failed", account_id=account_id)
        if self._runners.get(account_id) is runner:
            del self._runners[account_id]
        self.slots.lanes_taken -= 1
        if lane.is_lost:
            self.counters.lost_leases += 1
        else:
            await self._guarded("release", lambda: self._statements.release(lane))
        if self.slots.lanes_wait:
            self._lease_signal.set()
