"""Callers that wait for the end of an entry. NOTIFY wakes them, one batched poll covers lost notifications, and each account has a cap."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog

from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.domain.errors import ResourceExhausted
from tillsync_server.domain.ids import AccountId, EntryId
from tillsync_server.ports.wakeups import WakeUps

_LOG = structlog.get_logger(__name__)
POLL_SECONDS = 0.5
MAX_WAITERS_PER_ACCOUNT = 200

AnswerableEntries = Callable[[Sequence[tuple[AccountId, EntryId]]], Awaitable[set[EntryId]]]


class EntryWaiters:
    """A caller registers, then reads the entry, then waits. So it does not miss an end between its read and its wait."""

    def __init__(self, wakeups: WakeUps, answerable: AnswerableEntries, *, max_per_account: int = MAX_WAITERS_PER_ACCOUNT) -> None:
        """``answerable``: returns which of these entries have ended, are held, or are not about to run. One query serves a whole poll."""
        self._answerable = answerable
        self._max_per_account = max_per_account
        self._waiting: dict[EntryId, set[asyncio.Event]] = {}
        self._accounts: dict[EntryId, AccountId] = {}
        self._per_account: Counter[AccountId] = Counter()
        self._tasks = BackgroundTasks()
        self._is_polling = self._is_closed = False
        wakeups.on_entry_finished(self._wake)

    @contextlib.asynccontextmanager
    async def registered(self, account_id: AccountId, entry_id: EntryId) -> AsyncIterator[asyncio.Event]:
        """Yields an event that is set when the entry may have changed. Raises ResourceExhausted above the account's cap."""
        if self._per_account[account_id] >= self._max_per_account:
            raise ResourceExhausted(
                f"account {account_id}: {self._max_per_account} calls wait for orders; use BatchMatchOrderCustomers, which never waits",
                reason="TOO_MANY_WAITERS",
                retry_after_seconds=1.0,
            )
        event = asyncio.Event()
        self._per_account[account_id] += 1
        self._waiting.setdefault(entry_id, set()).add(event)
        self._accounts[entry_id] = account_id
        if not self._is_polling and not self._is_closed:
            self._is_polling = True
            self._tasks.start(self._poll(), name="waiters-poll")
        try:
            yield event
        finally:
            self._per_account[account_id] -= 1
            if not self._per_account[account_id]:
                del self._per_account[account_id]
            events = self._waiting[entry_id]
            events.discard(event)
            if not events:
                del self._waiting[entry_id]
                del self._accounts[entry_id]

    async def close(self) -> None:
        """Ends the poll. Callers that still wait return at their own deadlines."""
        self._is_closed = True
        await self._tasks.stop()

    def _wake(self, entry_id: EntryId) -> None:
        for event in self._waiting.get(entry_id, ()):
            event.set()

    async def _poll(self) -> None:
        while self._waiting:
            await asyncio.sleep(POLL_SECONDS)
            if not self._waiting:
                break
            waiting = [(account_id, entry_id) for entry_id, account_id in self._accounts.items()]
            try:
                for entry_id in await self._answerable(waiting):
                    self._wake(entry_id)
            except Exception as error:  # noqa: BLE001 - the next poll repeats the query; callers have their own deadlines
                _LOG.warning("waiters_poll_failed", error=type(error).__name__)
        self._is_polling = False
