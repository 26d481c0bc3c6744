"""The statements that lanes share: claims, completions and releases of many lanes. The latter two wait while the database is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from zlib import crc32

import structlog

from tillsync_server.application.concurrency.micro_batcher import Done, MicroBatcher
from tillsync_server.application.engine.lease_signal import LeaseSignal
from tillsync_server.application.engine.leased_lane import LaneState, LeasedLane
from tillsync_server.domain.errors import Unavailable
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, ClaimResult, Completion, CompletionResult, LaneLease, LaneStore

_LOG = structlog.get_logger(__name__)
_CLAIMS_AT_ONCE = 8
_COMPLETION_WRITERS = 2
"""One writer works while the commit of another waits for the disk."""
_WAITING_COMPLETIONS = 1000
"""As many as two full statements hold."""
_DATABASE_PATIENCE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
Result = TypeVar("Result")


@dataclass(slots=True)
class WorkerCounters:
    """Counters of one worker, for the metrics."""

    leases: int = 0
    lapsed_leases: int = 0
    lost_leases: int = 0
    claimed: int = 0
    completed: int = 0
    dropped: int = 0
    lost_wakeups: int = 0
    database_errors: int = 0


class LaneStatements:
    """One per process. ``database_gone``: exceptions that mean that the database is unreachable."""

    def __init__(
        self,
        store: LaneStore,
        counters: WorkerCounters,
        database_gone: tuple[type[BaseException], ...],
        lease_signal: LeaseSignal | None = None,
    ) -> None:
        self.database_gone = database_gone
        self._store = store
        self._counters = counters
        self._lease_signal = lease_signal or LeaseSignal()
        self._stopped = asyncio.Event()
        self._claims: MicroBatcher[ClaimRequest, ClaimResult] = MicroBatcher(
            self._claim, name="claim", max_items=_CLAIMS_AT_ONCE, linger_seconds=0.001, retry_singly=False
        )
        self._completions: list[MicroBatcher[Completion, CompletionResult]] = [
            MicroBatcher(self._complete, name=f"complete:{number}", linger_seconds=0.002) for number in range(_COMPLETION_WRITERS)
        ]
        self._releases: MicroBatcher[LeasedLane, None] = MicroBatcher(self._release, name="release")

    @property
    def are_behind(self) -> bool:
        """True while the database is busy to capacity. More lanes would only split the same capacity into smaller claims."""
        return len(self._claims) >= _CLAIMS_AT_ONCE or sum(map(len, self._completions)) >= _WAITING_COMPLETIONS

    async def claim(self, request: ClaimRequest) -> ClaimResult:
        """Claims due entries. Raises ``database_gone``."""
        return await self._claims.submit(request)

    def complete(self, completion: Completion, done: Done[CompletionResult]) -> None:
        """Stores the completion and calls ``done``. Waits until the database answers, at the latest until :meth:`stop`.

        The completions of a lane are stored in order.
        """
        writer = crc32(completion.lease.account_id.encode()) % len(self._completions)
        self._completions[writer].put(completion, done)

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, delay_seconds: float) -> bool:
        return await self._store.charge_first(lease, entry, delay_seconds=delay_seconds)

    async def release(self, lane: LeasedLane) -> None:
        """Retries until :meth:`stop`. A lane that is leased and not run would wait until its lease ends."""
        with contextlib.suppress(*self.database_gone):
            await self._retry_until_answered("release", lambda: self._releases.submit(lane))

    async def stop(self) -> None:
        """Stores what was submitted if the database answers, and stops waiting for it otherwise."""
        self._stopped.set()
        await self._claims.close()
        for completions in self._completions:
            await completions.close()
        await self._releases.close()

    async def _claim(self, requests: Sequence[ClaimRequest]) -> Sequence[ClaimResult | Exception]:
        try:
            claimed = await self._store.claim(requests)
        finally:  # also after a failed claim: lanes wait for the database only while a statement is under way
            self._statement_ended()
        self._counters.claimed += sum(len(each.entries) for each in claimed)
        return claimed

    async def _complete(self, completions: Sequence[Completion]) -> Sequence[CompletionResult | Exception]:
        """Retries until the database answers. The fence drops completions of lanes that another process has leased meanwhile."""
        try:
            results = await self._retry_until_answered("complete", lambda: self._store.complete(completions))
        except self.database_gone as error:
            raise Unavailable("the database does not answer") from error
        dropped = results.count(CompletionResult.DROPPED)
        self._counters.dropped += dropped
        self._counters.completed += len(results) - dropped - sum(isinstance(each, Exception) for each in results)
        self._statement_ended()
        return results

    def _statement_ended(self) -> None:
        if not self.are_behind:
            self._lease_signal.database_caught_up()

    async def _release(self, lanes: Sequence[LeasedLane]) -> Sequence[Exception | None]:
        await self._store.release([lane.lease for lane in lanes], clean=[lane.state is LaneState.DRAINED for lane in lanes])
        return [None] * len(lanes)

    async def _retry_until_answered(self, what: str, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Retries ``ask``. Raises ``database_gone`` after :meth:`stop`."""
        patience = iter(_DATABASE_PATIENCE_SECONDS)
        while True:
            try:
                return await ask()
            except self.database_gone as error:
                self.database_failed(what, error)
                if self._stopped.is_set():
                    raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(next(patience, _DATABASE_PATIENCE_SECONDS[-1])):
                    await self._stopped.wait()

    def database_failed(self, what: str, error: BaseException) -> None:
        self._counters.database_errors += 1
        _LOG.warning("database_unavailable", during=what, error=type(error).__name__)
