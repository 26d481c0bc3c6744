"""Whose order is it: the pure rules of the ladder (docs/architecture.md#the-life-of-an-order). Nothing here asks till, shop or database.

The order flow asks in this sequence: :func:`plan_without_customer` (sync off, guests), then the link, then :func:`plan_by_email`.
"""

from __future__ import annotations

import contextlib
import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Protocol, TypeVar, assert_never

import idna

from tillsync_server.domain.account import Account
from tillsync_server.domain.confirmation import UNCONFIRMED_NOTE, ground_to_link
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer
from tillsync_server.domain.emails import (
    TILL_EMAIL_MAX_LENGTH,
    addresses_in,
    email_problem,
    normalise_email,
    visible_email,
    without_capitals,
)
from tillsync_server.domain.enums import EntryState, GuestPolicy, LinkGround, MatchEmail, Outcome
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.order import OrderFacts, UnlinkedProduct
from tillsync_server.domain.order_texts import shortened
from tillsync_server.domain.verdict import Verdict

TILL_NAME_MAX_LENGTH = 50
"""Forename and Surname of the till hold 50 characters (docs/epos-now.md#customers, grade C); longer ones are cut, with a note."""

NAMELESS = "Web customer"
_MAX_PRODUCT_NOTES = 6
_OTHER_CAPITALS = str.maketrans(string.ascii_letters, string.ascii_letters.swapcase())


@dataclass(frozen=True, slots=True)
class UseDefaultCustomer:
    """The order goes to the account's default customer; ``reason`` says why, as a note."""

    reason: str


@dataclass(frozen=True, slots=True)
class HoldForPerson:
    """Only a person can act: HELD as CUSTOMER_NOT_MATCHED with ``reason`` as the first note."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchByEmail:
    """Look the customer up by ``email`` (as a person sees it: ``visible_email``)."""

    email: str
    links: bool
    """The shop customer is linked to what is found or created."""
    ground: LinkGround = LinkGround.NOT_KEPT
    """Of that link."""
    not_linked_because: str = ""
    """The note when ``links`` is False."""
    creates: bool = True
    """None found: create one. Otherwise none or several go to the default customer, or to a person where ``none_found`` says why."""
    none_found: str = ""
    """Without ``creates``: the note with which an order is held that nobody was found for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWithCandidates:
    """HELD whatever is found; ``email`` (empty where unusable) is searched only to name the candidates to the person."""

    reason: str
    email: str


def plan_without_customer(account: Account, facts: OrderFacts) -> UseDefaultCustomer | HoldForPerson | MatchByEmail | None:
    """What is decided without a shop customer: sync disabled, and guests by their policy. None: an ordinary customer's order."""
    if not account.customer_sync_enabled:
        return UseDefaultCustomer("customer sync is not enabled: not linked")
    if facts.woo_customer_id is not None:
        return None
    policy = account.guest_policy
    if policy is GuestPolicy.DEFAULT_CUSTOMER:
        return UseDefaultCustomer("guest order: not linked")
    obstacle = email_obstacle(facts.billing_email, "billing email")
    if policy is GuestPolicy.MATCH_ONLY:
        if obstacle is not None:
            return UseDefaultCustomer(f"guest order, not matched by email: {obstacle}")
        return MatchByEmail(
            email=visible_email(facts.billing_email), links=False, not_linked_because="guest order: not linked", creates=False
        )
    if policy is GuestPolicy.MATCH_OR_CREATE:
        if obstacle is not None:
            return HoldForPerson(f"matching the guest order by email: {obstacle}")
        return MatchByEmail(email=visible_email(facts.billing_email), links=False, not_linked_because="guest order: not linked")
    assert_never(policy)


def plan_by_email(account: Account, facts: OrderFacts, *, unlinked_by_hand: bool) -> HoldForPerson | MatchByEmail | HoldWithCandidates:
    """For a shop customer without a usable link."""
    match account.match_email:
        case MatchEmail.ACCOUNT:
            email, kind = facts.account_email, "account email"
        case MatchEmail.BILLING:
            email, kind = facts.billing_email, "billing email"
        case _:
            assert_never(account.match_email)
    email = visible_email(email)
    obstacle = email_obstacle(email, kind)
    if unlinked_by_hand or not account.auto_link:
        reason = (
            "unlinked by hand: this shop customer is not linked again by itself; choose the customer"
            if unlinked_by_hand
            else "automatic linking is off: choose the customer"
        )
        return HoldWithCandidates(reason=reason, email="" if obstacle else email)
    if obstacle is not None:
        return HoldForPerson(f"matching the order by email: {obstacle}")
    if facts.account_email_normalised == normalise_email(email):
        ground = ground_to_link(account, facts)
        if ground is None:
            return MatchByEmail(email=email, links=False, not_linked_because=UNCONFIRMED_NOTE)
        return MatchByEmail(email=email, links=True, ground=ground)
    return MatchByEmail(email=email, links=False, not_linked_because="not linked: the billing email differs from the account email")


def email_obstacle(email: str, kind: str) -> str | None:
    """Why this email cannot find anybody in the till, or None. ``kind``: "account email" or "billing email"."""
    email = visible_email(email)
    if not email:
        return f"the order has no {kind}"
    if len(email) > TILL_EMAIL_MAX_LENGTH:
        return f"the {kind} is longer than {TILL_EMAIL_MAX_LENGTH} characters, which Epos Now cannot store"
    return None


class WithEmail(Protocol):
    """A till customer, whole or as its row in a list."""

    @property
    def epos_customer_id(self) -> EposCustomerId: ...

    @property
    def email(self) -> str: ...


CustomerT = TypeVar("CustomerT", bound=WithEmail)


def exact_matches(customers: Iterable[CustomerT], email: str) -> list[CustomerT]:
    """The exact matches after normalising, whatever the till's search returned, by ascending id, each id once."""
    wanted = normalise_email(email)
    found = {
        customer.epos_customer_id: customer
        for customer in customers
        if customer.email
        # invariant: search-hits-are-compared
        and normalise_email(customer.email) == wanted
    }
    return [found[customer_id] for customer_id in sorted(found)]


def resembling_customers(customers: Iterable[TillCustomer], email: str) -> list[TillCustomer]:
    """Those whose email contains this one without being equal (``mailto:…``, ``Ada <…>``, two in one field, a dot behind), or differs in
    nothing but capitals outside ASCII: only a person can say whether that is the same customer. By ascending id, each id once."""
    wanted, key = normalise_email(email), email_key(email)
    found = {
        customer.epos_customer_id: customer
        for customer in customers
        if customer.email and normalise_email(customer.email) != wanted and key in email_keys(customer.email)
    }
    return [found[customer_id] for customer_id in sorted(found)]


def email_key(email: str) -> str:
    """Where this is among a row's :func:`email_keys`, the row has the email or resembles it."""
    return without_capitals(normalise_email(email))


def email_keys(row_email: str) -> frozenset[str]:
    return frozenset(without_capitals(address) for address in addresses_in(row_email))


def search_texts(email: str) -> tuple[str, ...]:
    """What the till is asked for: the email as seen, normalised, with its domain in Unicode, with accents decomposed; each spelling once.

    A till compares texts: a domain may stand there as ``xn--…`` or written out, whichever way the order has it, and so may an accent.
    """
    normalised = normalise_email(email)
    local, at, domain = normalised.rpartition("@")
    spellings = [visible_email(email), normalised]
    if at and "xn--" in domain:
        with contextlib.suppress(idna.IDNAError):  # no domain: nothing to write out
            spellings.append(f"{local}@{idna.decode(domain)}")
    spellings.append(unicodedata.normalize("NFD", normalised))
    return tuple(dict.fromkeys(spellings))


def with_swapped_case(email: str) -> str | None:
    """The same email in other capitals, or None where it has no letters. A search that finds it does not tell case apart."""
    other = email.translate(_OTHER_CAPITALS)
    return other if other != email and normalise_email(other) == normalise_email(email) else None


def new_customer(facts: OrderFacts, email: str) -> NewTillCustomer:
    """*Created with*: these fields and no others (no type, consent or address; MaxCredit is the adapter's constant 0)."""
    return NewTillCustomer(
        forename=shortened(_forename(facts), TILL_NAME_MAX_LENGTH),
        surname=shortened(facts.last_name.strip(), TILL_NAME_MAX_LENGTH),
        email=visible_email(email),
        phone=facts.phone.strip(),
        business_name=facts.company.strip(),
        sign_up_date=facts.create_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    )


def _forename(facts: OrderFacts) -> str:
    return facts.first_name.strip() or facts.company.strip() or NAMELESS


def cut_names(facts: OrderFacts) -> tuple[str, ...]:
    """Notes about a customer that :func:`new_customer` made: which names the till has no room for."""
    forename = "first name" if facts.first_name.strip() else "company, which stands in for the first name,"
    names = ((forename, _forename(facts)), ("last name", facts.last_name.strip()))
    return tuple(
        f"the {field} is cut to the {TILL_NAME_MAX_LENGTH} characters that Epos Now stores"
        for field, text in names
        if len(text) > TILL_NAME_MAX_LENGTH
    )


def creation_obstacle(customer: NewTillCustomer) -> str | None:
    """Why the till could not store this customer as it is, or None. A person then decides."""
    if email_problem(customer.email) is not None:
        return "the email is no valid email address"
    return None


def ids_shown(ids: Sequence[EposCustomerId], most: int = 10) -> str:
    """``501, 502 and 3 more``: as many as a person reads."""
    shown = ", ".join(str(each) for each in ids[:most])
    return f"{shown} and {len(ids) - most} more" if len(ids) > most else shown


def with_products(verdict: Verdict, products: Sequence[UnlinkedProduct]) -> Verdict:
    """The headline: what the customer part came to, combined with the products that have no link."""
    if not products:
        return verdict
    product_notes = [_product_note(product) for product in products[:_MAX_PRODUCT_NOTES]]
    if len(products) > _MAX_PRODUCT_NOTES:
        product_notes.append(f"and {len(products) - _MAX_PRODUCT_NOTES} more products without a link")
    if verdict.state is EntryState.PROCESSED:
        held = Verdict.held(Outcome.PRODUCT_NOT_MATCHED, *product_notes, verdict.comment, *verdict.notes)
        return replace(
            held,
            epos_customer_id=verdict.epos_customer_id,
            woo_customer_id=verdict.woo_customer_id,
            subject_label=verdict.subject_label,
        )
    first, rest = verdict.notes[:1], verdict.notes[1:]
    headline = Verdict.held(Outcome.PRODUCT_AND_CUSTOMER_NOT_MATCHED)
    return replace(
        verdict,
        outcome=headline.outcome,
        comment=headline.comment,
        causes=(verdict.outcome,),
        notes=(*first, verdict.comment, *rest, *product_notes),
    )


def _product_note(product: UnlinkedProduct) -> str:
    what = " ".join(part for part in (product.name.strip(), f"(SKU {product.sku.strip()})" if product.sku.strip() else "") if part)
    number = f"{product.product_id}/{product.variation_id}" if product.variation_id else str(product.product_id)
    return f"product not linked: {what or 'product'}, id {number}"
