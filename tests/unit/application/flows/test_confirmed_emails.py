"""An account email is trusted only once it is confirmed. Only orders with a trusted email create links."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.flow_world import FlowWorld, order_entry, order_facts, till_account
from tillsync_server.application.flows.order_flow import OrderFlow
from tillsync_server.domain.account import Account
from tillsync_server.domain.confirmation import UNCONFIRMED_NOTE, ground_to_link
from tillsync_server.domain.enums import EmailConfirmation, EntryState, LinkGround, MatchEmail, Outcome, TrustedAccounts
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict

SET_AT = datetime(2026, 11, 1, tzinfo=UTC)
OLD, NEW = SET_AT - timedelta(days=1), SET_AT
CONFIRMED, UNCONFIRMED, CHANGED = EmailConfirmation.CONFIRMED, EmailConfirmation.UNCONFIRMED, EmailConfirmation.CHANGED


def account_that_trusts(trusted: TrustedAccounts) -> Account:
    by_age = trusted is TrustedAccounts.REGISTERED_BEFORE
    return till_account(trusted_accounts=trusted, trusted_before=SET_AT if by_age else None)


@pytest.mark.parametrize(
    ("trusted", "confirmation", "registered", "ground"),
    [
        *((trusted, CONFIRMED, registered, LinkGround.CONFIRMED_EMAIL) for trusted in TrustedAccounts for registered in (OLD, NEW, None)),
        *((TrustedAccounts.CONFIRMED_ONLY, confirmation, OLD, None) for confirmation in (UNCONFIRMED, CHANGED, None)),
        *((TrustedAccounts.ALL, confirmation, NEW, LinkGround.TRUSTED_ACCOUNT) for confirmation in (UNCONFIRMED, CHANGED, None)),
        *((TrustedAccounts.REGISTERED_BEFORE, confirmation, OLD, LinkGround.TRUSTED_ACCOUNT) for confirmation in (UNCONFIRMED, None)),
        *((TrustedAccounts.REGISTERED_BEFORE, confirmation, NEW, None) for confirmation in (UNCONFIRMED, CHANGED, None)),
        *((TrustedAccounts.REGISTERED_BEFORE, confirmation, None, None) for confirmation in (UNCONFIRMED, CHANGED, None)),
        pytest.param(
            *(TrustedAccounts.REGISTERED_BEFORE, CHANGED, OLD, None), marks=pytest.mark.catches("trust-by-age-ends-with-the-email")
        ),
    ],
)
def test_ground_to_link_follows_the_trust_setting(
    trusted: TrustedAccounts, confirmation: EmailConfirmation | None, registered: datetime | None, ground: LinkGround | None
) -> None:
    facts = order_facts(email_confirmation=confirmation, woo_registered_at=registered)
    assert ground_to_link(account_that_trusts(trusted), facts) is ground


def test_trust_by_age_without_its_time_trusts_no_account() -> None:
    account = replace(account_that_trusts(TrustedAccounts.REGISTERED_BEFORE), trusted_before=None)
    assert ground_to_link(account, order_facts(woo_registered_at=OLD)) is None


def test_email_confirmation_is_stored_with_the_order_facts() -> None:
    facts = order_facts(email_confirmation=CONFIRMED, woo_registered_at=OLD)
    assert OrderFacts.from_json(facts.to_json()) == facts
    plain = order_facts()
    assert OrderFacts.from_json(plain.to_json()) == plain
    assert set(facts.to_json()) - set(plain.to_json()) == {"email_confirmation", "woo_registered_at"}
    hashes = {order_facts(email_confirmation=confirmation).facts_hash() for confirmation in (None, *EmailConfirmation)}
    assert len(hashes) == 4, "a confirmation is a reason to decide again"
    assert order_facts(woo_registered_at=OLD).facts_hash() != plain.facts_hash(), "so is a time that is heard"


async def run(world: FlowWorld, account: Account, facts: OrderFacts) -> Verdict:
    return await OrderFlow(world.context(account)).run(order_entry(account, facts))


@pytest.mark.catches("unconfirmed-emails-are-not-linked")
@pytest.mark.parametrize("match_email", [*MatchEmail])
async def test_unconfirmed_order_is_matched_without_a_link(match_email: MatchEmail) -> None:
    world = FlowWorld()
    account = replace(account_that_trusts(TrustedAccounts.CONFIRMED_ONLY), match_email=match_email)
    ada = world.till.add("ada@example.test")
    verdict = await run(world, account, order_facts(email_confirmation=UNCONFIRMED))
    assert (verdict.state, verdict.outcome, verdict.epos_customer_id) == (EntryState.PROCESSED, Outcome.MATCHED_EMAIL, ada)
    assert verdict.notes == (UNCONFIRMED_NOTE,)
    assert world.links.links == []
    # with a confirmed email the same order links
    verdict = await run(world, account, order_facts(email_confirmation=CONFIRMED))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_EMAIL, ada)
    [link] = world.links.links
    assert (link.epos_customer_id, link.woo_customer_id, link.ground) == (ada, 12, LinkGround.CONFIRMED_EMAIL)


async def test_orders_of_one_unconfirmed_person_share_one_created_customer() -> None:
    world = FlowWorld()
    account = account_that_trusts(TrustedAccounts.CONFIRMED_ONLY)
    first = await run(world, account, order_facts(1, email_confirmation=UNCONFIRMED))
    second = await run(world, account, order_facts(2, email_confirmation=UNCONFIRMED))
    assert (first.outcome, second.outcome) == (Outcome.CUSTOMER_CREATED, Outcome.MATCHED_EMAIL)
    assert first.epos_customer_id == second.epos_customer_id
    assert world.links.links == []


async def test_confirmed_changed_email_links_no_customer_of_the_claimed_email() -> None:
    """A link prepared before the confirmation would show Ada's points to the account that claimed her email first."""
    world = FlowWorld()
    account = account_that_trusts(TrustedAccounts.CONFIRMED_ONLY)
    ada = world.till.add("ada@example.test")
    await run(world, account, order_facts(1, email_confirmation=UNCONFIRMED))
    verdict = await run(world, account, order_facts(1, email="eve@example.test", email_confirmation=CONFIRMED))
    assert verdict.outcome is Outcome.CUSTOMER_CREATED
    assert [link.epos_customer_id for link in world.links.links] == [verdict.epos_customer_id]
    assert verdict.epos_customer_id != ada


async def test_existing_link_stays_for_an_unconfirmed_email() -> None:
    world = FlowWorld()
    account = account_that_trusts(TrustedAccounts.CONFIRMED_ONLY)
    ada = world.till.add("ada@example.test")
    world.links.add(account.account_id, ada, 12)
    verdict = await run(world, account, order_facts(email="new@example.test", email_confirmation=CHANGED))
    assert (verdict.outcome, verdict.epos_customer_id) == (Outcome.MATCHED_LINK, ada)
