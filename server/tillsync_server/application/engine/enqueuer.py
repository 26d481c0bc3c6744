"""The way in: hints for the Customers Queue, micro-batched; committed before they are answered (invariant 1)."""

from __future__ import annotations

from collections.abc import Sequence

from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.ports.lanes import EnqueueResult, HintStore, NewHint

LINGER_SECONDS = 0.004
"""Waited only in a crowd. With 64 callers a flush then carries twenty hints instead of ten, which saves a fifth of the CPU of a call;
a lone caller, and up to some hundred calls a second, never wait."""
_CROWD = 6
"""So many that a stall among some hundred calls a second does not start a lingering that keeps itself going."""


class Enqueuer:
    """One per process. A caller's exception is NotFound or Unavailable; anything else is the database's own."""

    def __init__(self, store: HintStore, *, max_batch: int = 500, linger_seconds: float = LINGER_SECONDS) -> None:
        self._store = store
        self._batcher: MicroBatcher[NewHint, EnqueueResult] = MicroBatcher(
            store.enqueue, name="enqueue", max_items=max_batch, linger_seconds=linger_seconds, crowd=_CROWD
        )

    async def enqueue(self, hint: NewHint) -> EnqueueResult:
        return await self._batcher.submit(hint)

    async def enqueue_many(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        """A bulk caller's batch goes as it is, beside the micro-batches of lone callers; its lane locks keep the order."""
        return await self._store.enqueue(hints)

    async def close(self) -> None:
        await self._batcher.close()
