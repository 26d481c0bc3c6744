"""The queue reader filters, pages, searches text and counts. Entries may finish while it lists them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from support.engine import EngineWorld
from support.queues import FAILED, HELD, PROCESSED, Finish, add_finished, finish, ids, order_facts, take_order
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, ProblemReason, Queue, Side
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId, new_entry_id
from tillsync_server.ports.queues import QueueFilter

pytestmark = pytest.mark.integration
SHOP = AccountId("shop-a")
ORDERS = QueueFilter(account_id=SHOP, queue=Queue.ORDERS)
CUSTOMERS = replace(ORDERS, queue=Queue.CUSTOMERS)


async def list_all(world: EngineWorld, wanted: QueueFilter, *, limit: int = 50) -> list[EntryId]:
    """The ids of all pages."""
    reader, found, before = PostgresQueueReader(world.database), [], None
    while True:
        page = await reader.list_entries(wanted, before=before, limit=limit, with_attempts=False)
        assert len(page.entries) <= limit
        found += [entry.entry_id for entry in page.entries]
        if page.next_before is None:
            return found
        before = page.next_before


async def mixed_orders(world: EngineWorld) -> dict[str, EntryId]:
    await world.add_accounts("shop-a", "shop-b")
    entry_ids = {
        "processed": await take_order(world, "shop-a", order_facts(1, email="ada@example.test", woo=11)),
        "failed": await take_order(world, "shop-a", order_facts(2, email="bob@example.test", woo=12)),
        "held": await take_order(world, "shop-a", order_facts(3, email="cid@example.test", woo=13)),
        "waiting": await take_order(world, "shop-a", order_facts(4, email="ada@example.test", woo=None)),
    }
    await finish(world, entry_ids["processed"], PROCESSED)
    await finish(world, entry_ids["failed"], replace(FAILED, cause=Outcome.DUPLICATE_EMAIL))
    await finish(world, entry_ids["held"], HELD)
    await take_order(world, "shop-b", order_facts(5))
    await world.hint("shop-a", 900)
    return entry_ids


async def test_list_has_live_and_finished_entries_of_one_queue_and_account_newest_first(world: EngineWorld) -> None:
    entry_ids = await mixed_orders(world)
    newest_first = [entry_ids["waiting"], entry_ids["held"], entry_ids["failed"], entry_ids["processed"]]
    for limit in (1, 2, 3, 4, 50):
        assert await list_all(world, ORDERS, limit=limit) == newest_first
    assert len(await list_all(world, CUSTOMERS)) == 1


async def test_each_filter_finds_its_entries(world: EngineWorld) -> None:
    entry_ids = await mixed_orders(world)
    expected: list[tuple[dict[str, Any], list[str]]] = [
        ({"states": {EntryState.HELD}}, ["held"]),
        ({"states": {EntryState.HELD, EntryState.PROCESSED, EntryState.SKIPPED}}, ["held", "processed"]),
        ({"outcomes": {Outcome.EPOS_FETCH_FAILED}}, ["failed"]),
        ({"outcomes": {Outcome.DUPLICATE_EMAIL}}, ["held", "failed"]),
        ({"outcomes": {Outcome.DUPLICATE_EMAIL, Outcome.EPOS_FETCH_FAILED}}, ["held", "failed"]),
        ({"outcomes": {Outcome.DUPLICATE_EMAIL}, "states": {EntryState.FAILED}}, ["failed"]),
        ({"woo_customer_id": WooCustomerId(13)}, ["held"]),
        ({"order_id": OrderId(2)}, ["failed"]),
        ({"order_id": OrderId(4)}, ["waiting"]),
        ({"order_id": OrderId(5)}, []),
        ({"email": "ada@example.test"}, ["waiting", "processed"]),
        ({"email": "ada@example.test", "states": {EntryState.PENDING}}, ["waiting"]),
        ({"email": "ada@example.test", "text": "order 1"}, ["processed"]),
        ({"text": "order 3"}, ["held"]),
        ({"text": "DNS"}, ["failed"]),
        ({"text": "dns", "states": {EntryState.HELD}}, []),
    ]
    for changes, names in expected:
        frozen: dict[str, Any] = {name: frozenset(value) if isinstance(value, set) else value for name, value in changes.items()}
        assert await list_all(world, replace(ORDERS, **frozen)) == [entry_ids[name] for name in names], changes
        assert await list_all(world, replace(ORDERS, **frozen), limit=1) == [entry_ids[name] for name in names], changes


async def test_filter_by_till_customer_finds_subjects_and_matches(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    waiting = (await world.hint("shop-a", 900)).entry_id
    finished = await add_finished(world, "shop-a", 900, create_time=datetime.now(UTC) - timedelta(days=3))
    known = await add_finished(world, "shop-a", 900, create_time=datetime.now(UTC) - timedelta(days=2), epos_customer_id=900)
    order = await add_finished(world, "shop-a", 7, kind=EntryKind.ORDER_CUSTOMER, epos_customer_id=900)
    await add_finished(world, "shop-a", 901)
    await world.hint("shop-a", 900, kind=EntryKind.CUSTOMER_TYPE)
    assert await list_all(world, replace(CUSTOMERS, epos_customer_id=EposCustomerId(900))) == [waiting, known, finished]
    assert await list_all(world, replace(ORDERS, epos_customer_id=EposCustomerId(900))) == [order]
    page = await PostgresQueueReader(world.database).list_entries(
        replace(CUSTOMERS, epos_customer_id=EposCustomerId(900)), before=None, limit=9, with_attempts=False
    )
    assert {entry.epos_customer_id for entry in page.entries} == {900}


async def test_time_window_includes_its_start_and_excludes_its_end(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    start = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    entry_ids = [await add_finished(world, "shop-a", n + 1, create_time=start + timedelta(seconds=n)) for n in range(20)]
    window = replace(CUSTOMERS, created_after=start + timedelta(seconds=5), created_before=start + timedelta(seconds=12))
    assert await list_all(world, window, limit=3) == entry_ids[5:12][::-1]
    assert await list_all(world, replace(window, text="nothing")) == []
    assert await list_all(world, replace(CUSTOMERS, created_after=start + timedelta(seconds=18))) == entry_ids[18:][::-1]
    widest = replace(CUSTOMERS, created_after=datetime.min.replace(tzinfo=UTC), created_before=datetime.max.replace(tzinfo=UTC))
    assert await list_all(world, widest) == entry_ids[::-1]


async def test_entry_after_a_burst_of_ids_is_found_by_its_create_time(world: EngineWorld) -> None:
    """Ids made at once stay in order, and their times do not pass the clock."""
    await world.add_accounts("shop-a")
    for _ in range(20_000):
        new_entry_id()
    entry_id = (await world.hint("shop-a", 1)).entry_id
    [row] = await world.fetch("SELECT create_time FROM entry")
    soon = row["create_time"] + timedelta(milliseconds=1)
    assert await list_all(world, replace(CUSTOMERS, created_before=soon)) == [entry_id]
    assert await list_all(world, replace(CUSTOMERS, created_after=row["create_time"])) == [entry_id]
    assert await list_all(world, replace(CUSTOMERS, created_after=soon)) == []
    assert await list_all(world, replace(CUSTOMERS, created_before=row["create_time"])) == []


@pytest.mark.parametrize("text", ["100%", "a_b", "ÉCOLE", "école", "\\d", "'"])
async def test_text_is_matched_literally_and_without_case(world: EngineWorld, text: str) -> None:
    await world.add_accounts("shop-a")
    wanted = [
        await add_finished(world, "shop-a", 1, comment="Was 100% sure of a_b"),
        await add_finished(world, "shop-a", 2, notes="first\nÉcole \\d 'x'"),
    ]
    await add_finished(world, "shop-a", 3, comment="Was 1000 sure of axb", subject_label="ecole")
    found = await list_all(world, replace(CUSTOMERS, text=text))
    assert found == ([wanted[0]] if text in ("100%", "a_b") else [wanted[1]])


async def test_text_is_searched_in_label_number_comment_and_notes(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    for number, column in enumerate(("subject_label", "order_number", "comment", "notes"), start=1):
        text: dict[str, Any] = {column: "xx Needle yy"}
        await add_finished(world, "shop-a", number, **text)
    await add_finished(world, "shop-a", 9, account_email="needle@example.test")
    assert len(await list_all(world, replace(CUSTOMERS, text="needle"))) == 4


async def test_entry_that_finishes_during_a_listing_appears_exactly_once(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint_many("shop-a", range(1, 301))
    expected = await list_all(world, CUSTOMERS)
    assert len(expected) == 300

    async def finish_all() -> None:
        for entry_id in expected:
            await finish(world, entry_id, PROCESSED)

    finishing = asyncio.create_task(finish_all())
    listings = 0
    while not finishing.done():
        assert await list_all(world, CUSTOMERS, limit=100) == expected
        listings += 1
    await finishing
    assert listings > 1
    assert await list_all(world, CUSTOMERS) == expected


async def test_entry_without_an_attempt_notes_that_it_waits_or_is_paused(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    reader = PostgresQueueReader(world.database)
    [entry] = (await reader.list_entries(CUSTOMERS, before=None, limit=9, with_attempts=True)).entries
    assert (entry.outcome, entry.comment, entry.notes, entry.next_attempt_time) == (None, "", ("waiting",), None)
    assert (entry.state, entry.priority, entry.attempts, entry.finish_time) == (EntryState.PENDING, Priority.LIVE, (), None)
    now = datetime.now(UTC)
    probe_in = now.replace(hour=14, minute=5, second=0, microsecond=0) + timedelta(days=1) - now
    await world.open_problem("shop-a", Side.TILL, probe_in=probe_in, text="Epos Now is not reached: DNS", entry_id=entry.entry_id)
    [paused] = (await reader.list_entries(CUSTOMERS, before=None, limit=9, with_attempts=False)).entries
    assert paused.notes == ("paused until 14:05: Epos Now is not reached: DNS",)
    [problem] = await reader.problems(SHOP)
    assert (problem.reason, problem.side, problem.oldest_entry_id) == (ProblemReason.UNREACHABLE, Side.TILL, entry.entry_id)
    assert paused.next_attempt_time == problem.next_try_time
    assert problem.next_try_time is not None
    await world.fetch("UPDATE lane SET till_probe_at = now() - interval '1 minute' RETURNING 1")
    [after_pause] = (await reader.list_entries(CUSTOMERS, before=None, limit=9, with_attempts=False)).entries
    assert after_pause.notes == ("waiting",)
    [after_probe] = await reader.problems(SHOP)
    assert after_probe.next_try_time is None


@pytest.mark.parametrize("read", ["get", "list_entries", "entries_of_subject"])
async def test_entry_is_never_read_with_a_pause_but_without_the_attempt_that_caused_it(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    """Otherwise a caller that waits for its order would read that no attempt was made and that the next one is far away."""
    await world.add_accounts("shop-a")
    entry_id = (await world.hint("shop-a", 1)).entry_id
    reader = PostgresQueueReader(world.database)

    async def entry() -> Entry:
        if read == "get":
            return (await reader.get(SHOP, [entry_id], with_attempts=False))[entry_id]
        if read == "list_entries":
            return (await reader.list_entries(CUSTOMERS, before=None, limit=9, with_attempts=False)).entries[0]
        return (await reader.entries_of_subject(SHOP, epos_customer_id=EposCustomerId(1)))[0]

    finishes = 0
    fetch = asyncpg.Connection.fetch

    async def fetch_then_finish(connection: Any, *args: Any, **options: Any) -> list[asyncpg.Record]:
        nonlocal finishes
        rows = await fetch(connection, *args, **options)
        monkeypatch.undo()
        finishes += 1
        await finish(world, entry_id, Finish(EntryState.PENDING, Outcome.WOO_NOT_UPDATED, comment="a comment"))
        await world.open_problem("shop-a", Side.TILL)
        return rows

    monkeypatch.setattr(asyncpg.Connection, "fetch", fetch_then_finish)
    before = await entry()
    assert (before.outcome, before.next_attempt_time, finishes) == (None, None, 1)
    after = await entry()
    assert after.outcome is Outcome.WOO_NOT_UPDATED
    assert after.next_attempt_time is not None


async def test_entry_is_read_with_all_columns_and_attempts(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    facts = order_facts(1042)
    entry_id = await take_order(world, "shop-a", facts)
    attempts = [
        {"o": 8, "n": "one\ntwo", "g": 1, "d": 1, "u": 502, "c": "C1", "s": "2026-01-02T03:04:05+00:00", "f": "2026-01-02T03:04:06+00:00"},
        {"o": 8, "g": 0, "s": "2026-01-02T03:05:05+00:00", "f": "2026-01-02T03:05:06.5+00:00"},
    ]
    await world.fetch(
        "UPDATE entry SET attempts = $1, attempt_count = 1, outcome = 9, cause = 8, comment = 'C', notes = E'a\\nb', "
        "candidate_ids = '{5,6}', due_at = now() + interval '1 hour', not_before = now() + interval '1 hour' RETURNING 1",
        json.dumps(attempts),
    )
    reader = PostgresQueueReader(world.database)
    entry = (await reader.get(SHOP, [entry_id], with_attempts=True))[entry_id]
    assert entry.facts == facts
    assert (entry.kind, entry.subject_id, entry.queue) == (EntryKind.ORDER_CUSTOMER, 1042, Queue.ORDERS)
    assert (entry.outcome, entry.causes) == (Outcome.PRODUCT_AND_CUSTOMER_NOT_MATCHED, (Outcome.CUSTOMER_NOT_MATCHED,))
    assert (entry.comment, entry.notes[1:], entry.candidate_ids) == ("C", ("b",), (5, 6))
    assert entry.next_attempt_time is not None
    assert entry.notes[0].startswith("a; next try ")
    assert entry.notes[0].endswith(f"{entry.next_attempt_time:%H:%M}")
    assert (entry.subject_label, entry.account_email, entry.woo_customer_id) == ("Ada B., order 1042", "ada@example.test", 12)
    assert entry.next_attempt_time is not None
    first, second = entry.attempts
    assert (first.number, first.charged, first.side, first.upstream_status, first.notes) == (1, True, Side.TILL, 502, ("one", "two"))
    assert (second.number, second.charged, second.side, second.upstream_status, second.notes) == (2, False, None, None, ())
    assert second.finish_time - second.start_time == timedelta(seconds=1.5)
    assert (await reader.get(SHOP, [entry_id], with_attempts=False))[entry_id].attempts == ()


async def test_attempt_numbers_count_the_dropped_attempts(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    one = {"o": 4, "g": 1, "s": "2026-01-02T03:04:05+00:00", "f": "2026-01-02T03:04:06+00:00"}
    entry_id = await add_finished(world, "shop-a", 1, attempts=[one] * 30, attempt_count=34)
    entry = (await PostgresQueueReader(world.database).get(SHOP, [entry_id], with_attempts=True))[entry_id]
    assert [attempt.number for attempt in entry.attempts] == list(range(5, 35))


async def test_get_finds_entries_of_any_age_of_one_account(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    old = await add_finished(world, "shop-a", 1, create_time=datetime.now(UTC) - timedelta(days=60), finish_time=datetime.now(UTC))
    foreign = await add_finished(world, "shop-b", 1)
    live = (await world.hint("shop-a", 2)).entry_id
    reader = PostgresQueueReader(world.database)
    assert set(await reader.get(SHOP, [old, foreign, live, new_entry_id()], with_attempts=False)) == {old, live}
    assert await reader.get(SHOP, [], with_attempts=False) == {}
    assert ids(await reader.entries_of_subject(SHOP, epos_customer_id=EposCustomerId(1))) == [old]
    with pytest.raises(ValueError, match="name a till customer or an order"):
        await reader.entries_of_subject(SHOP)


async def test_counts_have_every_state_and_stop_above_ten_thousand(world: EngineWorld) -> None:
    await mixed_orders(world)
    reader = PostgresQueueReader(world.database)
    assert await reader.state_counts(SHOP, Queue.ORDERS) == {
        **dict.fromkeys(EntryState, 1),
        EntryState.SKIPPED: 0,
        EntryState.DISMISSED: 0,
    }
    await world.fetch(
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, create_time, update_time) "
        "SELECT 'shop-a', gen_random_uuid(), 1, 1, 1000 + n, 2, now(), now(), now() FROM generate_series(1, 12000) AS n RETURNING 1"
    )
    assert (await reader.state_counts(SHOP, Queue.CUSTOMERS))[EntryState.PENDING] == 10_001
    assert await reader.waiting_entries(SHOP, 500) == 500
    assert await reader.waiting_entries(AccountId("shop-b"), 500) == 1


async def test_error_names_an_unknown_account(world: EngineWorld) -> None:
    reader = PostgresQueueReader(world.database)
    with pytest.raises(NotFound, match="nowhere"):
        await reader.waiting_entries(AccountId("nowhere"), 1)
    with pytest.raises(NotFound, match="nowhere"):
        await reader.problems(AccountId("nowhere"))
