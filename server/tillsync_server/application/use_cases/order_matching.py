"""Which till customer does this order belong to: through the Orders Queue, waiting for the answer where the caller can wait."""

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
"""So long before the caller's deadline it is answered."""
MAX_MATCH_BATCH = 100
MAX_GET_BATCH = 500
_SOON_SECONDS = 1.0
_ACCOUNTS_AT_ONCE = 6
"""Whose orders are stored at a time, and as many whose answers are read: a transaction waits up to a second for its lane, and holds one of
the ten connections that a process has by default."""


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """``entry`` None: its history has been dropped, and ``kept`` is what is still known."""

    order_id: OrderId
    entry: Entry | None
    kept: OrderMatch | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    account_id: AccountId
    entry_id: EntryId
    order_id: OrderId


class OrderMatching:
    """One per process. ``clock`` is monotonic."""

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
        self._taking: KeyedBatcher[AccountId, NewOrder, OrderEnqueued] = KeyedBatcher(
            intake.enqueue, name="orders", at_once=_ACCOUNTS_AT_ONCE, max_items=MAX_MATCH_BATCH
        )
        self._reading: KeyedBatcher[AccountId, _Asked, OrderAnswer] = KeyedBatcher(
            self._read_of_account, name="order-answers", at_once=_ACCOUNTS_AT_ONCE
        )
        self._waiters = EntryWaiters(
            wakeups,
            lambda waiting: matches.answerable(waiting, beyond_seconds=_SOON_SECONDS),
            max_per_account=max_waiters_per_account,
        )

    async def match(self, order: NewOrder, *, remaining_seconds: float | None = None) -> OrderAnswer:
        """Answers when the entry has ended or is HELD; with it PENDING at min(``remaining_seconds`` - 300 ms, 8 s), or at once when its
        next attempt lies beyond that. ``remaining_seconds``: to the caller's deadline; None: it has none.
        """
        wait = MAX_WAIT_SECONDS if remaining_seconds is None else min(remaining_seconds - ANSWER_MARGIN_SECONDS, MAX_WAIT_SECONDS)
        ends_at = self._clock() + wait
        await self._admission.admit(order.account_id)
        # invariant: a-locked-lane-delays-no-other-accounts-orders
        taken = await self._taking.submit(order.account_id, order)
        asked = _Asked(order.account_id, taken.entry_id, order.facts.order_id)
        if not taken.queued or wait <= 0:  # most likely answered before: nobody has to wait
            answer = await self._reading.submit(order.account_id, asked)
            if self._answers(answer, ends_at - self._clock()):
                return answer
        async with self._waiters.registered(order.account_id, taken.entry_id) as told:
            while True:
                told.clear()
                answer = await self._reading.submit(order.account_id, asked)
                remaining = ends_at - self._clock()
                if self._answers(answer, remaining):
                    return answer
                try:
                    async with asyncio.timeout(remaining):
                        await told.wait()
                except TimeoutError:
                    return await self._reading.submit(order.account_id, asked)

    async def match_many(self, account_id: AccountId, orders: Sequence[NewOrder | RequestError]) -> list[OrderAnswer | RequestError]:
        """By position; never waits. An error among ``orders`` (what was wrong with that one) comes back in its place."""
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
        taken = await self._intake.enqueue(orders)
        asked: list[_Asked] = []
        for order, result in zip(orders, taken, strict=True):
            if isinstance(result, OrderEnqueued):
                asked.append(_Asked(account_id, result.entry_id, order.facts.order_id))
            elif not isinstance(result, Unavailable):
                raise result  # of the account or of the database, not of an item
        answers = iter(await self._read_of_account(asked) if asked else ())
        return [result if isinstance(result, Unavailable) else next(answers) for result in taken]

    async def get_many(self, account_id: AccountId, order_ids: Sequence[int]) -> list[OrderMatch | RequestError]:
        """By position. Reads only."""
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
        """Waiting callers are answered by their own deadlines or cancelled by the server before this."""
        await self._taking.close()
        await self._reading.close()
        await self._waiters.close()

    def _answers(self, answer: OrderAnswer, remaining: float) -> bool:
        """Whether this is what the caller gets: the end, or nothing can change in the time left."""
        entry = answer.entry
        if remaining <= 0 or entry is None or entry.state is not EntryState.PENDING:
            return True
        due = entry.next_attempt_time
        return due is not None and (due - datetime.now(UTC)).total_seconds() > remaining

    async def _read_of_account(self, asked: Sequence[_Asked]) -> list[OrderAnswer | NotFound]:
        account_id = asked[0].account_id
        entries = await self._entries.get(account_id, list({one.entry_id for one in asked}), with_attempts=False)
        dropped = sorted({one.order_id for one in asked if one.entry_id not in entries})
        kept = await self._matches.get(account_id, dropped) if dropped else {}
        answers: list[OrderAnswer | NotFound] = []
        for one in asked:
            entry, match = entries.get(one.entry_id), kept.get(one.order_id)
            if entry is None and match is None:
                answers.append(_never_asked(one.order_id))
            else:
                answers.append(OrderAnswer(one.order_id, entry, match))
        return answers


def _never_asked(order_id: int) -> NotFound:
    return NotFound(f"order {order_id} has never been asked for", reason="ORDER_NOT_FOUND")
