"""Rows that the previous release stored under its form of an email.

This release finds them, compares them and waits for their intents. It rekeys them while the service runs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from support.engine import EngineWorld
from support.flow_world import FlowWorld, order_facts, till_account
from support.links import SHOP, complete_all, facts_of, held_orders, put_order
from tillsync_server.adapters.postgres.engine.locked_lane import locked_lane
from tillsync_server.adapters.postgres.links.held_orders import held_of_guest
from tillsync_server.adapters.postgres.maintenance.email_rekey import CHUNK, PostgresEmailRekey
from tillsync_server.adapters.postgres.privacy.privacy_store import PostgresPrivacy
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.adapters.postgres.tills.intents import PostgresIntents
from tillsync_server.application.flows.create_protocol import CreateProtocol, Holders
from tillsync_server.application.flows.email_search import CustomersByEmail
from tillsync_server.domain.emails import email_form_before, email_forms, normalise_email
from tillsync_server.domain.enums import Outcome, Queue
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.matching import new_customer
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.orders import NewOrder, OrderEnqueued
from tillsync_server.ports.privacy import Person, PersonCategory
from tillsync_server.ports.queues import QueueFilter

pytestmark = pytest.mark.integration
EMAIL = "Straße@example.test"
NOW, BEFORE = normalise_email(EMAIL), email_form_before(EMAIL)
MATCHED = replace(Verdict.finished(Outcome.DEFAULT_CUSTOMER), epos_customer_id=None)


async def store_in_previous_form(world: EngineWorld, facts: OrderFacts) -> None:
    """Rewrites all rows of this order as the previous release stores them."""
    emails = [email_form_before(each) or None for each in (facts.account_email, facts.billing_email)]
    for table, key in (("entry", "subject_id"), ("entry_history", "subject_id"), ("order_match", "order_id")):
        await world.fetch(
            f"UPDATE {table} SET account_email = $2, billing_email = $3 WHERE {key} = $1 RETURNING 1", facts.order_id, *emails
        )
    stored = facts._hash(email_form_before(facts.account_email), email_form_before(facts.billing_email))
    await world.fetch("UPDATE order_match SET facts_hash = $2 WHERE order_id = $1 RETURNING 1", facts.order_id, stored)


async def enqueue(world: EngineWorld, facts: OrderFacts) -> OrderEnqueued:
    [enqueued] = await world.orders.enqueue([NewOrder(account_id=AccountId(SHOP), facts=facts)])
    assert isinstance(enqueued, OrderEnqueued)
    return enqueued


async def stored_emails(world: EngineWorld, table: str) -> set[tuple[str | None, str | None]]:
    return {(row["account_email"], row["billing_email"]) for row in await world.fetch(f"SELECT account_email, billing_email FROM {table}")}


def filter_by_email(email: str) -> QueueFilter:
    return QueueFilter(account_id=AccountId(SHOP), queue=Queue.ORDERS, email=normalise_email(email))


@pytest.fixture
async def shop(world: EngineWorld) -> EngineWorld:
    await world.add_accounts(SHOP)
    return world


async def test_order_held_before_the_upgrade_is_not_requeued_by_the_same_facts(shop: EngineWorld) -> None:
    facts = facts_of(1, woo_customer_id=12, email=EMAIL, account_email=EMAIL)
    await held_orders(shop, [facts])
    await store_in_previous_form(shop, facts)
    assert not (await enqueue(shop, facts)).queued
    assert (await enqueue(shop, replace(facts, billing_email="bea@example.test"))).queued


async def test_list_by_email_has_entries_of_both_forms_once_each(shop: EngineWorld) -> None:
    old, new, mixed, other = (facts_of(number, email=email) for number, email in enumerate((EMAIL, EMAIL, EMAIL, "strasse@x.test"), 1))
    entries = [await put_order(shop, facts) for facts in (old, new, mixed, other)]
    await store_in_previous_form(shop, old)
    await shop.fetch("UPDATE entry SET account_email = $1 WHERE subject_id = 3 RETURNING 1", BEFORE)
    reader = PostgresQueueReader(shop.database)
    found = await reader.list_entries(filter_by_email(EMAIL), before=None, limit=10, with_attempts=False)
    assert [entry.entry_id for entry in found.entries] == sorted(entries[:3], reverse=True)
    first = await reader.list_entries(filter_by_email(EMAIL), before=None, limit=2, with_attempts=False)
    assert first.next_before is not None
    rest = await reader.list_entries(filter_by_email(EMAIL), before=first.next_before, limit=2, with_attempts=False)
    assert [entry.entry_id for entry in first.entries + rest.entries] == sorted(entries[:3], reverse=True)


async def test_held_orders_of_a_guest_are_found_under_both_forms(shop: EngineWorld) -> None:
    old, new = facts_of(1, email=EMAIL), facts_of(2, email=EMAIL)
    entries = await held_orders(shop, [old, new])
    await store_in_previous_form(shop, old)
    async with locked_lane(shop.database, AccountId(SHOP)) as lane:
        assert await held_of_guest(lane, NOW, except_entry=None) == sorted(entries)


async def test_person_is_exported_and_erased_under_both_forms(shop: EngineWorld) -> None:
    live, done = facts_of(1, email=EMAIL), facts_of(2, email=EMAIL)
    await put_order(shop, done)
    await complete_all(shop, MATCHED)
    await put_order(shop, live)
    for facts in (live, done):
        await store_in_previous_form(shop, facts)
    intents = PostgresIntents(shop.database)
    till_id = (await shop.fetch("SELECT till_id FROM account"))[0]["till_id"]
    await intents.open(till_id, (BEFORE,), AccountId(SHOP), "one:1", settle_seconds=0)
    privacy, person = PostgresPrivacy(shop.database, shop.notifications), Person(emails=email_forms(NOW))
    counts = {
        category: len(await privacy.records(AccountId(SHOP), person, category, after="", limit=10))
        for category in (PersonCategory.QUEUE_ENTRY, PersonCategory.ORDER_MATCH, PersonCategory.CREATE_INTENT)
    }
    assert counts == {PersonCategory.QUEUE_ENTRY: 2, PersonCategory.ORDER_MATCH: 2, PersonCategory.CREATE_INTENT: 1}
    await privacy.erase(AccountId(SHOP), person)
    assert await stored_emails(shop, "order_match") == await stored_emails(shop, "entry_history") == {(None, None)}
    assert await shop.fetch("SELECT 1 FROM intent") == []


class PreviousProtocol(CreateProtocol):
    """The protocol of the previous release. It opens an intent under its own form only."""

    def _intent_keys(self, email: str) -> tuple[str, ...]:
        return (email_form_before(email),)


@pytest.mark.every_version
@pytest.mark.parametrize("kinds", [(CreateProtocol, PreviousProtocol), (PreviousProtocol, CreateProtocol)])
async def test_two_releases_on_one_database_make_no_twin(world: EngineWorld, kinds: tuple[type[CreateProtocol], ...]) -> None:
    """Two shops of one till, on different releases, create customers for the same 20 emails.

    All 40 runs search the till before any of them opens its intent."""
    flow = FlowWorld()
    flow.services = replace(flow.services, intents=PostgresIntents(world.database))
    flow.till.add("grace@example.test")
    emails = [f"Straße{number}@example.test" for number in range(20)]
    all_searched, left = asyncio.Event(), 2 * len(emails)

    async def step(name: str) -> None:
        nonlocal left
        if name == "till.search_by_email" and not all_searched.is_set():
            left -= 1
            if left <= 0:
                all_searched.set()
            await all_searched.wait()

    flow.step = step
    runs = []
    for number, email in enumerate(emails):
        for shop, kind in (("shop-1", kinds[number % 2]), ("shop-2", kinds[1 - number % 2])):
            context = flow.context(till_account(shop))
            runs.append(kind(context, CustomersByEmail(context)).find_or_create(new_customer(order_facts(), email)))
    answers = await asyncio.gather(*runs)
    assert sorted(each.email for each in flow.till.created) == sorted(emails)
    assert sum(isinstance(answer, Holders) and answer.created is not None for answer in answers) == len(emails)


async def rekey(world: EngineWorld) -> None:
    """Runs one pass over each table, as if it were due now."""
    await world.fetch("UPDATE email_rekey SET next_time = now() RETURNING 1")
    work = PostgresEmailRekey(world.database)
    while await work.run_chunk():
        pass


async def test_rekey_starts_an_hour_after_the_upgrade(shop: EngineWorld) -> None:
    facts = facts_of(1, email=EMAIL)
    await put_order(shop, facts)
    await store_in_previous_form(shop, facts)
    assert not await PostgresEmailRekey(shop.database).run_chunk()
    await shop.fetch("UPDATE email_rekey SET next_time = next_time - interval '1 hour' RETURNING 1")
    assert await PostgresEmailRekey(shop.database).run_chunk()


async def done_flags(world: EngineWorld) -> set[bool]:
    return {row["done"] for row in await world.fetch("SELECT done FROM email_rekey")}


async def intent_emails(world: EngineWorld) -> set[str]:
    return {row["email"] for row in await world.fetch("SELECT email FROM intent")}


async def test_rekey_rewrites_stored_emails_and_hashes(shop: EngineWorld) -> None:
    live, finished, plain = (
        facts_of(1, woo_customer_id=12, email=EMAIL, account_email="ada@straße.test"),
        facts_of(2, email=EMAIL),
        facts_of(3),
    )
    for facts in (finished, plain):
        await put_order(shop, facts)
    await complete_all(shop, MATCHED)
    await put_order(shop, live)
    for facts in (live, finished, plain):
        await store_in_previous_form(shop, facts)
    assert await stored_emails(shop, "order_match") == {
        ("ada@strasse.test", BEFORE), (None, BEFORE), (None, "ada@example.test")
    }  # fmt: skip
    await rekey(shop)
    assert await stored_emails(shop, "entry") == {("ada@xn--strae-oqa.test", NOW)}
    assert await stored_emails(shop, "entry_history") == {(None, NOW), (None, "ada@example.test")}
    assert await stored_emails(shop, "order_match") == {
        ("ada@xn--strae-oqa.test", NOW), (None, NOW), (None, "ada@example.test")
    }  # fmt: skip
    hashes = {row["order_id"]: row["facts_hash"] for row in await shop.fetch("SELECT order_id, facts_hash FROM order_match")}
    assert hashes == {facts.order_id: facts.facts_hash() for facts in (live, finished, plain)}
    [entry] = await shop.fetch("SELECT entry_revision, state FROM entry")
    assert dict(entry) == {"entry_revision": 1, "state": 1}, "the rekey requeues no entry"


async def test_rekey_is_done_after_a_pass_without_changes(shop: EngineWorld) -> None:
    await put_order(shop, facts_of(1, email=EMAIL))
    await rekey(shop)
    assert await done_flags(shop) == {False}, "a process of the previous release may still write"
    assert not await PostgresEmailRekey(shop.database).run_chunk(), "the next pass starts an hour later"
    await store_in_previous_form(shop, facts_of(1, email=EMAIL))
    await rekey(shop)
    assert await stored_emails(shop, "entry") == {(None, NOW)}
    await rekey(shop)
    assert await done_flags(shop) == {True}


async def test_rekey_continues_from_its_position_and_runs_in_several_processes(shop: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillsync_server.adapters.postgres.maintenance.email_rekey.CHUNK", 3)
    orders = [facts_of(number, email=f"Straße{number}@example.test") for number in range(1, 9)]
    for facts in orders:
        await put_order(shop, facts)
        await store_in_previous_form(shop, facts)
    await shop.fetch("UPDATE email_rekey SET next_time = now() RETURNING 1")
    rekeys = [PostgresEmailRekey(shop.database) for _ in range(3)]
    while not await stored_emails(shop, "entry") - {(None, email_form_before(each.billing_email)) for each in orders}:
        await rekeys[0].run_chunk()
    [position] = await shop.fetch("SELECT after_key, after_id, changed FROM email_rekey WHERE what = 2")
    assert (position["after_key"], position["changed"]) == (SHOP, 3)
    while any(await asyncio.gather(*(rekey.run_chunk() for rekey in rekeys))):
        pass
    expected = {(None, normalise_email(each.billing_email)) for each in orders}
    assert await stored_emails(shop, "entry") == await stored_emails(shop, "order_match") == expected
    assert {row["passes"] for row in await shop.fetch("SELECT passes FROM email_rekey")} == {1}


async def test_rekey_keeps_facts_that_change_between_its_read_and_write(shop: EngineWorld) -> None:
    facts = facts_of(1, email=EMAIL)
    await put_order(shop, facts)
    await store_in_previous_form(shop, facts)
    await shop.fetch("UPDATE email_rekey SET next_time = now() RETURNING 1")
    work = PostgresEmailRekey(shop.database)
    write_changes = work._write_changes

    async def change_order_and_write(*arguments: Any) -> None:
        await enqueue(shop, replace(facts, billing_email="bea@example.test"))
        await write_changes(*arguments)

    work._write_changes = change_order_and_write  # type: ignore[method-assign, assignment]
    while await work.run_chunk():
        pass
    assert await stored_emails(shop, "entry") == await stored_emails(shop, "order_match") == {(None, "bea@example.test")}


async def test_rekey_keeps_erased_emails_erased(shop: EngineWorld) -> None:
    await put_order(shop, facts_of(1, email=EMAIL))
    await complete_all(shop, MATCHED)
    await PostgresPrivacy(shop.database, shop.notifications).erase(AccountId(SHOP), Person(emails=email_forms(NOW)))
    await rekey(shop)
    assert await stored_emails(shop, "order_match") == await stored_emails(shop, "entry_history") == {(None, None)}


async def test_rekey_moves_only_intents_settled_long_ago(shop: EngineWorld) -> None:
    [till] = await shop.fetch("SELECT till_id FROM account")
    await shop.fetch("INSERT INTO till (till_id) VALUES ($1) RETURNING 1", till["till_id"])
    decomposed = ["an\u0303da@example.test", "be\u0301a@example.test", "o\u0308d@example.test", "e\u0301va@example.test"]
    old, young, unknown, taken = decomposed
    states = [(old, 3, 2), (young, 3, 0), (unknown, 2, 2), (taken, 3, 2), (normalise_email(taken), 3, 0), ("ada@example.test", 3, 2)]
    for number, (email, state, days) in enumerate(states):
        await shop.fetch(
            "INSERT INTO intent (till_id, email, state, account_id, owner, epos_customer_id, settled_at, create_time) "
            "VALUES ($1, $2, $3, $4, 'o', $5, now() - make_interval(days => $6), now()) RETURNING 1",
            till["till_id"], email, state, SHOP, number + 1 if state == 3 else None, days,
        )  # fmt: skip
    await rekey(shop)
    assert await intent_emails(shop) == {"añda@example.test", young, unknown, taken, normalise_email(taken), "ada@example.test"}


async def test_rekey_statements_read_one_chunk_by_their_index(world: EngineWorld) -> None:
    await world.fill(
        "INSERT INTO account (account_id, till_id, epos_base_url) SELECT 'shop-' || n, 't', 'https://till.example.test' "
        "FROM generate_series(1, 50) AS n",
        "INSERT INTO till (till_id) VALUES ('t')",
        "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, account_email, create_time, update_time) "
        "SELECT 'shop-' || CASE WHEN n % 2 = 0 THEN 7 ELSE n % 50 + 1 END, gen_random_uuid(), 2, 3, n, 1, now(), n || '@example.test', "
        "now(), now() "
        "FROM generate_series(1, 50000) AS n",
        "INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count, "
        "coalesced_count, comment, notes, subject_label, attempts, create_time, update_time, finish_time, retention) "
        "SELECT account_id, gen_random_uuid(), 2, 3, subject_id, 2, 1, false, 1, 1, 0, '', '', '', '[]', now(), now(), now(), 1 FROM entry",
        "INSERT INTO order_match (account_id, order_id, order_key, facts_hash, entry_id, create_time, update_time) "
        "SELECT account_id, subject_id, 'k', '', entry_id, now(), now() FROM entry",
        "INSERT INTO intent (till_id, email, state, account_id, owner, settled_at, create_time) "
        "SELECT 't', n || '@example.test', 1, 'shop-1', 'o', now(), now() FROM generate_series(1, 50000) AS n",
    )
    for name, first, index in (
        ("entries_after", UUID(int=0), "entry_pkey"),
        ("history_after", UUID(int=0), r"entry_history_\w+_pkey"),
        ("matches_after", 0, "order_match_pkey"),
        ("intents_after", "", "intent_pkey"),
    ):
        await assert_reads_one_chunk(world, name, ["shop-20" if index != "intent_pkey" else "t", first, CHUNK], index)
    rows = await world.fetch("SELECT entry_id, account_email FROM entry WHERE account_id = 'shop-7' LIMIT 500")
    ids, emails = [row["entry_id"] for row in rows], [row["account_email"] for row in rows]
    nothing: list[str | None] = [None] * len(rows)
    changes = ["shop-7", ids, emails, nothing, nothing, nothing]
    await assert_reads_one_chunk(world, "rekey_entries", changes, "entry_pkey")
    await assert_reads_one_chunk(world, "rekey_history", changes, r"entry_history_\w+_pkey")
    numbers, hashes = list(range(1, 501)), [b""] * 500
    matches = ["shop-7", numbers, *[[None] * 500] * 2, hashes, *[[None] * 500] * 2, hashes]
    await assert_reads_one_chunk(world, "rekey_matches", matches, "order_match_pkey")


async def assert_reads_one_chunk(world: EngineWorld, name: str, parameters: list[Any], index: str) -> None:
    async with world.database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            raw = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) " + load(f"maintenance/{name}"), *parameters)
        finally:
            await transaction.rollback()
    plan = list(nodes(json.loads(raw)[0]["Plan"]))
    assert any(re.fullmatch(index, node.get("Index Name", "")) for node in plan), (name, [node.get("Index Name") for node in plan])
    for node in plan:
        if "Relation Name" in node:
            touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            assert touched <= 2 * CHUNK, (name, node["Node Type"], node.get("Index Name"), touched)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
