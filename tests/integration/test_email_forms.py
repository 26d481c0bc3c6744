"""What the release before stored under its form of an email is found, compared and waited for, and rekeyed while the service runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support.engine import EngineWorld
from support.flow_world import FlowWorld, order_facts, till_account
from support.links import SHOP, end_all, facts_of, held_orders, put_order
from tillsync_server.adapters.postgres.held_orders import held_of_guest
from tillsync_server.adapters.postgres.intents import PostgresIntents
from tillsync_server.adapters.postgres.locked_lane import locked_lane
from tillsync_server.adapters.postgres.privacy import PostgresPrivacy
from tillsync_server.adapters.postgres.queue_reader import PostgresQueueReader
from tillsync_server.application.flows.create_protocol import CreateProtocol, Holders
from tillsync_server.application.flows.email_search import CustomersByEmail
from tillsync_server.domain.emails import email_form_before, normalise_email
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.matching import new_customer
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.vocabulary import Outcome, Queue
from tillsync_server.ports.orders import NewOrder, OrderTaken
from tillsync_server.ports.privacy import Person, PersonCategory
from tillsync_server.ports.queues import QueueFilter

pytestmark = pytest.mark.integration
EMAIL = "Straße@example.test"
NOW, BEFORE = normalise_email(EMAIL), email_form_before(EMAIL)
MATCHED = replace(Verdict.finished(Outcome.DEFAULT_CUSTOMER), epos_customer_id=None)


async def as_stored_before(world: EngineWorld, facts: OrderFacts) -> None:
    """Everything of this order as the release before has written it."""
    emails = [email_form_before(each) or None for each in (facts.account_email, facts.billing_email)]
    for table, key in (("entry", "subject_id"), ("entry_history", "subject_id"), ("order_match", "order_id")):
        await world.fetch(
            f"UPDATE {table} SET account_email = $2, billing_email = $3 WHERE {key} = $1 RETURNING 1", facts.order_id, *emails
        )
    stored = facts._hash(email_form_before(facts.account_email), email_form_before(facts.billing_email))
    await world.fetch("UPDATE order_match SET facts_hash = $2 WHERE order_id = $1 RETURNING 1", facts.order_id, stored)


async def take(world: EngineWorld, facts: OrderFacts) -> OrderTaken:
    [taken] = await world.orders.take([NewOrder(account_id=AccountId(SHOP), facts=facts)])
    assert isinstance(taken, OrderTaken)
    return taken


async def stored_emails(world: EngineWorld, table: str) -> set[tuple[str | None, str | None]]:
    return {(row["account_email"], row["billing_email"]) for row in await world.fetch(f"SELECT account_email, billing_email FROM {table}")}


def found_by(email: str) -> QueueFilter:
    return QueueFilter(account_id=AccountId(SHOP), queue=Queue.ORDERS, email=normalise_email(email))


@pytest.fixture
async def shop(world: EngineWorld) -> EngineWorld:
    await world.add_accounts(SHOP)
    return world


async def test_an_order_held_before_the_upgrade_is_not_run_again_by_being_asked_again(shop: EngineWorld) -> None:
    facts = facts_of(1, woo_customer_id=12, email=EMAIL, account_email=EMAIL)
    await held_orders(shop, [facts])
    await as_stored_before(shop, facts)
    assert not (await take(shop, facts)).queued
    assert (await take(shop, replace(facts, billing_email="bea@example.test"))).queued


async def test_what_was_stored_before_is_listed_with_what_is_stored_now_once_each(shop: EngineWorld) -> None:
    old, new, mixed, other = (facts_of(number, email=email) for number, email in enumerate((EMAIL, EMAIL, EMAIL, "strasse@x.test"), 1))
    entries = [await put_order(shop, facts) for facts in (old, new, mixed, other)]
    await as_stored_before(shop, old)
    await shop.fetch("UPDATE entry SET account_email = $1 WHERE subject_id = 3 RETURNING 1", BEFORE)
    reader = PostgresQueueReader(shop.database)
    found = await reader.list_entries(found_by(EMAIL), before=None, limit=10, with_attempts=False)
    assert [entry.entry_id for entry in found.entries] == sorted(entries[:3], reverse=True)
    first = await reader.list_entries(found_by(EMAIL), before=None, limit=2, with_attempts=False)
    assert first.next_before is not None
    rest = await reader.list_entries(found_by(EMAIL), before=first.next_before, limit=2, with_attempts=False)
    assert [entry.entry_id for entry in first.entries + rest.entries] == sorted(entries[:3], reverse=True)


async def test_held_orders_of_a_guest_are_found_under_both_forms(shop: EngineWorld) -> None:
    old, new = facts_of(1, email=EMAIL), facts_of(2, email=EMAIL)
    entries = await held_orders(shop, [old, new])
    await as_stored_before(shop, old)
    async with locked_lane(shop.database, AccountId(SHOP)) as lane:
        assert await held_of_guest(lane, NOW, but=None) == sorted(entries)


async def test_a_person_is_exported_and_erased_under_both_forms(shop: EngineWorld) -> None:
    live, done = facts_of(1, email=EMAIL), facts_of(2, email=EMAIL)
    await put_order(shop, done)
    await end_all(shop, MATCHED)
    await put_order(shop, live)
    for facts in (live, done):
        await as_stored_before(shop, facts)
    intents = PostgresIntents(shop.database)
    till_id = (await shop.fetch("SELECT till_id FROM account"))[0]["till_id"]
    await intents.open(till_id, (BEFORE,), AccountId(SHOP), "one:1", settle_seconds=0)
    privacy, person = PostgresPrivacy(shop.database, shop.notifications), Person(email=NOW)
    counts = {
        category: len(await privacy.records(AccountId(SHOP), person, category, after="", limit=10))
        for category in (PersonCategory.QUEUE_ENTRY, PersonCategory.ORDER_MATCH, PersonCategory.CREATE_INTENT)
    }
    assert counts == {PersonCategory.QUEUE_ENTRY: 2, PersonCategory.ORDER_MATCH: 2, PersonCategory.CREATE_INTENT: 1}
    await privacy.erase(AccountId(SHOP), person)
    assert await stored_emails(shop, "order_match") == await stored_emails(shop, "entry_history") == {(None, None)}
    assert await shop.fetch("SELECT 1 FROM intent") == []


class ProtocolBefore(CreateProtocol):
    """As the release before: it takes an intent under its own form and knows no other."""

    def _intent_keys(self, email: str) -> tuple[str, ...]:
        return (email_form_before(email),)


@pytest.mark.every_version
@pytest.mark.parametrize("kinds", [(CreateProtocol, ProtocolBefore), (ProtocolBefore, CreateProtocol)])
async def test_two_releases_on_one_database_make_no_twin(world: EngineWorld, kinds: tuple[type[CreateProtocol], ...]) -> None:
    """Twenty emails, for each two shops of one till on the two releases, which have all searched before any takes its intent."""
    flow = FlowWorld()
    flow.services = replace(flow.services, intents=PostgresIntents(world.database))
    flow.till.add("grace@example.test")
    emails = [f"Straße{number}@example.test" for number in range(20)]
    all_there, left = asyncio.Event(), 2 * len(emails)

    async def step(name: str) -> None:
        nonlocal left
        if name == "till.search_by_email" and not all_there.is_set():
            left -= 1
            if left <= 0:
                all_there.set()
            await all_there.wait()

    flow.step = step
    runs = []
    for number, email in enumerate(emails):
        for shop, kind in (("shop-1", kinds[number % 2]), ("shop-2", kinds[1 - number % 2])):
            context = flow.context(till_account(shop))
            runs.append(kind(context, CustomersByEmail(context)).find_or_create(new_customer(order_facts(), email)))
    answers = await asyncio.gather(*runs)
    assert sorted(each.email for each in flow.till.created) == sorted(emails)
    assert sum(isinstance(answer, Holders) and answer.created is not None for answer in answers) == len(emails)
