"""Finds, counts and erases one person's stored data. Statements are in ``privacy.sql``, the texts of an export in ``privacy_records``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.engine.locked_lane import LockedLane, locked_lane
from tillsync_server.adapters.postgres.events.event_log import record_order_events
from tillsync_server.adapters.postgres.links.dependent_orders import requeue_dependent_orders
from tillsync_server.adapters.postgres.privacy import privacy_records as records
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.emails import email_forms
from tillsync_server.domain.enums import EntryKind
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, WooCustomerId
from tillsync_server.ports.privacy import ErasureResult, LinkedPair, NamedByRecords, Person, PersonCategory, PersonRecord, Retention
from tillsync_server.ports.wakeups import Notifier

_RAISE_CONFIG_VERSION = load("engine/raise_config_version")
_DISMISS_LIVE = load("queues/dismiss_live")
_LINKS = load("privacy/links")
_LINK_MARKS = load("privacy/link_marks")
_REMOVALS = load("privacy/removals")
_ENTRIES = load("privacy/entries")
_LIVE_ENTRIES = load("privacy/live_entries")
_FINISHED_ENTRIES = load("privacy/finished_entries")
_DELETE_ENTRIES = load("privacy/delete_entries")
_STRIP_ENTRIES = load("privacy/strip_entries")
_MATCHES = load("privacy/matches")
_EMAILS_OF_ORDERS = load("privacy/emails_of_orders")
_STRIP_MATCHES = load("privacy/strip_matches")
_EVENTS = load("privacy/events")
_STRIP_EVENTS = load("privacy/strip_events")
_INTENTS = load("privacy/intents")
_DELETE_INTENTS = load("privacy/delete_intents")
_DELETE_LINKS = load("privacy/delete_links")
_DELETE_LINK_MARKS = load("privacy/delete_link_marks")
_DELETE_VERSIONS = load("privacy/delete_versions")
_JOINED = load("privacy/joined")
_NAMED_WITH = load("privacy/named_with")
_REMOVALS_WAITING = load("privacy/removals_waiting")
_REQUEST_REMOVALS = load("links/request_removals")

ERASED_NOTE = "erased on request"
CHUNK = 500
"""Most rows that a transaction under the lane's lock changes (invariant 7)."""
_MAX_ROWS = 100_000
_MAX_NAMED = 50
_NIL = UUID(int=0)
_RUNNING_ATTEMPT_TIME = timedelta(minutes=2)
"""After this time an attempt that was running when its entry was dismissed has ended, and a create that it began shows as an intent."""
_UNSETTLED = "Epos Now may still store a customer whose creation was not answered: it is kept until that is settled."
_LEADS_THERE = "It leads to a customer that Epos Now may still store, and is kept until that is settled."
IN_THE_SHOP = "Points, credit and type that tillsync wrote are still in the shop: the next write to the shop removes them."
_UNPROVEN = (
    "It leads to a number that may be this person's, and a side that was not asked would have to prove it: repeat this, or ask for that "
    "number by itself."
)
_RETRY_DELAY = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNDER_WAY = "An attempt was under way when its entry was closed: what leads to what it may still leave behind is kept until it is over."


@dataclass(frozen=True, slots=True)
class _PersonKeys:
    """The person, as the statements take it. ``order_emails`` are addresses for which a create may have been started."""

    person: Person
    order_emails: list[str]

    @property
    def by(self) -> tuple[list[str], list[int], list[int]]:
        return list(self.person.emails), self.woo, self.epos

    @property
    def epos(self) -> list[int]:
        return list(self.person.epos_customer_ids)

    @property
    def woo(self) -> list[int]:
        return list(self.person.woo_customer_ids)

    def leads_to_unproven(self, row: asyncpg.Record) -> bool:
        """Returns whether the row leads from an email to a number that is not proven to be this person's."""
        named = {row["epos_customer_id"], *(row.get("candidate_ids") or ())}
        return bool(named & set(self.person.unproven_epos)) or row.get("woo_customer_id") in self.person.unproven_woo


class PostgresPrivacy:
    """Implements ports.privacy.PrivacyStore."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def links_of(
        self, account_id: AccountId, epos_customer_ids: Sequence[EposCustomerId], woo_customer_ids: Sequence[WooCustomerId]
    ) -> list[LinkedPair]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_JOINED, account_id, list(epos_customer_ids), list(woo_customer_ids))
        return [LinkedPair(**row) for row in rows]

    async def named_with(self, account_id: AccountId, email: str) -> NamedByRecords:
        async with self._database.acquire() as connection:
            [row] = await connection.fetch(_NAMED_WITH, account_id, list(email_forms(email)), _MAX_NAMED)
        return NamedByRecords(tuple(row["epos"]), tuple(row["woo"]), tuple(row["billed"]))

    async def removals_waiting(self, account_id: AccountId, person: Person) -> int:
        ids = list(person.epos_customer_ids), list(person.woo_customer_ids)
        async with self._database.acquire() as connection:
            waiting: int = await connection.fetchval(_REMOVALS_WAITING, account_id, *ids)
        return waiting

    async def records(
        self, account_id: AccountId, person: Person, category: PersonCategory, *, after: str, limit: int
    ) -> list[PersonRecord]:
        async with self._database.acquire() as connection:
            keys = await _person_keys(connection, account_id, person)
            rows = await _rows(connection, account_id, keys, category, after, limit)
        return [_RECORD_MAPPERS[category](row) for row in rows]

    async def erase(self, account_id: AccountId, person: Person, *, dry_run: bool = False) -> ErasureResult:
        async with self._database.acquire() as connection:
            keys = await _person_keys(connection, account_id, person)
            if dry_run:
                return _dry_run_result(keys, {one: await _rows(connection, account_id, keys, one, "", _MAX_ROWS) for one in PersonCategory})
        return await self._erase(account_id, keys)

    async def _erase(self, account_id: AccountId, keys: _PersonKeys) -> ErasureResult:
        counts = dict.fromkeys(PersonCategory, 0)
        wait_until = await self._dismiss_live(account_id, keys, counts)
        # A create that may still reach the till is found by its order's answer and by the link, so these stay until no such create is left.
        deleted, unsettled, unproven = await self._erase_intents(account_id, keys)
        counts[PersonCategory.CREATE_INTENT] = deleted
        await self._erase_finished(account_id, keys, counts)
        if unsettled or wait_until is not None:
            async with self._database.acquire() as connection:
                kept = {
                    category: await _rows(connection, account_id, keys, category, "", _MAX_ROWS)
                    for category in (PersonCategory.LINK, PersonCategory.ORDER_MATCH)
                }
            return ErasureResult(_positive(counts), _retained(unsettled, wait_until, kept))
        kept_answers = await self._erase_answers(account_id, keys, counts)
        removals, at = await self._erase_links(account_id, keys, counts)
        kept_for_now = (
            (PersonCategory.PENDING_REMOVAL, removals, IN_THE_SHOP),
            (PersonCategory.ORDER_MATCH, kept_answers, _UNPROVEN),
            (PersonCategory.CREATE_INTENT, unproven, _UNPROVEN),
        )
        return ErasureResult(_positive(counts), _kept_for_now(kept_for_now, at))

    async def _dismiss_live(self, account_id: AccountId, keys: _PersonKeys, counts: dict[PersonCategory, int]) -> datetime | None:
        """Dismisses live entries. Returns until when an attempt that was running may leave data behind. None: no attempt was running."""
        wait_until: datetime | None = None
        while True:
            async with locked_lane(self._database, account_id) as lane:
                live = await lane.connection.fetch(_LIVE_ENTRIES, account_id, *keys.by, CHUNK)
                ids = [EntryId(row["entry_id"]) for row in live]
                orders = [row for row in live if row["kind"] == EntryKind.ORDER_CUSTOMER]
                if ids:
                    await lane.connection.execute(_DISMISS_LIVE, account_id, ids, ERASED_NOTE, lane.at)
                    await record_order_events(lane.connection, [(account_id, row["subject_id"]) for row in orders], lane.at)
                    await self._erase_entries(lane, ids)
                if orders and lane.is_leased:
                    wait_until = lane.at + _RUNNING_ATTEMPT_TIME
            counts[PersonCategory.QUEUE_ENTRY] += len(ids)
            for row in orders:
                self._notifier.entry_finished(EntryId(row["entry_id"]))
            if len(ids) < CHUNK:
                return wait_until

    async def _erase_finished(self, account_id: AccountId, keys: _PersonKeys, counts: dict[PersonCategory, int]) -> None:
        while True:
            async with locked_lane(self._database, account_id) as lane:
                rows = await lane.connection.fetch(_FINISHED_ENTRIES, account_id, *keys.by, CHUNK)
                ids = [EntryId(row["entry_id"]) for row in rows]
                if ids:
                    await self._erase_entries(lane, ids)
            counts[PersonCategory.QUEUE_ENTRY] += len(ids)
            if len(ids) < CHUNK:
                return

    async def _erase_entries(self, lane: LockedLane, ids: Sequence[EntryId]) -> None:
        await lane.connection.execute(_DELETE_ENTRIES, lane.account_id, ids)
        await lane.connection.execute(_STRIP_ENTRIES, lane.account_id, ids, ERASED_NOTE, lane.at)

    async def _erase_intents(self, account_id: AccountId, keys: _PersonKeys) -> tuple[int, list[asyncpg.Record], int]:
        """Returns how many intents were deleted, those that have not settled, and how many lead to a number that is not proven."""
        async with locked_lane(self._database, account_id) as lane:
            rows = await _rows(lane.connection, account_id, keys, PersonCategory.CREATE_INTENT, "", _MAX_ROWS)
            settled = [row for row in rows if not row["is_unsettled"] and not keys.leads_to_unproven(row)]
            unsettled = [row for row in rows if row["is_unsettled"]]
            if settled:
                tills, emails = [row["till_id"] for row in settled], [row["email"] for row in settled]
                await lane.connection.execute(_DELETE_INTENTS, account_id, tills, emails, lane.at)
        return len(settled), unsettled, len(rows) - len(settled) - len(unsettled)

    async def _erase_answers(self, account_id: AccountId, keys: _PersonKeys, counts: dict[PersonCategory, int]) -> int:
        """Returns how many answers stay because they lead to a number that is not proven."""
        after, kept = 0, 0
        while True:
            async with locked_lane(self._database, account_id) as lane:
                rows = await lane.connection.fetch(_MATCHES, account_id, *keys.by, after, CHUNK)
                orders = [row["order_id"] for row in rows if not keys.leads_to_unproven(row)]
                kept += len(rows) - len(orders)
                if orders:
                    stripped = [
                        row["order_id"] for row in await lane.connection.fetch(_STRIP_MATCHES, account_id, orders, ERASED_NOTE, lane.at)
                    ]
                    counts[PersonCategory.ORDER_MATCH] += len(stripped)
                    counts[PersonCategory.EVENT] += len(await lane.connection.fetch(_STRIP_EVENTS, account_id, stripped))
            if len(rows) < CHUNK:
                return kept
            after = rows[-1]["order_id"]

    async def _erase_links(self, account_id: AccountId, keys: _PersonKeys, counts: dict[PersonCategory, int]) -> tuple[int, datetime]:
        """Returns how many shop customers still have our values, and the database's time. Each call enqueues the removals again, because an
        entry that gave up on a removal leaves it to the next entry."""
        async with locked_lane(self._database, account_id) as lane:
            connection = lane.connection
            links = await connection.fetch(_DELETE_LINKS, account_id, keys.epos, keys.woo)
            if links:
                await connection.execute(_RAISE_CONFIG_VERSION, account_id)  # voids decisions that rest on a deleted link
            in_shop = [row for row in links if row["woo_gone_at"] is None]
            woo, epos = [row["woo_customer_id"] for row in in_shop], [row["epos_customer_id"] for row in in_shop]
            # invariant: erased-links-leave-no-values
            await connection.execute(_REQUEST_REMOVALS, account_id, woo, epos, lane.at)
            removals = await connection.fetch(_REMOVALS, account_id, keys.epos, keys.woo, 0, _MAX_ROWS)
            for former in sorted({row["epos_customer_id"] for row in removals}):
                await lane.enqueue_customer(former)
            await requeue_dependent_orders(lane, epos=[row["epos_customer_id"] for row in links])
            counts[PersonCategory.LINK] = len(links)
            counts[PersonCategory.LINK_MARK] = len(await connection.fetch(_DELETE_LINK_MARKS, account_id, keys.woo))
            await connection.execute(_DELETE_VERSIONS, account_id, keys.woo, (lane.at - _EPOCH) // timedelta(microseconds=1))
        if removals:
            lane.notify(self._notifier)
        else:
            lane.notify_other_tasks(self._notifier)
        return len(removals), lane.at


async def _person_keys(connection: Connection, account_id: AccountId, person: Person) -> _PersonKeys:
    rows = await connection.fetch(_EMAILS_OF_ORDERS, account_id, list(person.woo_customer_ids), list(person.epos_customer_ids))
    return _PersonKeys(person, [row["email"] for row in rows])


async def _rows(
    connection: Connection, account_id: AccountId, keys: _PersonKeys, category: PersonCategory, after: str, limit: int
) -> list[asyncpg.Record]:
    number = int(after) if after.isascii() and after.isdigit() else 0
    match category:
        case PersonCategory.LINK:
            return await connection.fetch(_LINKS, account_id, keys.epos, keys.woo, number, limit)
        case PersonCategory.LINK_MARK:
            return await connection.fetch(_LINK_MARKS, account_id, keys.woo, number, limit)
        case PersonCategory.PENDING_REMOVAL:
            return await connection.fetch(_REMOVALS, account_id, keys.epos, keys.woo, number, limit)
        case PersonCategory.QUEUE_ENTRY:
            return await connection.fetch(_ENTRIES, account_id, *keys.by, _entry_after(after), limit)
        case PersonCategory.ORDER_MATCH:
            return await connection.fetch(_MATCHES, account_id, *keys.by, number, limit)
        case PersonCategory.EVENT:
            orders = [row["order_id"] for row in await connection.fetch(_MATCHES, account_id, *keys.by, 0, _MAX_ROWS)]
            return await connection.fetch(_EVENTS, account_id, orders, number, limit)
        case PersonCategory.CREATE_INTENT:
            emails = list(keys.person.emails)
            return await connection.fetch(_INTENTS, account_id, emails, keys.epos, keys.order_emails, after, limit)
        case PersonCategory.SHOP_VALUES:
            return []


def _entry_after(after: str) -> UUID:
    try:
        return UUID(after) if after else _NIL
    except ValueError:
        return _NIL


_RECORD_MAPPERS: dict[PersonCategory, Callable[[asyncpg.Record], PersonRecord]] = {
    PersonCategory.LINK: records.link_record,
    PersonCategory.LINK_MARK: records.link_mark_record,
    PersonCategory.PENDING_REMOVAL: records.removal_record,
    PersonCategory.QUEUE_ENTRY: records.entry_record,
    PersonCategory.ORDER_MATCH: records.match_record,
    PersonCategory.EVENT: records.event_record,
    PersonCategory.CREATE_INTENT: records.intent_record,
}


def _dry_run_result(keys: _PersonKeys, found: dict[PersonCategory, list[asyncpg.Record]]) -> ErasureResult:
    """Returns what an erasure would delete and keep."""
    unsettled = [row for row in found[PersonCategory.CREATE_INTENT] if row["is_unsettled"]]
    counts = {category: len(rows) for category, rows in found.items()}
    linked = {row["woo_customer_id"] for row in found[PersonCategory.LINK] if row["woo_gone_at"] is None}
    counts[PersonCategory.SHOP_VALUES] = len(linked | {row["woo_customer_id"] for row in found[PersonCategory.PENDING_REMOVAL]})
    counts[PersonCategory.PENDING_REMOVAL] = 0
    if not unsettled:
        kept_orders = {row["order_id"] for row in found[PersonCategory.ORDER_MATCH] if keys.leads_to_unproven(row)}
        counts[PersonCategory.ORDER_MATCH] -= len(kept_orders)
        counts[PersonCategory.EVENT] -= sum(row["order_id"] in kept_orders for row in found[PersonCategory.EVENT])
        kept_intents = sum(keys.leads_to_unproven(row) for row in found[PersonCategory.CREATE_INTENT])
        counts[PersonCategory.CREATE_INTENT] -= kept_intents
        unproven = ((PersonCategory.ORDER_MATCH, len(kept_orders), _UNPROVEN), (PersonCategory.CREATE_INTENT, kept_intents, _UNPROVEN))
        return ErasureResult(_positive(counts), _kept_for_now(unproven, datetime.now(UTC)))
    counts[PersonCategory.CREATE_INTENT] -= len(unsettled)
    kept = {category: found[category] for category in (PersonCategory.LINK, PersonCategory.ORDER_MATCH)}
    later = (
        PersonCategory.LINK,
        PersonCategory.LINK_MARK,
        PersonCategory.SHOP_VALUES,
        PersonCategory.ORDER_MATCH,
        PersonCategory.EVENT,
    )
    return ErasureResult(
        _positive({category: count for category, count in counts.items() if category not in later}), _retained(unsettled, None, kept)
    )


def _kept_for_now(kept: Iterable[tuple[PersonCategory, int, str]], at: datetime) -> tuple[Retention, ...]:
    return tuple(
        Retention(category=category, count=count, reason=reason, retry_time=at + _RETRY_DELAY) for category, count, reason in kept if count
    )


def _positive(counts: dict[PersonCategory, int]) -> dict[PersonCategory, int]:
    return {category: count for category, count in counts.items() if count}


def _retained(
    unsettled: Sequence[asyncpg.Record], wait_until: datetime | None, kept: dict[PersonCategory, list[asyncpg.Record]]
) -> tuple[Retention, ...]:
    times = [row["settled_at"] for row in unsettled] + ([wait_until] if wait_until is not None else [])
    retry_time = max(times)
    reasons = {PersonCategory.CREATE_INTENT: _UNSETTLED}
    other = _LEADS_THERE if unsettled else _UNDER_WAY
    numbers = {PersonCategory.CREATE_INTENT: len(unsettled), **{category: len(rows) for category, rows in kept.items()}}
    return tuple(
        Retention(category=category, count=count, reason=reasons.get(category, other), retry_time=retry_time)
        for category, count in numbers.items()
        if count
    )
