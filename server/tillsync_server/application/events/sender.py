"""Sends the waiting events to shops with a bridge. Over all processes an account has one sender at a time; many accounts are served at
once.

A shop that does not answer delays only its own events, longer each time. Neither the lanes nor other shops' events wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.application.concurrency.recurring import Recurring
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import LeaseTooShort, RunInterrupted, Unanswered, UpstreamError
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.events import (
    MAX_EVENTS,
    AcknowledgedEvent,
    EventLease,
    EventOutbox,
    EventReceivers,
    EventResult,
    EventStatus,
    OrderEvent,
    RefusedEvent,
)
from tillsync_server.ports.wakeups import WakeUps

_LOG = structlog.get_logger(__name__)
_MIN_LEASE_SECONDS = 5.0
"""Remaining time of the lease below which nothing is sent."""
_MAX_FAILURES = 30
_STOP_SECONDS = 2.0
_CONTENDED_SECONDS = 0.5
"""Time until the next poll if another process has leased the due accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    poll_seconds: float = 5.0
    """Interval of the looks without a notification. After a lost NOTIFY events are sent at most this much later."""
    gather_seconds: float = 0.2
    """Least time between two looks, so that events that belong together share a request."""
    lease_seconds: float = 60.0
    """Lease of an account's events by one process. It is much longer than a request to the shop."""
    accounts_at_once: int = 16
    first_delay_seconds: float = 5.0
    """Delay after an attempt that did not reach the shop. It doubles with each failure in a row, and a random part of up to a quarter is
    added."""
    max_delay_seconds: float = 900.0
    resend_refused_seconds: float = 3600.0
    """Time after which an event that a bridge refused is sent again, because the bridge may have been updated."""


@dataclass(slots=True)
class EventCounters:
    """Counters of the sender, which the metrics read."""

    delivered: int = 0
    refused: int = 0
    failed_tries: int = 0


class EventSender:
    """Sends events. ``database_gone``: exceptions that mean the database does not answer now. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        outbox: EventOutbox,
        accounts: AccountStore,
        receivers: EventReceivers,
        wakeups: WakeUps,
        settings: EventSettings | None = None,
        *,
        database_gone: tuple[type[BaseException], ...] = (OSError,),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters = EventCounters()
        self._outbox = outbox
        self._accounts = accounts
        self._receivers = receivers
        self._settings = settings or EventSettings()
        self._database_gone = database_gone
        self._clock = clock
        self._loop = Recurring(
            "events",
            self._start_sends,
            seconds=self._settings.poll_seconds,
            pause_seconds=self._settings.gather_seconds,
            database_gone=database_gone,
        )
        self._sends = BackgroundTasks()
        wakeups.on_order_events(self._loop.wake)
        wakeups.on_entry_finished(lambda _entry_id: self._loop.wake())

    def start(self) -> None:
        self._loop.start()

    async def stop(self) -> None:
        """Gives requests under way a moment to end, and releases their leases. Bounded in time."""
        await self._loop.stop()
        await self._sends.stop(grace_seconds=_STOP_SECONDS)

    async def resend_refused(self) -> bool:
        """Resends events that bridges refused some time ago. Recurring work of the composition. Returns True if there may be more."""
        resent = await self._outbox.resend(sent_before_seconds=self._settings.resend_refused_seconds, limit=MAX_EVENTS)
        if resent:
            self._loop.wake()
        return resent == MAX_EVENTS

    async def _start_sends(self) -> float | None:
        """Starts to send for each due account. Returns the seconds until the next account is due. Returns None if none waits, or if the end
        of a send starts the next look."""
        due = await self._outbox.seconds_until_due()
        free = self._settings.accounts_at_once - len(self._sends)
        if due is None or due > 0 or free <= 0:
            return due if free > 0 else None
        claimed_at = self._clock()
        leases = await self._outbox.claim(limit=free, lease_seconds=self._settings.lease_seconds)
        for lease in leases:
            task = self._sends.start(self._send(lease, claimed_at + self._settings.lease_seconds), name=f"events {lease.account_id}")
            task.add_done_callback(lambda _task: self._loop.wake())
        return None if leases else _CONTENDED_SECONDS

    async def _send(self, lease: EventLease, lease_ends: float) -> None:
        failures, delay = 0, 0.0
        try:
            await self._send_all(lease, _Permit(lease_ends, self._clock))
        except RunInterrupted:
            pass  # the lease is nearly over, and a process leases the account again
        except UpstreamError as error:
            self.counters.failed_tries += 1
            failures = min(lease.failures + 1, _MAX_FAILURES)
            delay = self._delay(failures, error.retry_after_seconds)
            _LOG.warning(
                "events_not_delivered",
                account_id=lease.account_id,
                error=type(error).__name__,
                http_status=error.status,
                cause=None if error.cause is None else error.cause.name,
                tries=failures,
                next_try_seconds=round(delay),
            )
        except self._database_gone as error:
            _LOG.warning("database_unavailable", during="events", error=type(error).__name__)
            return  # the lease runs out
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError, *self._database_gone):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._outbox.release(lease, failures=lease.failures, delay_seconds=0.0)
            raise
        except Exception:  # noqa: BLE001 - a fault with one account's events is logged here, because no code awaits this task
            failures = min(lease.failures + 1, _MAX_FAILURES)
            delay = self._delay(failures, None)
            _LOG.exception("events_failed", account_id=lease.account_id)
        with contextlib.suppress(*self._database_gone):
            await self._outbox.release(lease, failures=failures, delay_seconds=delay)

    async def _send_all(self, lease: EventLease, permit: _Permit) -> None:
        """Sends until no event waits. Raises UpstreamError, also if the shop does none of the events of a batch, so that it is not asked in
        a loop."""
        while True:
            waiting = await self._outbox.waiting(lease.account_id, MAX_EVENTS)
            if not waiting.events:
                return
            account = await self._accounts.get(lease.account_id)
            if not account.shop.has_bridge:
                return  # the shop was disconnected meanwhile
            results = await self._receivers.event_receiver(account).send(waiting, permit)
            acknowledged, refused = self._classify(lease.account_id, waiting.events, results)
            if acknowledged:
                await self._outbox.acknowledge(lease.account_id, acknowledged)
            if refused:
                await self._outbox.refuse(lease.account_id, refused)
            if not acknowledged and not refused:
                raise Unanswered(Side.SHOP, "the shop did none of the events it was sent in the time it gives itself")
            if len(acknowledged) + len(refused) == len(waiting.events) < MAX_EVENTS and not any(one.held_sequence for one in acknowledged):
                return  # the sender looks again after the release, so a newer event waits no longer than that

    def _classify(
        self, account_id: AccountId, events: tuple[OrderEvent, ...], results: list[EventResult]
    ) -> tuple[list[AcknowledgedEvent], list[RefusedEvent]]:
        """Returns the events that the shop has accepted, and those that its bridge cannot read. Events that it has not processed are in
        neither list."""
        acknowledged: list[AcknowledgedEvent] = []
        refused: list[RefusedEvent] = []
        for event, result in zip(events, results, strict=True):
            match result.status:
                case EventStatus.NOT_DONE:
                    continue
                case EventStatus.INVALID:
                    self.counters.refused += 1
                    # invariant: refused-events-are-kept
                    refused.append(RefusedEvent(event.order_id, event.sequence, result.field))
                    _LOG.warning("event_refused", account_id=account_id, event_id=event.event_id, type=event.type.value, field=result.field)
                case EventStatus.UPDATED | EventStatus.UNCHANGED | EventStatus.STALE:
                    self.counters.delivered += 1
                    held = result.held_sequence if result.status is EventStatus.STALE else None
                    acknowledged.append(AcknowledgedEvent(event.order_id, event.sequence, held))
        return acknowledged, refused

    def _delay(self, failures: int, retry_after: float | None) -> float:
        grown = self._settings.first_delay_seconds * 2.0 ** (failures - 1) * random.uniform(1.0, 1.25)
        return max(min(grown, self._settings.max_delay_seconds), retry_after or 0.0)


class _Permit:
    """Implements ports.till.WritePermit with the remaining time of the lease."""

    def __init__(self, lease_ends: float, clock: Callable[[], float]) -> None:
        self._lease_ends = lease_ends
        self._clock = clock

    def seconds_allowed(self, setting_seconds: float) -> float:
        left = self._lease_ends - self._clock()
        if left < _MIN_LEASE_SECONDS:
            raise LeaseTooShort("the right to send these events is nearly over")
        return min(setting_seconds, left - 2.0)
