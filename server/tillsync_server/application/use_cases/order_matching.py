"""Matches orders to till customers through the Orders Queue. A caller that can wait gets the answer in the same call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tillsync_server.application.concurrency.entry_waiters import MAX_WAITERS_PER_ACCOUNT, EntryWaiters
from tillsync_server.application.concurrency.keyed_batcher import KeyedBatcher
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.errors import InvalidArgument, NotFound, RequestError, ResourceExhausted, Unavailable
from tillsync_server.domain.ids import AccountId, EntryId, OrderId
from tillsync_server.ports.orders import NewOrder, OrderEnqueued, OrderIntake, OrderMatch, OrderMatchReader
from tillsync_server.ports.queues import QueueReader
from tillsync_server.ports.wakeups import WakeUps

MAX_WAIT_SECONDS = 8.0
ANSWER_MARGIN_SECONDS = 0.3
"""Time between the answer and the caller's deadline."""
MAX_MATCH_BATCH = 100
MAX_GET_BATCH = 500
_SOON_SECONDS = 1.0
_ACCOUNTS_AT_ONCE = 6
"""Accounts whose orders are stored at a time, and accounts whose answers are read. A transaction waits up to a second for its lane, and
holds one of the ten connections that a process has by default."""


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """The answer of an order. ``entry`` is None if its history has been dropped; then ``match`` has the remaining data."""

    order_id: OrderId
    entry: Entry | None
    match: OrderMatch | None = None


@dataclass(frozen=True, slots=True)
class _OrderEntry:
    account_id: AccountId
    entry_id: EntryId
    order_id: OrderId


class OrderMatching:
    """Matches orders. One per process. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        intake: OrderIntake,
        matches: OrderMatchReader,
        entries: QueueReader,
        admission: Admission,
        wakeups: WakeUps,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_waiters_per_account: int = MAX_WAITERS_PER_ACCOUNT,
    ) -> None:
        self._intake = intake
        self._matches = matches
        self._entries = entries
        self._admission = admission
        self._clock = clock
        self._enqueuing: KeyedBatcher[AccountId, NewOrder, OrderEnqueued] = KeyedBatcher(
            intake.enqueue, name="orders", at_once=_ACCOUNTS_AT_ONCE, max_items=MAX_MATCH_BATCH
        )
        self._reading: KeyedBatcher[AccountId, _OrderEntry, OrderAnswer] = KeyedBatcher(
            self._read_of_account, name="order-answers", at_once=_ACCOUNTS_AT_ONCE
        )
        self._waiters = EntryWaiters(
            wakeups,
            lambda waiting: matches.answerable(waiting, beyond_seconds=_SOON_SECONDS),
            max_per_account=max_waiters_per_account,
        )

    async def match(self, order: NewOrder, *, remaining_seconds: float | None = None) -> OrderAnswer:
        """Enqueues the order, and returns its answer when the entry has ended or is HELD. Returns it PENDING after
        min(``remaining_seconds`` - 300 ms, 8 s), or immediately if the next attempt is due later. ``remaining_seconds``: time to the
        caller's deadline; None without one.
        """
        wait = MAX_WAIT_SECONDS if remaining_seconds is None else min(remaining_seconds - ANSWER_MARGIN_SECONDS, MAX_WAIT_SECONDS)
        ends_at = self._clock() + wait
        await self._admission.admit(order.account_id)
        # invariant: a-locked-lane-delays-no-other-accounts-orders
        enqueued = await self._enqueuing.submit(order.account_id, order)
        order_entry = _OrderEntry(order.account_id, enqueued.entry_id, order.facts.order_id)
        if not enqueued.queued or wait <= 0:  # the order was probably answered before, so the caller need not wait
            answer = await self._reading.submit(order.account_id, order_entry)
            if self._is_final(answer, ends_at - self._clock()):
                return answer
        async with self._waiters.registered(order.account_id, enqueued.entry_id) as notified:
            while True:
                notified.clear()
                answer = await self._reading.submit(order.account_id, order_entry)
                remaining = ends_at - self._clock()
                if self._is_final(answer, remaining):
                    return answer
                try:
                    async with asyncio.timeout(remaining):
                        await notified.wait()
                except TimeoutError:
                    return await self._reading.submit(order.account_id, order_entry)

    async def match_many(self, account_id: AccountId, orders: Sequence[NewOrder | RequestError]) -> list[OrderAnswer | RequestError]:
        """Returns answers by position, without waiting. An error among ``orders`` is returned at its position."""
        if not 1 <= len(orders) <= MAX_MATCH_BATCH:
            raise InvalidArgument.of("orders", f"must have 1 to {MAX_MATCH_BATCH} items; send the rest in further calls")
        good = [order for order in orders if not isinstance(order, RequestError)]
        answers = iter(await self._match_good(account_id, good) if good else ())
        return [order if isinstance(order, RequestError) else next(answers) for order in orders]

    async def _match_good(self, account_id: AccountId, orders: Sequence[NewOrder]) -> list[OrderAnswer | RequestError]:
        try:
            await self._admission.admit(account_id, len(orders))
        except ResourceExhausted as error:
            return [error] * len(orders)
        results = await self._intake.enqueue(orders)
        order_entries: list[_OrderEntry] = []
        for order, result in zip(orders, results, strict=True):
            if isinstance(result, OrderEnqueued):
                order_entries.append(_OrderEntry(account_id, result.entry_id, order.facts.order_id))
            elif not isinstance(result, Unavailable):
                raise result  # an error of the account or the database concerns all items
        answers = iter(await self._read_of_account(order_entries) if order_entries else ())
        return [result if isinstance(result, Unavailable) else next(answers) for result in results]

    async def get_many(self, account_id: AccountId, order_ids: Sequence[int]) -> list[OrderMatch | RequestError]:
        """Returns stored matches by position. It only reads."""
        if not 1 <= len(order_ids) <= MAX_GET_BATCH:
            raise InvalidArgument.of("order_ids", f"must have 1 to {MAX_GET_BATCH} items; send the rest in further calls")
        found = await self._matches.get(account_id, sorted({OrderId(order_id) for order_id in order_ids if order_id > 0}))
        return [
            found.get(OrderId(order_id)) or _never_asked(order_id)
            if order_id > 0
            else InvalidArgument.of(f"order_ids[{position}]", "must be greater than 0")
            for position, order_id in enumerate(order_ids)
        ]

    async def close(self) -> None:
        """Ends batches and waits. Before it, waiting callers are answered by their deadlines or cancelled by the server."""
        await self._enqueuing.close()
        await self._reading.close()
        await self._waiters.close()

    def _is_final(self, answer: OrderAnswer, remaining: float) -> bool:
        """Returns whether the caller gets ``answer``, because the entry waits no more or cannot change in the remaining seconds."""
        entry = answer.entry
        if remaining <= 0 or entry is None or entry.state is not EntryState.PENDING:
            return True
        due = entry.next_attempt_time
        return due is not None and (due - datetime.now(UTC)).total_seconds() > remaining

    async def _read_of_account(self, order_entries: Sequence[_OrderEntry]) -> list[OrderAnswer | NotFound]:
        account_id = order_entries[0].account_id
        entries = await self._entries.get(account_id, list({one.entry_id for one in order_entries}), with_attempts=False)
        dropped = sorted({one.order_id for one in order_entries if one.entry_id not in entries})
        matches = await self._matches.get(account_id, dropped) if dropped else {}
        answers: list[OrderAnswer | NotFound] = []
        for one in order_entries:
            entry, match = entries.get(one.entry_id), matches.get(one.order_id)
            if entry is None and match is None:
                answers.append(_never_asked(one.order_id))
            else:
                answers.append(OrderAnswer(one.order_id, entry, match))
        return answers


def _never_asked(order_id: int) -> NotFound:
    return NotFound(f"order {order_id} is not known: send it with MatchOrderCustomer first", reason="ORDER_NOT_FOUND")
