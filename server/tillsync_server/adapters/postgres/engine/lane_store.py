"""Stores lanes and entries in PostgreSQL: lease, renew, claim, complete, release. The statements are in ``lane_store.sql``.

Lock order: lanes in account order, then entries. Every write that ends or reschedules entries checks owner and token under the lane's lock
(invariant 3). Each operation is one statement, which commits by itself. The repair of lost wake-ups takes one transaction a lane.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.engine.completion_rows import completion_parameters, without_problem
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryKind, Priority, Side
from tillsync_server.domain.errors import Unavailable
from tillsync_server.domain.ids import AccountId, EntryId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.work_class import WorkClass
from tillsync_server.ports.lanes import (
    ClaimedEntry,
    ClaimRequest,
    ClaimResult,
    Completion,
    CompletionResult,
    LaneLease,
    LeaseResult,
    PausedSide,
)
from tillsync_server.ports.wakeups import Notifier

_LEASE = load("engine/lease")
_RENEW = load("engine/renew")
_CLAIM = load("engine/claim")
_CHARGE_FIRST = load("engine/charge_first")
_COMPLETE = load("engine/complete")
_RELEASE = load("engine/release")
_LEASES_OF = load("engine/leases_of")
_LOST_WAKEUPS = load("engine/lost_wakeups")
_REPAIR_LOST_WAKEUP = load("engine/repair_lost_wakeup")
_LOCK_LANE = load("engine/lock_lane")
_KINDS = {int(kind): kind for kind in EntryKind}
_PRIORITIES = {int(priority): priority for priority in Priority}
_COMPLETE_ROUNDS = 3
"""A later round completes runs whose entry a hint changed while the round before waited for the lane's lock. If hints arrive faster than
rounds, the entry stays as the last hint left it."""


class PostgresLaneStore:
    """Implements :class:`tillsync_server.ports.lanes.LaneStore`."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier
        self._search_from: datetime | None = None
        """No lane is ready before this time of the database. None: search all lanes."""

    async def lease(self, owner: str, *, limit: int, bulk_limit: int, probe_limit: int, lease_seconds: float) -> LeaseResult:
        async with self._database.acquire() as connection:
            *rows, summary = await connection.fetch(_LEASE, limit, bulk_limit, owner, lease_seconds, probe_limit, self._search_from)
        self._search_from = summary["search_from"]
        return LeaseResult([_lease(owner, row) for row in rows], summary["seconds"])

    async def renew(self, leases: Sequence[LaneLease], *, lease_seconds: float) -> list[bool | None]:
        """Renews all leases in one statement. If a lane stays locked, renews lane by lane, so that the other lanes keep their leases."""
        try:
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_RENEW, *_fence_parameters(leases), lease_seconds)
        except asyncpg.LockNotAvailableError:
            if len(leases) == 1:
                return [None]
            return [(await self.renew([lease], lease_seconds=lease_seconds))[0] for lease in leases]
        renewed = {row["account_id"] for row in rows}
        return [lease.account_id in renewed for lease in leases]

    async def claim(self, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(
                _CLAIM,
                *_fence_parameters([request.lease for request in requests]),
                *([request.limits.get(work_class, 0) for request in requests] for work_class in WorkClass),
                [entry_id for request in requests for entry_id in request.in_flight],
            )
        claimed = [ClaimResult([], None) for _ in requests]
        for row in rows:
            number = row[0] - 1
            if claimed[number].paused_sides is None:
                claimed[number] = ClaimResult([], _paused_sides((row[1], 0), (row[2], 0)))
            if row[4] is not None:
                claimed[number].entries.append(_claimed_entry(row))
        return claimed

    async def charge_first(self, lease: LaneLease, entry: ClaimedEntry, *, delay_seconds: float) -> bool:
        async with self._database.acquire() as connection:
            return bool(
                await connection.fetchval(
                    _CHARGE_FIRST, lease.account_id, lease.owner, lease.token, entry.entry_id, entry.entry_revision, delay_seconds
                )
            )

    async def complete(self, completions: Sequence[Completion]) -> list[CompletionResult | Exception]:
        """Stores all completions in one statement. If a lane stays locked, goes account by account, so that no account delays another."""
        try:
            return list(await self._complete(completions))
        except asyncpg.LockNotAvailableError:
            pass
        results: list[CompletionResult | Exception] = [CompletionResult.DROPPED] * len(completions)
        for account_id in sorted({completion.entry.account_id for completion in completions}):
            positions = [position for position, completion in enumerate(completions) if completion.entry.account_id == account_id]
            own: list[CompletionResult | Exception]
            try:  # A single account is tried a second time too: the lock may have been on the history's partitions.
                own = list(await self._complete([completions[position] for position in positions]))
            except asyncpg.LockNotAvailableError:
                own = [Unavailable(f"account {account_id} is busy", reason="ACCOUNT_BUSY")] * len(positions)
            for position, result in zip(positions, own, strict=True):
                results[position] = result
        return results

    async def _complete(self, completions: Sequence[Completion]) -> list[CompletionResult]:
        results = [CompletionResult.DROPPED] * len(completions)
        remaining = list(range(len(completions)))
        for _ in range(_COMPLETE_ROUNDS):
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_COMPLETE, *completion_parameters([completions[position] for position in remaining]))
            as_decided = {remaining[number - 1]: decided for number, decided in rows}
            for position, decided in as_decided.items():
                results[position] = CompletionResult.DONE if decided else CompletionResult.MOVED_ON
            remaining = [position for position, decided in as_decided.items() if decided is None]
            if not remaining:
                break
            completions = [without_problem(completion) for completion in completions]  # the first round has stored the problems
        for completion, result in zip(completions, results, strict=True):
            if result is not CompletionResult.DROPPED and completion.entry.kind is EntryKind.ORDER_CUSTOMER:
                self._notifier.entry_finished(completion.entry.entry_id)
        return results

    async def release(self, leases: Sequence[LaneLease], *, clean: Sequence[bool]) -> None:
        async with self._database.acquire() as connection:
            is_any_ready = await connection.fetchval(_RELEASE, *_fence_parameters(leases), list(clean))
        if is_any_ready:
            self._notifier.lanes_ready()

    async def leases_of(self, owners: Sequence[tuple[AccountId, str]]) -> list[LaneLease]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_LEASES_OF, [account_id for account_id, _ in owners], [owner for _, owner in owners])
        return [LaneLease(AccountId(row[0]), row[1], row[2], row[3]) for row in rows]

    async def repair_lost_wakeups(self) -> int:
        repaired = 0
        async with self._database.acquire() as connection:
            for row in await connection.fetch(_LOST_WAKEUPS):
                async with connection.transaction():
                    await connection.fetch(_LOCK_LANE, row["account_id"])
                    repaired += await connection.fetchval(_REPAIR_LOST_WAKEUP, row["account_id"]) is not None
        # invariant: sweeps-look-at-all-lanes
        self._search_from = None
        if repaired:
            self._notifier.lanes_ready()
        return repaired


def _fence_parameters(leases: Sequence[LaneLease]) -> tuple[list[str], list[str], list[int]]:
    return [lease.account_id for lease in leases], [lease.owner for lease in leases], [lease.token for lease in leases]


def _lease(owner: str, row: asyncpg.Record) -> LaneLease:
    return LaneLease(
        account_id=AccountId(row["account_id"]),
        owner=owner,
        token=row["lease_token"],
        lapses=row["lapses"],
        paused_sides=_paused_sides((row["till_seconds"], row["till_failures"]), (row["shop_seconds"], row["shop_failures"])),
    )


def _paused_sides(till: tuple[float | None, int | None], shop: tuple[float | None, int | None]) -> dict[Side, PausedSide]:
    """Takes seconds until the probe (NULL: the side is not paused) and failures of each side. Returns the paused sides."""
    return {
        side: PausedSide(failures or 0, seconds)
        for side, (seconds, failures) in ((Side.TILL, till), (Side.SHOP, shop))
        if seconds is not None
    }


def _claimed_entry(row: asyncpg.Record) -> ClaimedEntry:
    # Columns are read by position, in the order of the statement claim. This runs for every entry, and names cost a third of it.
    facts: Any = row[17]
    return ClaimedEntry(
        AccountId(row[3]),
        EntryId(row[4]),
        _KINDS[row[5]],
        row[6],
        _PRIORITIES[row[7]],
        row[8],
        row[9],
        row[10],
        row[11],
        row[12],
        row[13] or "",
        row[14] or "",
        row[15],
        row[16],
        None if facts is None else OrderFacts.from_json(json.loads(facts)),
        row[18],
    )
