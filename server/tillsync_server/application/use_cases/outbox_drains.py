"""Calls of shops that then send their due orders. A shop plans such a call when an order begins to wait.

WordPress starts its cron with a visitor's page only, so an order of a shop without visitors would wait for the next run of a clock. The
calls are planned in memory: a call that is lost costs that wait, and no order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.domain.errors import FailedPrecondition, RequestError, UpstreamError
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.shop_outbox import ShopOutboxes

_LOG = structlog.get_logger(__name__)
LEAST_SECONDS = 1.0
MOST_SECONDS = 300.0
_CALL_SECONDS = 30.0
"""Time of a call. A bridge sends for ten seconds at most."""
_STOP_SECONDS = 1.0


@dataclass(slots=True)
class _Planned:
    due: float
    task: asyncio.Task[None]


class OutboxDrains:
    """One per process. ``database_gone``: exceptions that mean the database does not answer now. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        accounts: AccountStore,
        outboxes: ShopOutboxes,
        *,
        database_gone: tuple[type[BaseException], ...] = (OSError,),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._outboxes = outboxes
        self._database_gone = database_gone
        self._clock = clock
        self._planned: dict[AccountId, _Planned] = {}
        self._tasks = BackgroundTasks()

    async def schedule(self, account_id: AccountId, delay_seconds: float) -> datetime:
        """Plans a call, unless one is planned for that time or earlier. Returns the time of the call. Raises NotFound, and
        FailedPrecondition if the shop has no bridge."""
        account = await self._accounts.get(account_id)
        if not account.shop.has_bridge:
            text = "the account's shop is not connected through the tillsync bridge plugin; connect it, then call again"
            raise FailedPrecondition(text, reason="SHOP_NOT_CONNECTED")
        due = self._plan(account_id, delay_seconds)
        return datetime.now(UTC) + timedelta(seconds=max(0.0, due - self._clock()))

    async def close(self) -> None:
        """Cancels the planned calls, and gives those under way a moment to end."""
        for planned in self._planned.values():
            planned.task.cancel()
        await self._tasks.stop(grace_seconds=_STOP_SECONDS)

    def _plan(self, account_id: AccountId, delay_seconds: float) -> float:
        """Returns when the call is due, by the clock."""
        due = self._clock() + min(max(delay_seconds, LEAST_SECONDS), MOST_SECONDS)
        planned = self._planned.get(account_id)
        if planned is not None and planned.due <= due:
            return planned.due
        if planned is not None:
            planned.task.cancel()
        self._planned[account_id] = _Planned(due, self._tasks.start(self._wait_and_call(account_id, due), name=f"drain {account_id}"))
        return due

    async def _wait_and_call(self, account_id: AccountId, due: float) -> None:
        await asyncio.sleep(max(0.0, due - self._clock()))
        # A plan that comes from now on is for a later call. It cancels no call that is under way.
        del self._planned[account_id]
        next_due = await self._call(account_id)
        if next_due is not None and next_due <= MOST_SECONDS:
            self._plan(account_id, next_due)

    async def _call(self, account_id: AccountId) -> float | None:
        try:
            account = await self._accounts.get(account_id)
            if not account.shop.has_bridge:
                return None
            return await self._outboxes.outbox(account).drain(_Permit())
        except UpstreamError as error:
            _LOG.info("outbox_not_drained", account_id=account_id, error=type(error).__name__, http_status=error.status)
        except RequestError:
            pass  # the account was deleted meanwhile
        except self._database_gone as error:
            _LOG.warning("database_unavailable", during="outbox_drain", error=type(error).__name__)
        return None


class _Permit:
    """Implements ports.till.WritePermit. A drain needs no lease, because two drains of a shop at once do no harm."""

    def seconds_allowed(self, setting_seconds: float) -> float:
        return min(setting_seconds, _CALL_SECONDS)
