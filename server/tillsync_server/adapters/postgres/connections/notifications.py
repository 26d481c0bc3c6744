"""Sends and receives notifications by NOTIFY and LISTEN, on one connection and one channel for each schema. Notifications of one moment
share a message. Polling replaces lost ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from uuid import UUID

import asyncpg
import structlog

from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Connection, Database
from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.domain.ids import AccountId, EntryId

_LOG = structlog.get_logger(__name__)
_MIN_INTERVAL_SECONDS = 0.001
_BUSY_INTERVAL_SECONDS = 0.01
"""Delay between two messages of a busy process, because each message wakes every listener. Later notifications share the next message."""
_BUSY_COUNT = 8
_MAX_IDS_PER_MESSAGE = 150  # a NOTIFY payload holds less than 8000 bytes
_RECONNECT_SECONDS = 1.0

_LANES_READY, _TOKENS_CHANGED, _ACCOUNTS_CHANGED, _ORDER_EVENTS, _SALES_WAITING, _REQUEUE_WAITING = "w", "t", "a", "e", "p", "q"
"""Keys of a message for notifications without ids. A release ignores the keys that it does not know."""
_SIGNALS = (_LANES_READY, _TOKENS_CHANGED, _ACCOUNTS_CHANGED, _ORDER_EVENTS, _SALES_WAITING, _REQUEUE_WAITING)
_LIVE_WORK, _FINISHED, _SENDER = "l", "f", "s"


class PostgresNotifications:
    """Implements ports.wakeups.Notifier and WakeUps for one process.

    Listeners of this process are called at once. The process ignores its own messages when PostgreSQL returns them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channel = f"tillsync_{database.schema}"
        self._sender = secrets.token_hex(4)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._pending_signals: dict[str, None] = {}
        self._pending_live: dict[AccountId, None] = {}
        self._pending_finished: dict[EntryId, None] = {}
        self._has_pending = asyncio.Event()
        self._signal_listeners: dict[str, list[Callable[[], None]]] = {signal: [] for signal in _SIGNALS}
        self._live_listeners: list[Callable[[AccountId], None]] = []
        self._finished_listeners: list[Callable[[EntryId], None]] = []
        self._tasks = BackgroundTasks()
        self.listening = asyncio.Event()
        """Set while the LISTEN connection is open."""

    # Notifier

    def lanes_ready(self) -> None:
        self._signal(_LANES_READY)

    def live_work(self, account_id: AccountId) -> None:
        self._pending_live[account_id] = None
        self._has_pending.set()
        self._call_live_work(account_id)

    def entry_finished(self, entry_id: EntryId) -> None:
        self._pending_finished[entry_id] = None
        self._has_pending.set()
        self._call_finished(entry_id)

    def order_events(self) -> None:
        self._signal(_ORDER_EVENTS)

    def sales_waiting(self) -> None:
        self._signal(_SALES_WAITING)

    def requeue_waiting(self) -> None:
        self._signal(_REQUEUE_WAITING)

    def tokens_changed(self) -> None:
        self._signal(_TOKENS_CHANGED)

    def accounts_changed(self) -> None:
        self._signal(_ACCOUNTS_CHANGED)

    def _signal(self, signal: str) -> None:
        self._pending_signals[signal] = None
        self._has_pending.set()
        self._call(signal)

    # WakeUps

    def on_lanes_ready(self, listener: Callable[[], None]) -> None:
        self._signal_listeners[_LANES_READY].append(listener)

    def on_live_work(self, listener: Callable[[AccountId], None]) -> None:
        self._live_listeners.append(listener)

    def on_entry_finished(self, listener: Callable[[EntryId], None]) -> None:
        self._finished_listeners.append(listener)

    def on_order_events(self, listener: Callable[[], None]) -> None:
        self._signal_listeners[_ORDER_EVENTS].append(listener)

    def on_sales_waiting(self, listener: Callable[[], None]) -> None:
        self._signal_listeners[_SALES_WAITING].append(listener)

    def on_requeue_waiting(self, listener: Callable[[], None]) -> None:
        self._signal_listeners[_REQUEUE_WAITING].append(listener)

    def on_tokens_changed(self, listener: Callable[[], None]) -> None:
        self._signal_listeners[_TOKENS_CHANGED].append(listener)

    def on_accounts_changed(self, listener: Callable[[], None]) -> None:
        self._signal_listeners[_ACCOUNTS_CHANGED].append(listener)

    # lifecycle

    def start(self) -> None:
        self._tasks.start(self._send(), name="notify")
        self._tasks.start(self._listen(), name="listen")

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _send(self) -> None:
        while True:
            await self._has_pending.wait()
            self._has_pending.clear()
            is_busy = len(self._pending_live) + len(self._pending_finished) >= _BUSY_COUNT
            payloads = self._drain_payloads()
            try:
                if self._connection is not None:
                    await self._notify(self._connection, payloads)
                else:
                    async with self._database.acquire() as connection:
                        await self._notify(connection, payloads)
            except (asyncpg.PostgresError, *DATABASE_GONE) as error:
                _LOG.warning("notify_failed", error=type(error).__name__)  # the notifications are lost, and polling finds their work
            await asyncio.sleep(_BUSY_INTERVAL_SECONDS if is_busy else _MIN_INTERVAL_SECONDS)

    async def _notify(self, connection: Connection, payloads: list[str]) -> None:
        await connection.execute(
            # The commit need not wait for the disk, because the announced work is committed already.
            "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, payload) FROM unnest($2::text[]) AS payload",
            self._channel,
            payloads,
        )

    def _drain_payloads(self) -> list[str]:
        live, finished = list(self._pending_live), [str(entry_id) for entry_id in self._pending_finished]
        payloads: list[dict[str, object]] = [dict.fromkeys(self._pending_signals, 1)] if self._pending_signals else []
        chunk = _MAX_IDS_PER_MESSAGE // 2
        payloads += [{_LIVE_WORK: live[start : start + chunk]} for start in range(0, len(live), chunk)]
        chunk = _MAX_IDS_PER_MESSAGE
        payloads += [{_FINISHED: finished[start : start + chunk]} for start in range(0, len(finished), chunk)]
        self._pending_signals.clear()
        self._pending_live.clear()
        self._pending_finished.clear()
        return [json.dumps(payload | {_SENDER: self._sender}, separators=(",", ":")) for payload in payloads]

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(asyncpg.PostgresError, *DATABASE_GONE):
                connection = await self._database.connect()
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(self._channel, self._received)
                    self._connection = connection
                    self.listening.set()
                    for signal in _SIGNALS:  # notifications may have been sent while this process did not listen
                        if signal != _TOKENS_CHANGED:
                            self._call(signal)
                    await lost.wait()
                finally:
                    self._connection = None
                    self.listening.clear()
                    with contextlib.suppress(asyncpg.PostgresError, *DATABASE_GONE):
                        await connection.close(timeout=1)
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _received(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        message = json.loads(str(payload))
        if message.get(_SENDER) == self._sender:
            return
        for signal in _SIGNALS:
            if signal in message:
                self._call(signal)
        for account_id in message.get(_LIVE_WORK, ()):
            self._call_live_work(AccountId(account_id))
        for entry_id in message.get(_FINISHED, ()):
            self._call_finished(EntryId(UUID(entry_id)))

    def _call(self, signal: str) -> None:
        for listener in self._signal_listeners[signal]:
            listener()

    def _call_live_work(self, account_id: AccountId) -> None:
        for listener in self._live_listeners:
            listener(account_id)

    def _call_finished(self, entry_id: EntryId) -> None:
        for listener in self._finished_listeners:
            listener(entry_id)
