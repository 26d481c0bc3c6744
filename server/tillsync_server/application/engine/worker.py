"""Leases ready lanes, keeps the leases, runs a LaneRunner on each, gives them back. Any number of processes share the work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.application.engine.idle_lanes import IdleLanes
from tillsync_server.application.engine.lane_runner import AccountReader, LaneRunner, LaneServices
from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.handler import EntryHandler
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, LaneLease, LaneStore, Written
from tillsync_server.ports.wakeups import WakeUps

_LOG = structlog.get_logger(__name__)
_COMPLETION_WRITERS = 2
"""One writes while another's commit waits for the disk."""
_DATABASE_PATIENCE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
_LEASE_ANSWER_SECONDS = 2.0
_SKIPPED_SECONDS = 0.02
"""A ready lane that was not leased is just now locked by somebody who tells nobody when he is done."""


def new_owner() -> str:
    """Names this process's leases; random, so that a restarted process never takes itself for its predecessor."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(slots=True)
class WorkerCounters:
    """Read by the metrics."""

    leases: int = 0
    lapsed_leases: int = 0
    lost_leases: int = 0
    claimed: int = 0
    completed: int = 0
    dropped: int = 0
    lost_wakeups: int = 0
    database_errors: int = 0


@dataclass(slots=True)
class _Running:
    runner: LaneRunner
    task: asyncio.Task[None] = field(init=False)


class Worker:
    """``database_gone``: exceptions that mean the database cannot be asked now (waited out, never given up on)."""

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
        self._store = store
        self._settings = settings
        self._database_gone = database_gone
        self._clock = clock
        self._lanes: dict[AccountId, _Running] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._slots_missing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._releasing: set[asyncio.Task[None]] = set()
        self._releases: MicroBatcher[tuple[LaneLease, bool], None] = MicroBatcher(self._release, name="release")
        self._idle = IdleLanes(
            most=settings.idle_lanes,
            slots=settings.lane_slots,
            live_reserved_slots=settings.live_reserved_slots,
            leased=lambda: len(self._lanes),
            others_wait=lambda: self._slots_missing,
        )
        self._services = LaneServices(
            settings=settings,
            handler=handler,
            accounts=accounts,
            claims=MicroBatcher(self._claim, name="claim", max_items=8, linger_seconds=0.001, retry_singly=False),
            completions=[
                MicroBatcher(self._complete, name=f"complete:{number}", linger_seconds=0.002) for number in range(_COMPLETION_WRITERS)
            ],
            renew=self._renew_one,
            charge_first=lambda lease, entry, delay: store.charge_first(lease, entry, delay_seconds=delay),
            others_wait=lambda: self._slots_missing,
            idle=self._idle,
            clock=clock,
        )
        wakeups.on_lanes_ready(self._wake.set)
        wakeups.on_live_work(self._poke)

    # life

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._lease_lanes(), name="lease"),
            asyncio.create_task(self._keep_leases(), name="renew"),
            asyncio.create_task(self._sweep(), name="sweep"),
        ]

    async def stop(self) -> None:
        """Give every lane back: runs get a grace, then they are cancelled. Bounded in time, even if the database never answers."""
        self._stopping = True
        self._wake.set()
        for running in self._lanes.values():
            running.runner.stop()
        if self._tasks:  # not cancelled in the middle: what it has just leased would wait for the end of that lease
            await asyncio.wait(self._tasks[:1], timeout=min(self._settings.stop_grace_seconds, _LEASE_ANSWER_SECONDS))
        for task in self._tasks[:1] + self._tasks[2:]:
            task.cancel()
        for running in self._lanes.values():  # those leased meanwhile too
            running.runner.stop()
        runs = [*(running.task for running in self._lanes.values()), *self._releasing]
        if runs:
            _, late = await asyncio.wait(runs, timeout=self._settings.stop_grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @property
    def leased_accounts(self) -> list[AccountId]:
        return list(self._lanes)

    @property
    def idle_lanes(self) -> int:
        """Of these, drained and kept for a moment."""
        return len(self._idle)

    @property
    def slots_missing(self) -> bool:
        """Lanes are ready that found no slot."""
        return self._slots_missing

    def _poke(self, account_id: AccountId) -> None:
        running = self._lanes.get(account_id)
        if running is not None:
            running.runner.poke()

    # leasing

    async def _lease_lanes(self) -> None:
        skipped_seconds = _SKIPPED_SECONDS
        while not self._stopping:
            self._wake.clear()
            wait = self._settings.poll_floor_seconds
            try:
                free = left = self._idle.free_slots
                leases: list[LaneLease] = []
                if free > 0:
                    bulk = max(free - self._settings.live_reserved_slots, 0)
                    asked_at = self._clock()
                    seconds = self._settings.lease_seconds
                    with self._idle.asking_for(free):
                        leases = await self._store.lease(self.owner, limit=free, bulk_limit=bulk, lease_seconds=seconds)
                        for lease in leases:
                            self._start_lane(lease, asked_at)
                    left = free - len(leases)
                due = await self._store.seconds_until_due()
                # with more slots free than are kept for live work, a lane that is ready has only just become so
                is_ready = due is not None and due <= 0
                self._slots_missing = is_ready and self._idle.free_slots <= self._settings.live_reserved_slots
                if is_ready and self._idle.free_slots > left:
                    self._wake.set()  # one was freed meanwhile, when nobody knew yet that it was missing
                if self._slots_missing:
                    self._idle.stand_in_line()
                if due is not None and due > 0:
                    wait = min(wait, due)
                if leases or not is_ready:
                    skipped_seconds = _SKIPPED_SECONDS
                if is_ready and not self._slots_missing:
                    wait = min(wait, skipped_seconds)
                    skipped_seconds *= 2
            except self._database_gone as error:
                self._database_failed("lease", error)
            except Exception:  # noqa: BLE001 - a fault of ours in one turn never ends the leasing
                _LOG.exception("lease_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    def _start_lane(self, lease: LaneLease, asked_at: float) -> None:
        self.counters.leases += 1
        if lease.lapses:
            self.counters.lapsed_leases += 1
            _LOG.warning("lane_taken_over", account_id=lease.account_id, lapses=lease.lapses)
        running = _Running(LaneRunner(self._services, lease, LeaseClock(self._settings, asked_at, self._clock)))
        predecessor = self._lanes.get(lease.account_id)
        if predecessor is not None:  # our own lease ran out (this process was stopped for a while): the new one counts
            predecessor.runner.lose()
        self._lanes[lease.account_id] = running
        running.task = asyncio.create_task(self._run_lane(running), name=f"lane:{lease.account_id}")

    async def _run_lane(self, running: _Running) -> None:
        runner, account_id = running.runner, running.runner.lease.account_id
        clean = False
        try:
            await runner.run()
            clean = runner.drained
        except self._database_gone as error:
            self._database_failed("run", error)
            await runner.writes_ended()
        except asyncio.CancelledError:
            pass  # the stop's grace is over: what ran stays PENDING, and the lane is given back all the same
        except Exception:  # noqa: BLE001 - a fault of ours in one lane never stops the others
            _LOG.exception("lane_failed", account_id=account_id)
        if self._lanes.get(account_id) is running:
            del self._lanes[account_id]
        self._releasing.add(running.task)
        running.task.add_done_callback(self._releasing.discard)
        self._idle.slot_freed()
        if runner.is_lost:
            self.counters.lost_leases += 1
        else:
            await self._give_back(runner, clean=clean)
        if self._slots_missing:
            self._wake.set()

    async def _give_back(self, runner: LaneRunner, *, clean: bool) -> None:
        """Tried again while the lease lasts: a lane that is leased and not run would wait for its end."""
        patience = iter(_DATABASE_PATIENCE_SECONDS)
        try:
            while True:
                try:
                    return await self._releases.submit((runner.lease, clean))
                except self._database_gone as error:
                    self._database_failed("release", error)
                seconds = next(patience, _DATABASE_PATIENCE_SECONDS[-1])
                if self._stopping or runner.lease_clock.seconds_left <= seconds:
                    return None  # the lease runs out by itself
                await asyncio.sleep(seconds)
        except Exception:  # noqa: BLE001 - as above
            _LOG.exception("release_failed", account_id=runner.lease.account_id)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 12)
            due = [running.runner for running in self._lanes.values() if running.runner.lease_clock.wants_renewal]
            if not due:
                continue
            try:
                await self._renew(due)
            except self._database_gone as error:
                self._database_failed("renew", error)
            except Exception:  # noqa: BLE001 - without this task every lease of the process would run out
                _LOG.exception("renew_failed")

    async def _renew(self, runners: Sequence[LaneRunner]) -> None:
        asked_at = self._clock()
        renewed = await self._store.renew([runner.lease for runner in runners], lease_seconds=self._settings.lease_seconds)
        for runner, ours in zip(runners, renewed, strict=True):
            if ours:
                runner.lease_clock.renewed(asked_at)
            elif ours is None:  # asked again at the next turn; nothing is sent once too little of the lease is left
                _LOG.warning("lane_locked", account_id=runner.lease.account_id)
            else:
                _LOG.warning("lease_lost", account_id=runner.lease.account_id)
                runner.lose()

    async def _renew_one(self, lease: LaneLease) -> bool:
        running = self._lanes.get(lease.account_id)
        if running is None or running.runner.lease != lease:
            return False
        await self._renew([running.runner])
        return not running.runner.is_lost

    async def _sweep(self) -> None:
        """The floor under every wake-up. What it finds was lost: the counter must stay 0."""
        while True:
            await asyncio.sleep(self._settings.sweep_seconds)
            try:
                found = await self._store.repair_lost_wakeups()
            except self._database_gone as error:
                self._database_failed("sweep", error)
                continue
            except Exception:  # noqa: BLE001 - as above
                _LOG.exception("sweep_failed")
                continue
            if found:
                self.counters.lost_wakeups += found
                _LOG.error("lost_wakeups", lanes=found)

    # batched statements

    async def _claim(self, requests: Sequence[ClaimRequest]) -> Sequence[list[ClaimedEntry] | Exception]:
        claimed = await self._store.claim(requests)
        self.counters.claimed += sum(map(len, claimed))
        return claimed

    async def _complete(self, completions: Sequence[Completion]) -> Sequence[Written | Exception]:
        """Waits the database out: what was done outside is recorded once it is back, if the lane is still ours then."""
        patience = iter(_DATABASE_PATIENCE_SECONDS)
        while True:
            try:
                written = await self._store.complete(completions)
            except self._database_gone as error:
                self._database_failed("complete", error)
                await asyncio.sleep(next(patience, _DATABASE_PATIENCE_SECONDS[-1]))
                continue
            dropped = written.count(Written.DROPPED)
            self.counters.dropped += dropped
            self.counters.completed += len(written) - dropped - sum(isinstance(each, Exception) for each in written)
            return written

    async def _release(self, releases: Sequence[tuple[LaneLease, bool]]) -> Sequence[Exception | None]:
        await self._store.release([lease for lease, _ in releases], clean=[clean for _, clean in releases])
        return [None] * len(releases)

    def _database_failed(self, what: str, error: BaseException) -> None:
        self.counters.database_errors += 1
        _LOG.warning("database_unavailable", during=what, error=type(error).__name__)
