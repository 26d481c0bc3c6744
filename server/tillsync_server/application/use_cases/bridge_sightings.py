"""Notes the version of each account's bridge from its calls, also of bridges that ask for no update."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import structlog

from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.bridges import SeenBridges

_LOG = structlog.get_logger(__name__)
NOTE_SECONDS = 3600.0
"""A process stores an unchanged version of an account at most once in this time."""
MAX_REMEMBERED = 20_000
_USER_AGENT = re.compile(r"tillsync-bridge/(\d{1,6}\.\d{1,6}\.\d{1,6})", re.ASCII)


class BridgeSightings:
    """One per process. ``clock`` is monotonic, in seconds."""

    def __init__(self, seen: SeenBridges, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seen = seen
        self._clock = clock
        self._noted: dict[AccountId, tuple[str, float]] = {}
        self._notes = BackgroundTasks()

    def called(self, account_id: AccountId, user_agent: str) -> None:
        """Notes a call with the account's SITE token. No call waits for the note. A caller that is no bridge is ignored."""
        found = _USER_AGENT.fullmatch(user_agent)
        if found is None:
            return
        version, now = found[1], self._clock()
        known = self._noted.get(account_id)
        if known is not None and known[0] == version and now - known[1] < NOTE_SECONDS:
            return
        if len(self._noted) >= MAX_REMEMBERED:
            self._noted.clear()
        self._noted[account_id] = version, now
        self._notes.start(self._note(account_id, version), name="bridge-seen")

    async def close(self) -> None:
        """Ends the notes under way."""
        await self._notes.stop(grace_seconds=1.0)

    async def _note(self, account_id: AccountId, version: str) -> None:
        try:
            await self._seen.note(account_id, version)
        except Exception as error:  # noqa: BLE001 - the next call of the bridge notes it again
            self._noted.pop(account_id, None)
            _LOG.warning("bridge_version_not_noted", account_id=account_id, error=type(error).__name__)
