"""Enqueues hints for the Customers Queue in micro-batches. A hint is committed before its caller is answered (invariant 1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tillsync_server.application.concurrency.keyed_batcher import KeyedBatcher
from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.application.concurrency.recent import Recent
from tillsync_server.domain.errors import Unavailable
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import EnqueueResult, HintStore, NewHint

LINGER_SECONDS = 0.004
"""Wait of a flush while many call. With 64 callers a flush then has twenty hints instead of ten, which saves a fifth of the CPU of a call.
A lone caller never waits, and neither do callers at some hundred calls a second."""
_CROWD = 6
"""High enough that a stall at some hundred calls a second does not start a wait that prolongs itself."""

BUSY_SECONDS = 10.0
"""Time after a locked lane during which an account's hints have statements of their own. Each waits a second or two for the lock."""
_BUSY_AT_ONCE, _BUSY_KEPT = 4, 1000


class Enqueuer:
    """One per process. Methods raise NotFound, Unavailable, or an error of the database. ``clock`` is monotonic."""

    def __init__(
        self,
        store: HintStore,
        *,
        max_batch: int = 500,
        linger_seconds: float = LINGER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._batcher: MicroBatcher[NewHint, EnqueueResult] = MicroBatcher(
            store.enqueue, name="enqueue", max_items=max_batch, linger_seconds=linger_seconds, crowd=_CROWD
        )
        self._of_busy: KeyedBatcher[AccountId, NewHint, EnqueueResult] = KeyedBatcher(
            store.enqueue, name="enqueue-busy", at_once=_BUSY_AT_ONCE, max_items=max_batch
        )
        self._busy_until: Recent[AccountId, float] = Recent(_BUSY_KEPT)

    async def enqueue(self, hint: NewHint) -> EnqueueResult:
        busy_until = self._busy_until.get(hint.account_id)
        try:
            # invariant: busy-accounts-enqueue-by-themselves
            if busy_until is None or busy_until < self._clock():
                return await self._batcher.submit(hint)
            return await self._of_busy.submit(hint.account_id, hint)
        except Unavailable as error:
            if error.reason == "ACCOUNT_BUSY":
                self._busy_until.keep(hint.account_id, self._clock() + BUSY_SECONDS)
            raise

    async def enqueue_many(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        """Enqueues a bulk caller's batch as one statement, beside the micro-batches of lone callers. The lane locks keep the order."""
        return await self._store.enqueue(hints)

    async def close(self) -> None:
        await self._batcher.close()
        await self._of_busy.close()
