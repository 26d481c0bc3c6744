"""The previous release keys intents and facts by its own email form. Both releases together create no customer twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support.flow_world import FlowWorld, order_facts, till_account
from tillsync_server.application.flows.create_protocol import CreateProtocol, Holders
from tillsync_server.application.flows.email_search import CustomersByEmail
from tillsync_server.domain.account import Account
from tillsync_server.domain.emails import email_form_before, email_forms, normalise_email
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.matching import new_customer
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.order_arrival import Arrival, KnownOrder, decide_arrival
from tillsync_server.domain.verdict import Verdict

NEW_SHOP, OLD_SHOP = till_account("shop-1"), till_account("shop-2")
DIFFERENT = ["Straße@example.test", "ada@straße.test", "ÉVA@example.test", "an\u0303a@example.test", "oﬃce@example.test"]


class ProtocolBefore(CreateProtocol):
    """The previous release: it claims an intent under its own email form only."""

    def _intent_keys(self, email: str) -> tuple[str, ...]:
        return (email_form_before(email),)


def protocol(world: FlowWorld, account: Account, kind: type[CreateProtocol]) -> CreateProtocol:
    context = world.context(account)
    return kind(context, CustomersByEmail(context))


@pytest.mark.parametrize("email", DIFFERENT)
@pytest.mark.parametrize("first", [CreateProtocol, ProtocolBefore])
@pytest.mark.catches("intents-stand-under-every-form")
async def test_two_concurrent_releases_create_no_twin(email: str, first: type[CreateProtocol]) -> None:
    """Both search and find no customer before either claims an intent. The second one then waits for the first one's customer."""
    world = FlowWorld()
    world.till.add("grace@example.test")
    second = ProtocolBefore if first is CreateProtocol else CreateProtocol
    at_open, go_on = asyncio.Event(), asyncio.Event()

    async def step(name: str) -> None:
        if name == "intents.open" and not at_open.is_set():
            at_open.set()
            await go_on.wait()

    world.step = step
    customer = new_customer(order_facts(), email)
    waits = asyncio.create_task(protocol(world, OLD_SHOP, second).find_or_create(customer))
    await at_open.wait()
    made = await protocol(world, NEW_SHOP, first).find_or_create(customer)
    assert isinstance(made, Holders)
    go_on.set()
    answer = await waits
    assert isinstance(answer, Holders | Verdict)
    assert len(world.till.created) == 1
    assert isinstance(answer, Holders)
    assert answer.customer_ids == made.customer_ids


@pytest.mark.catches("intents-stand-under-every-form")
async def test_unanswered_create_of_the_previous_release_settles_first() -> None:
    world = FlowWorld()
    world.till.add("grace@example.test")
    before = email_form_before("Straße@example.test")
    await world.intents.open(NEW_SHOP.till_id, (before,), OLD_SHOP.account_id, "worker-9:1", settle_seconds=90)
    await world.intents.mark_unknown(NEW_SHOP.till_id, (before,), "worker-9:1")
    customer = new_customer(order_facts(), "Straße@example.test")
    verdict = await protocol(world, NEW_SHOP, CreateProtocol).find_or_create(customer)
    assert isinstance(verdict, Verdict)
    assert "was not answered before" in verdict.notes[0]
    world.clock.advance(90)
    assert isinstance(await protocol(world, NEW_SHOP, CreateProtocol).find_or_create(customer), Holders)
    assert len(world.till.created) == 1
    assert {email for _, email in world.intents.rows} == {"straße@example.test", "strasse@example.test"}


async def test_old_form_intent_of_another_mailbox_does_not_block() -> None:
    """ss and ß had one key. The stored intent names a customer with another email and blocks no create."""
    world = FlowWorld()
    world.till.add("grace@example.test")
    made = [
        await protocol(world, NEW_SHOP, CreateProtocol).find_or_create(new_customer(order_facts(), email))
        for email in ("strasse@example.test", "straße@example.test")
    ]
    assert all(isinstance(each, Holders) and each.created for each in made)
    assert [each.email for each in world.till.created] == ["strasse@example.test", "straße@example.test"]


def hash_before(facts: OrderFacts) -> bytes:
    return facts._hash(email_form_before(facts.account_email), email_form_before(facts.billing_email))


@pytest.mark.parametrize("state", [EntryState.HELD, EntryState.PENDING, EntryState.FAILED])
@pytest.mark.parametrize("email", [*DIFFERENT, "Ada@example.test", "\u200bada@example.test"])
@pytest.mark.catches("facts-are-compared-in-both-forms")
def test_same_facts_after_the_upgrade_are_unchanged(email: str, state: EntryState) -> None:
    facts = order_facts(email=email)
    known = KnownOrder(facts.order_key, hash_before(facts), state)
    same = decide_arrival(known, order_key=facts.order_key, facts_hashes=facts.facts_hashes(), rerun=False)
    assert same is Arrival.UNCHANGED
    changed = replace(facts, billing_email="bea@example.test")
    arrival = decide_arrival(known, order_key=facts.order_key, facts_hashes=changed.facts_hashes(), rerun=False)
    assert arrival is (Arrival.REQUEUE_LIVE_ENTRY if state.is_live else Arrival.NEW_ENTRY)


def test_plain_emails_have_the_same_form_in_both_releases() -> None:
    facts = order_facts(email="Ada.Byron+shop@Example.test", billing_email="ada@bücher.test")
    assert facts.facts_hashes() == {facts.facts_hash()} == {hash_before(facts)}
    for email in (facts.account_email, facts.billing_email):
        assert email_forms(email) == (normalise_email(email),)


@pytest.mark.parametrize("email", DIFFERENT)
def test_normalised_email_is_looked_up_in_the_previous_form_too(email: str) -> None:
    assert email_form_before(email) in email_forms(email)
    assert email_form_before(email) in email_forms(normalise_email(email))
