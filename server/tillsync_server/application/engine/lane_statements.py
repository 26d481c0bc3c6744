"""The statements that lanes share: claims, completions and releases of many lanes in one, waited for while the database is away."""

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
"""One writes while another's commit waits for the disk."""
_WAITING_COMPLETIONS = 1000
"""Two statements' full."""
_DATABASE_PATIENCE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
Result = TypeVar("Result")


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


class LaneStatements:
    """One per process. ``database_gone``: exceptions that mean the database cannot be asked now."""

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
        """The database has all that it can do: more lanes would only share it, each in smaller pieces."""
        return len(self._claims) >= _CLAIMS_AT_ONCE or sum(map(len, self._completions)) >= _WAITING_COMPLETIONS

    async def claim(self, request: ClaimRequest) -> ClaimResult:
        """Raises ``database_gone``."""
        return await self._claims.submit(request)

    def complete(self, completion: Completion, done: Done[CompletionResult]) -> None:
        """Waits until the database answers, at the latest until :meth:`stop`. A lane's completions are stored in order."""
        writer = crc32(completion.lease.account_id.encode()) % len(self._completions)
        self._completions[writer].put(completion, done)

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, delay_seconds: float) -> bool:
        return await self._store.charge_first(lease, entry, delay_seconds=delay_seconds)

    async def release(self, lane: LeasedLane) -> None:
        """Tried again until :meth:`stop`: a lane that is leased and not run would wait for the end of its lease."""
        with contextlib.suppress(*self.database_gone):
            await self._once_it_answers("release", lambda: self._releases.submit(lane))

    async def stop(self) -> None:
        """What was submitted is stored if the database answers; nothing waits for it any more."""
        self._stopped.set()
        await self._claims.close()
        for completions in self._completions:
            await completions.close()
        await self._releases.close()

    async def _claim(self, requests: Sequence[ClaimRequest]) -> Sequence[ClaimResult | Exception]:
        try:
            claimed = await self._store.claim(requests)
        finally:  # also of one that failed: lanes wait for the database only while there is something on the way
            self._ended()
        self._counters.claimed += sum(len(each.entries) for each in claimed)
        return claimed

    async def _complete(self, completions: Sequence[Completion]) -> Sequence[CompletionResult | Exception]:
        """What was done outside is recorded once the database is back, if the lane is still ours then."""
        try:
            written = await self._once_it_answers("complete", lambda: self._store.complete(completions))
        except self.database_gone as error:
            raise Unavailable("the database does not answer") from error
        dropped = written.count(CompletionResult.DROPPED)
        self._counters.dropped += dropped
        self._counters.completed += len(written) - dropped - sum(isinstance(each, Exception) for each in written)
        self._ended()
        return written

    def _ended(self) -> None:
        if not self.are_behind:
            self._lease_signal.database_caught_up()

    async def _release(self, lanes: Sequence[LeasedLane]) -> Sequence[Exception | None]:
        await self._store.release([lane.lease for lane in lanes], clean=[lane.state is LaneState.DRAINED for lane in lanes])
        return [None] * len(lanes)

    async def _once_it_answers(self, what: str, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Raises ``database_gone`` once stopped."""
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
