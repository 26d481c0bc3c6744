"""Stores what the shop holds: versions, content hashes and pending removals. The lane fences every change (invariant 3).

Drawing a version for a write clears the content hash, and confirming the write stores it. Whatever happens in between, a lapse included,
the next run writes again. A confirmation may arrive after its link went to another till customer. Then the shop may hold foreign values, so
the present link's hash is cleared too and its customer is enqueued.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.adapters.postgres.engine.locked_lane import LockedLane, fenced_lane
from tillsync_server.adapters.postgres.links.dependent_orders import mark_gone
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.ids import AccountId, EposCustomerId, EposCustomerTypeId, WooCustomerId
from tillsync_server.ports.lanes import LaneLease, NewHint
from tillsync_server.ports.links import ConfirmedWrite, WriteBasis
from tillsync_server.ports.wakeups import Notifier

_DRAW_VERSIONS = load("links/draw_versions")
_CLEAR_HASHES = load("links/clear_hashes")
_CONFIRM = load("links/confirm")
_CONFIRM_TYPE = load("links/confirm_type")
_TYPE_HASH = load("links/type_hash")
_DROP_REMOVALS = load("links/drop_removals")
_NOTE_READ = load("links/note_read")

_CUSTOMERS, _TYPES = 1, 2  # shop_version.subject_kind
_CHUNK = 500


class PostgresShopState:
    """Implements :class:`tillsync_server.ports.links.ShopStateStore`."""

    def __init__(self, database: Database, notifier: Notifier | None = None) -> None:
        """``notifier`` announces requeued held orders. None: the owner finds them at its next claim or release."""
        self._database = database
        self._notifier = notifier

    async def next_versions(
        self,
        lease: LaneLease,
        woo_customer_ids: Sequence[WooCustomerId],
        *,
        at_least: Mapping[WooCustomerId, int],
        basis: WriteBasis | None = None,
    ) -> dict[WooCustomerId, int]:
        """Clears the content hashes of these shop customers until :meth:`confirm`."""
        versions: dict[WooCustomerId, int] = {}
        woo_ids = sorted(set(woo_customer_ids))
        for start in range(0, len(woo_ids), _CHUNK):
            chunk = woo_ids[start : start + _CHUNK]
            lowest = [at_least.get(each, 0) for each in chunk]
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_DRAW_VERSIONS, *_fence(lease), _CUSTOMERS, chunk, lowest, *_basis_parameters(basis, chunk))
            versions.update((WooCustomerId(row["subject"]), row["version"]) for row in rows)
        return versions

    async def next_type_version(
        self, lease: LaneLease, type_id: EposCustomerTypeId, *, at_least: int = 0, settings_of: datetime | None = None
    ) -> int | None:
        """Clears the type's hash until :meth:`confirm_type`."""
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_DRAW_VERSIONS, *_fence(lease), _TYPES, [type_id], [at_least], settings_of, None, None)
        return None if row is None else int(row["version"])

    async def confirm(self, lease: LaneLease, writes: Sequence[ConfirmedWrite]) -> None:
        """A process that dies between the two statements does no harm: the present link's own write is still to come."""
        last = {(write.epos_customer_id, write.woo_customer_id): write for write in writes}
        ordered = [last[key] for key in sorted(last)]
        for start in range(0, len(ordered), _CHUNK):
            chunk = ordered[start : start + _CHUNK]
            async with self._database.acquire() as connection:
                rows = await connection.fetch(
                    _CONFIRM,
                    *_fence(lease),
                    [write.epos_customer_id for write in chunk],
                    [write.woo_customer_id for write in chunk],
                    [write.content_hash for write in chunk],
                    [write.as_of for write in chunk],
                    lease.lapses,
                )
            still_linked = {row["woo_customer_id"] for row in rows}
            if foreign := [write.woo_customer_id for write in chunk if write.woo_customer_id not in still_linked]:
                async with fenced_lane(self._database, lease) as lane:
                    if lane is not None:
                        await _rewrite_linked(lane, foreign)

    async def confirm_type(self, lease: LaneLease, type_id: EposCustomerTypeId, content_hash: bytes | None, *, gone: bool) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_CONFIRM_TYPE, *_fence(lease), type_id, content_hash, lease.lapses, gone)

    async def known_type_hash(self, lease: LaneLease, type_id: EposCustomerTypeId) -> bytes | None:
        async with self._database.acquire() as connection:
            known: bytes | None = await connection.fetchval(_TYPE_HASH, lease.account_id, type_id, lease.lapses)
        return known

    async def removal_done(self, lease: LaneLease, woo_customer_ids: Sequence[WooCustomerId]) -> None:
        """Rewrites a shop customer that was linked again in between, because the removal may have been the later write."""
        woo_ids = sorted(set(woo_customer_ids))
        for start in range(0, len(woo_ids), _CHUNK):
            chunk = woo_ids[start : start + _CHUNK]
            async with fenced_lane(self._database, lease) as lane:
                if lane is None:
                    return
                await lane.connection.execute(_DROP_REMOVALS, lane.account_id, chunk)
                await _rewrite_linked(lane, chunk)

    async def mark_gone(
        self,
        lease: LaneLease,
        *,
        epos: Sequence[EposCustomerId] = (),
        woo: Sequence[WooCustomerId] = (),
        of: Sequence[EposCustomerId] = (),
    ) -> None:
        async with fenced_lane(self._database, lease) as lane:
            requeued = 0 if lane is None else (await mark_gone(lane, epos=epos, woo=woo, of=of))[1]
        if lane is None or self._notifier is None:
            return
        if requeued:
            lane.notify(self._notifier)
        else:
            lane.notify_other_tasks(self._notifier)

    async def note_read(self, lease: LaneLease, epos: Sequence[EposCustomerId]) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE_READ, *_fence(lease), sorted(set(epos)))


def _fence(lease: LaneLease) -> tuple[AccountId, str, int]:
    return lease.account_id, lease.owner, lease.token


def _basis_parameters(
    basis: WriteBasis | None, woo: Sequence[WooCustomerId]
) -> tuple[datetime | None, list[EposCustomerId | None] | None, list[WooCustomerId] | None]:
    if basis is None:
        return None, None, None
    return basis.settings_of, [basis.linked.get(each) for each in woo], sorted(set(basis.removals) & set(woo))


async def _rewrite_linked(lane: LockedLane, woo_customer_ids: Sequence[WooCustomerId]) -> None:
    """Clears the hashes of the links of these shop customers, and enqueues their till customers to be written again."""
    if not woo_customer_ids:
        return
    rows = await lane.connection.fetch(_CLEAR_HASHES, lane.account_id, list(woo_customer_ids))
    hints = [NewHint(lane.account_id, EntryKind.CUSTOMER, row["epos_customer_id"], Priority.LIVE) for row in rows]
    if hints:
        await enqueue_in_transaction(lane.connection, hints)
