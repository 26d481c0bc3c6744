"""Lanes and entries in PostgreSQL: lease, renew, claim, complete, release. The statements are in ``sql/engine``.

Lock order: lanes in account order, then entries. Every write that ends or reschedules entries runs after ``fence.sql`` in its
transaction (invariant 3). No transaction spans anything but these statements.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from tillsync_server.adapters.postgres.completion_rows import CompletionRows, bigint_array_text, is_finish, is_nothing_but_finish
from tillsync_server.adapters.postgres.event_log import record_order_events
from tillsync_server.adapters.postgres.pool import Connection, Database
from tillsync_server.adapters.postgres.sql_files import load
from tillsync_server.domain.errors import Unavailable
from tillsync_server.domain.ids import AccountId, EntryId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.settlement import Settlement
from tillsync_server.domain.vocabulary import EntryKind, EntryState, Priority, Side
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, LaneLease, Position, Written
from tillsync_server.ports.wakeups import Notifier

_LEASE = load("engine/lease")
_SECONDS_UNTIL_DUE = load("engine/seconds_until_due")
_RENEW = load("engine/renew")
_CLAIM = load("engine/claim")
_CHARGE_FIRST = load("engine/charge_first")
_FENCE = load("engine/fence")
_FINISH_FENCED = load("engine/finish_fenced")
_FINISH = load("engine/finish")
_RESCHEDULE = load("engine/reschedule")
_ANSWER_ORDERS = load("engine/answer_orders")
_PAUSE = load("engine/pause")
_CLOSE_PROBLEM = load("engine/close_problem")
_RELEASE = load("engine/release")
_LOST_WAKEUPS = load("engine/lost_wakeups")
_REPAIR_LOST_WAKEUP = load("engine/repair_lost_wakeup")
_LOCK_LANE = load("engine/lock_lane")
_KINDS = {int(kind): kind for kind in EntryKind}
_PRIORITIES = {int(priority): priority for priority in Priority}
_PLANNED_ONCE_UP_TO = 64
"""Entries of one write. With more, planning is a small part of it."""
_FROM_THE_FIRST: Position = (datetime.min.replace(tzinfo=UTC), EntryId(UUID(int=0)))


class PostgresLaneStore:
    """Implements :class:`tillsync_server.ports.lanes.LaneStore`."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def lease(self, owner: str, *, limit: int, bulk_limit: int, lease_seconds: float) -> list[LaneLease]:
        async with self._database.acquire(planned_once=True) as connection:
            rows = await connection.fetch(_LEASE, limit, bulk_limit, owner, lease_seconds)
        return [
            LaneLease(
                account_id=AccountId(row["account_id"]),
                owner=owner,
                token=row["lease_token"],
                lapses=row["lapses"],
                problem_side=None if row["problem_side"] is None else Side(row["problem_side"]),
                pause_count=row["pause_count"],
            )
            for row in rows
        ]

    async def seconds_until_due(self) -> float | None:
        async with self._database.acquire(planned_once=True) as connection:
            seconds: float | None = await connection.fetchval(_SECONDS_UNTIL_DUE)
        return seconds

    async def renew(self, leases: Sequence[LaneLease], *, lease_seconds: float) -> list[bool | None]:
        """One statement for all; where a lane stays locked, lane by lane, so that it does not cost the others their leases."""
        try:
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_RENEW, *_fence_parameters(leases), lease_seconds)
        except asyncpg.LockNotAvailableError:
            if len(leases) == 1:
                return [None]
            return [(await self.renew([lease], lease_seconds=lease_seconds))[0] for lease in leases]
        renewed = {row["account_id"] for row in rows}
        return [lease.account_id in renewed for lease in leases]

    async def claim(self, requests: Sequence[ClaimRequest]) -> list[list[ClaimedEntry]]:
        live_after = [request.live_after or _FROM_THE_FIRST for request in requests]
        bulk_after = [request.bulk_after or _FROM_THE_FIRST for request in requests]
        async with self._database.acquire(planned_once=True) as connection:
            rows = await connection.fetch(
                _CLAIM,
                [request.lease.account_id for request in requests],
                [request.live_limit for request in requests],
                [request.bulk_limit for request in requests],
                [entry_id for request in requests for entry_id in request.in_flight],
                [due for due, _ in live_after],
                [entry_id for _, entry_id in live_after],
                [due for due, _ in bulk_after],
                [entry_id for _, entry_id in bulk_after],
                [request.lease.owner for request in requests],
                [request.lease.token for request in requests],
            )
        claimed: list[list[ClaimedEntry]] = [[] for _ in requests]
        for row in rows:
            claimed[row[17] - 1].append(_claimed_entry(row))
        return claimed

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, *, delay_seconds: float) -> bool:
        async with self._database.acquire() as connection:
            return bool(
                await connection.fetchval(
                    _CHARGE_FIRST, lease.account_id, lease.owner, lease.token, entry.entry_id, entry.entry_revision, delay_seconds
                )
            )

    async def complete(self, completions: Sequence[Completion]) -> list[Written | Exception]:
        """What only ends goes in one statement; the rest, and what that did not end, in a transaction."""
        results: list[Written | Exception] = [Written.DONE] * len(completions)
        # by entry: what ran under a lease of ours that ran out may stand beside what its successor has done; one of them goes the long way
        ends = {completion.entry.entry_id: completion for completion in completions if is_nothing_but_finish(completion)}
        ended, is_busy = set[int](), False
        if ends:
            try:
                ended = {id(ends[entry_id]) for entry_id in await self._finish(list(ends.values()))}
            except asyncpg.LockNotAvailableError:
                is_busy = True
        for completion in completions:
            if completion.entry.kind is EntryKind.ORDER_CUSTOMER and id(completion) in ended:
                self._notifier.entry_finished(completion.entry.entry_id)
        left = [position for position, completion in enumerate(completions) if id(completion) not in ended]
        if left:
            written = await self._complete([completions[position] for position in left], one_by_one=is_busy)
            for position, result in zip(left, written, strict=True):
                results[position] = result
        return results

    async def _finish(self, completions: Sequence[Completion]) -> list[EntryId]:
        """Those that have ended."""
        async with self._database.acquire(planned_once=len(completions) <= _PLANNED_ONCE_UP_TO) as connection:
            rows = await connection.fetch(_FINISH_FENCED, *CompletionRows(completions).fenced_parameters())
        return [row[0] for row in rows]

    async def _complete(self, completions: Sequence[Completion], *, one_by_one: bool) -> list[Written | Exception]:
        """One transaction for all; where a lane stays locked, lane by lane, so that it does not hold up what the others have done."""
        if not one_by_one:
            try:
                return list(await self._complete_together(completions))
            except asyncpg.LockNotAvailableError:
                pass
        accounts = sorted({completion.entry.account_id for completion in completions})
        results: list[Written | Exception] = [Written.DROPPED] * len(completions)
        for account_id in accounts:
            positions = [position for position, completion in enumerate(completions) if completion.entry.account_id == account_id]
            own: list[Written | Exception]
            try:  # once more also where it is the only one: it may have been the history's partitions that were locked
                own = list(await self._complete_together([completions[position] for position in positions]))
            except asyncpg.LockNotAvailableError:
                own = [Unavailable(f"account {account_id} is busy", reason="ACCOUNT_BUSY")] * len(positions)
            for position, result in zip(positions, own, strict=True):
                results[position] = result
        return results

    async def _complete_together(self, completions: Sequence[Completion]) -> list[Written]:
        leases = {id(completion.lease): completion.lease for completion in completions}
        states: dict[EntryId, EntryState] = {}
        planned_once = len(completions) <= _PLANNED_ONCE_UP_TO
        async with self._database.acquire(planned_once=planned_once) as connection, connection.transaction():
            rows = await connection.fetch(_FENCE, *_fence_parameters(list(leases.values())))
            # by lease, not by account: what ran under a lease of ours that ran out may stand beside what its successor has done
            versions = {(row["account_id"], row["owner"], row["token"]): row["config_version"] for row in rows}
            valid = [
                completion
                for completion in completions
                # invariant: changed-settings-void-fallback-decisions
                if versions.get((completion.entry.account_id, completion.lease.owner, completion.lease.token))
                == completion.entry.config_version
            ]
            if valid:
                at: datetime = rows[0]["at"]
                states = await self._write_entries(connection, valid, at)
                await self._answer_orders(connection, valid, states, at)
                await self._write_problems(connection, valid, at)
        for completion in valid:
            if completion.entry.kind is EntryKind.ORDER_CUSTOMER:
                self._notifier.entry_finished(completion.entry.entry_id)
        written = {id(completion) for completion in valid}
        return [
            Written.DROPPED
            if id(completion) not in written
            else (Written.DONE if completion.entry.entry_id in states else Written.MOVED_ON)
            for completion in completions
        ]

    async def _write_entries(self, connection: Connection, completions: Sequence[Completion], at: datetime) -> dict[EntryId, EntryState]:
        """The state each entry has now. Missing: entries that are gone (dismissed meanwhile), or that other facts or links have moved on
        from what was decided here, so that it is no answer."""
        states: dict[EntryId, EntryState] = {}
        finishes = [completion for completion in completions if is_finish(completion)]
        others = [completion for completion in completions if not is_finish(completion)]
        if finishes:
            rows = await connection.fetch(_FINISH, *CompletionRows(finishes).finish_parameters(at))
            ended = {row[1] for row in rows}
            for completion in finishes:
                if completion.entry.entry_id in ended:
                    states[completion.entry.entry_id] = completion.settlement.state
                else:
                    others.append(completion)  # a hint came while it ran: it stays PENDING, the attempt is kept
        if others:
            for row in await connection.fetch(_RESCHEDULE, *CompletionRows(others).reschedule_parameters(at)):
                if row["is_as_claimed"]:
                    states[EntryId(row["entry_id"])] = EntryState(row["state"])
        return states

    async def _answer_orders(
        self, connection: Connection, completions: Sequence[Completion], states: dict[EntryId, EntryState], at: datetime
    ) -> None:
        orders = [
            (completion.entry, completion.settlement, states[completion.entry.entry_id])
            for completion in completions
            if completion.entry.kind is EntryKind.ORDER_CUSTOMER and completion.entry.entry_id in states
        ]
        if not orders:
            return
        await connection.execute(
            _ANSWER_ORDERS,
            [entry.account_id for entry, _, _ in orders],
            [entry.entry_id for entry, _, _ in orders],
            [entry.subject_id for entry, _, _ in orders],
            at,
            [int(state) for _, _, state in orders],
            [int(settlement.outcome) for _, settlement, _ in orders],
            [None if settlement.cause is None else int(settlement.cause) for _, settlement, _ in orders],
            [settlement.comment for _, settlement, _ in orders],
            ["\n".join(settlement.notes) for _, settlement, _ in orders],
            [settlement.epos_customer_id for _, settlement, _ in orders],
            [settlement.woo_customer_id for _, settlement, _ in orders],
            [_candidates_text(settlement) for _, settlement, _ in orders],
        )
        told = [(entry.account_id, entry.subject_id) for entry, _, state in orders if state is not EntryState.PENDING]
        await record_order_events(connection, told, at)

    async def _write_problems(self, connection: Connection, completions: Sequence[Completion], at: datetime) -> None:
        paused = {completion.entry.account_id: completion for completion in completions if completion.settlement.problem is not None}
        closed = [
            completion.entry.account_id
            for completion in completions
            if completion.lease.problem_side in completion.settlement.sides_proven and completion.entry.account_id not in paused
        ]
        if closed:
            await connection.execute(_CLOSE_PROBLEM, sorted(set(closed)))
        # invariant: account-wide-failures-pause-the-lane
        if paused:
            problems = [(completion, completion.settlement.problem) for completion in paused.values()]
            await connection.execute(
                _PAUSE,
                [completion.entry.account_id for completion, _ in problems],
                [completion.pause_seconds for completion, _ in problems],
                [problem and int(problem.reason) for _, problem in problems],
                [problem and int(problem.side) for _, problem in problems],
                [problem and problem.text for _, problem in problems],
                [completion.entry.entry_id for completion, _ in problems],
                at,
            )

    async def release(self, leases: Sequence[LaneLease], *, clean: Sequence[bool]) -> None:
        is_clean = {(lease.account_id, lease.owner, lease.token): each for lease, each in zip(leases, clean, strict=True)}
        async with self._database.acquire(planned_once=True) as connection, connection.transaction():
            fenced = await connection.fetch(_FENCE, *_fence_parameters(leases))
            if not fenced:
                return
            accounts = [row["account_id"] for row in fenced]
            released = await connection.fetch(
                _RELEASE, accounts, [is_clean[row["account_id"], row["owner"], row["token"]] for row in fenced], fenced[0]["at"]
            )
        if any(row["ready"] for row in released):
            self._notifier.lanes_ready()

    async def repair_lost_wakeups(self) -> int:
        repaired = 0
        async with self._database.acquire() as connection:
            for row in await connection.fetch(_LOST_WAKEUPS):
                async with connection.transaction():
                    await connection.fetch(_LOCK_LANE, row["account_id"])
                    repaired += await connection.fetchval(_REPAIR_LOST_WAKEUP, row["account_id"]) is not None
        if repaired:
            self._notifier.lanes_ready()
        return repaired


def _fence_parameters(leases: Sequence[LaneLease]) -> tuple[list[str], list[str], list[int]]:
    return [lease.account_id for lease in leases], [lease.owner for lease in leases], [lease.token for lease in leases]


def _candidates_text(settlement: Settlement) -> str | None:
    return bigint_array_text(settlement.candidate_ids) if settlement.candidate_ids else None


def _claimed_entry(row: asyncpg.Record) -> ClaimedEntry:
    # by position, in the order of claim.sql: this runs for every entry, and names cost a third of it
    facts: Any = row[14]
    return ClaimedEntry(
        AccountId(row[0]),
        EntryId(row[1]),
        _KINDS[row[2]],
        row[3],
        _PRIORITIES[row[4]],
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10] or "",
        row[11] or "",
        row[12],
        row[13],
        None if facts is None else OrderFacts.from_json(json.loads(facts)),
        row[15],
        row[16],
    )
