"""NOTIFY and LISTEN: both ways on one connection, coalesced, one channel per schema. Hints only; polling is the floor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from uuid import UUID

import asyncpg
import structlog

from tillsync_server.adapters.postgres.pool import Connection, Database
from tillsync_server.domain.ids import AccountId, EntryId

_LOG = structlog.get_logger(__name__)
_MIN_INTERVAL_SECONDS = 0.001
_CROWD_INTERVAL_SECONDS = 0.01
"""Between two of a busy process: each wakes every listener. What is told meanwhile shares the next one; in a crowd, that is many."""
_CROWD = 8
_MAX_IDS_PER_MESSAGE = 150  # a NOTIFY payload holds less than 8000 bytes
_RECONNECT_SECONDS = 1.0


class PostgresNotifications:
    """Both ways of one process: implements ports.wakeups.Notifier and WakeUps.

    Its own listeners are told at once, and what comes back of it through PostgreSQL is passed over.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channel = f"tillsync_{database.schema}"
        self._sender = secrets.token_hex(4)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._lanes_ready = False
        self._tokens_changed = False
        self._live: dict[AccountId, None] = {}
        self._finished: dict[EntryId, None] = {}
        self._told = asyncio.Event()
        self._lanes_ready_listeners: list[Callable[[], None]] = []
        self._live_listeners: list[Callable[[AccountId], None]] = []
        self._finished_listeners: list[Callable[[EntryId], None]] = []
        self._tokens_listeners: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.listening = asyncio.Event()
        """Set while the LISTEN connection stands."""

    # Notifier

    def lanes_ready(self) -> None:
        self._lanes_ready = True
        self._told.set()
        self._tell_lanes_ready()

    def live_work(self, account_id: AccountId) -> None:
        self._live[account_id] = None
        self._told.set()
        self._tell_live_work(account_id)

    def entry_finished(self, entry_id: EntryId) -> None:
        self._finished[entry_id] = None
        self._told.set()
        self._tell_finished(entry_id)

    def tokens_changed(self) -> None:
        self._tokens_changed = True
        self._told.set()
        self._tell_tokens_changed()

    # WakeUps

    def on_lanes_ready(self, listener: Callable[[], None]) -> None:
        self._lanes_ready_listeners.append(listener)

    def on_live_work(self, listener: Callable[[AccountId], None]) -> None:
        self._live_listeners.append(listener)

    def on_entry_finished(self, listener: Callable[[EntryId], None]) -> None:
        self._finished_listeners.append(listener)

    def on_tokens_changed(self, listener: Callable[[], None]) -> None:
        self._tokens_listeners.append(listener)

    # life

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._send(), name="notify"), asyncio.create_task(self._listen(), name="listen")]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _send(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            is_crowd = len(self._live) + len(self._finished) >= _CROWD
            payloads = self._take_payloads()
            try:
                if self._connection is not None:
                    await self._notify(self._connection, payloads)
                else:
                    async with self._database.acquire() as connection:
                        await self._notify(connection, payloads)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _LOG.warning("notify_failed", error=type(error).__name__)  # a hint was lost: polling is the floor
            await asyncio.sleep(_CROWD_INTERVAL_SECONDS if is_crowd else _MIN_INTERVAL_SECONDS)

    async def _notify(self, connection: Connection, payloads: list[str]) -> None:
        await connection.execute(
            # a hint need not wait for the disk: what it is about is committed already
            "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, payload) FROM unnest($2::text[]) AS payload",
            self._channel,
            payloads,
        )

    def _take_payloads(self) -> list[str]:
        live, finished = list(self._live), [str(entry_id) for entry_id in self._finished]
        flags: dict[str, object] = {}
        if self._lanes_ready:
            flags["w"] = 1
        if self._tokens_changed:
            flags["t"] = 1
        payloads: list[dict[str, object]] = [flags] if flags else []
        payloads += [{"l": live[start : start + _MAX_IDS_PER_MESSAGE // 2]} for start in range(0, len(live), _MAX_IDS_PER_MESSAGE // 2)]
        payloads += [{"f": finished[start : start + _MAX_IDS_PER_MESSAGE]} for start in range(0, len(finished), _MAX_IDS_PER_MESSAGE)]
        self._lanes_ready = self._tokens_changed = False
        self._live.clear()
        self._finished.clear()
        return [json.dumps(payload | {"s": self._sender}, separators=(",", ":")) for payload in payloads]

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await self._database.connect()
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(self._channel, self._heard)
                    self._connection = connection
                    self.listening.set()
                    self._tell_lanes_ready()  # whatever was told while nobody listened
                    await lost.wait()
                finally:
                    self._connection = None
                    self.listening.clear()
                    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                        await connection.close(timeout=1)
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        message = json.loads(str(payload))
        if message.get("s") == self._sender:
            return
        if "w" in message:
            self._tell_lanes_ready()
        if "t" in message:
            self._tell_tokens_changed()
        for account_id in message.get("l", ()):
            self._tell_live_work(AccountId(account_id))
        for entry_id in message.get("f", ()):
            self._tell_finished(EntryId(UUID(entry_id)))

    def _tell_lanes_ready(self) -> None:
        for listener in self._lanes_ready_listeners:
            listener()

    def _tell_live_work(self, account_id: AccountId) -> None:
        for listener in self._live_listeners:
            listener(account_id)

    def _tell_finished(self, entry_id: EntryId) -> None:
        for listener in self._finished_listeners:
            listener(entry_id)

    def _tell_tokens_changed(self) -> None:
        for listener in self._tokens_listeners:
            listener()
