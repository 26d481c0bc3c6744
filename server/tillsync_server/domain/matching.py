"""The rules that match an order to a till customer (docs/architecture.md#the-life-of-an-order). This module does no I/O.

The order flow first calls :func:`plan_without_customer` (sync off, guests), then looks for a link, then calls :func:`plan_by_email`.
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
"""The till's Forename and Surname have 50 characters (docs/epos-now.md#customers, grade C). Longer names are cut, with a note."""

NAMELESS = "Web customer"
_MAX_PRODUCT_NOTES = 6
_OTHER_CAPITALS = str.maketrans(string.ascii_letters, string.ascii_letters.swapcase())


@dataclass(frozen=True, slots=True)
class UseDefaultCustomer:
    """The order goes to the account's default customer. ``reason`` is the note that says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class HoldForPerson:
    """The order becomes HELD as CUSTOMER_NOT_MATCHED, with ``reason`` as its first note."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchByEmail:
    """The order flow searches the till for ``email`` (a ``visible_email``)."""

    email: str
    links: bool
    """Link the shop customer to the found or created till customer."""
    ground: LinkGround = LinkGround.NOT_KEPT
    """The ground of that link."""
    not_linked_because: str = ""
    """The note if ``links`` is False."""
    creates: bool = True
    """Create a till customer if none is found. If False, and none or several are found, the order goes to the default customer. With
    ``none_found`` it is held instead."""
    none_found: str = ""
    """Used if ``creates`` is False: the first note of an order that is held because no till customer was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWithCandidates:
    """The order becomes HELD in any case. ``email`` is searched only to name candidates to the person. Empty: the email is unusable."""

    reason: str
    email: str


def plan_without_customer(account: Account, facts: OrderFacts) -> UseDefaultCustomer | HoldForPerson | MatchByEmail | None:
    """The plan if sync is disabled, or if the order is a guest's. None: the order of a shop customer, with sync enabled."""
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
    """The plan for a shop customer without a usable link."""
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
    """Why a search by this email cannot find a till customer, or None. ``kind``: "account email" or "billing email"."""
    email = visible_email(email)
    if not email:
        return f"the order has no {kind}"
    if len(email) > TILL_EMAIL_MAX_LENGTH:
        return f"the {kind} is longer than {TILL_EMAIL_MAX_LENGTH} characters, which Epos Now cannot store"
    return None


class WithEmail(Protocol):
    """A till customer, complete or as a row of a list."""

    @property
    def epos_customer_id(self) -> EposCustomerId: ...

    @property
    def email(self) -> str: ...


CustomerT = TypeVar("CustomerT", bound=WithEmail)


def exact_matches(customers: Iterable[CustomerT], email: str) -> list[CustomerT]:
    """The customers whose normalised email equals this one, in ascending order of id, each id once. The till may return other rows too."""
    normalised = normalise_email(email)
    found = {
        customer.epos_customer_id: customer
        for customer in customers
        if customer.email
        # invariant: search-hits-are-compared
        and normalise_email(customer.email) == normalised
    }
    return [found[customer_id] for customer_id in sorted(found)]


def resembling_customers(customers: Iterable[TillCustomer], email: str) -> list[TillCustomer]:
    """The customers whose email resembles this one. Only a person can decide whether one of them is the same customer.

    Their email contains this one (``mailto:…``, ``Ada <…>``, two addresses in one field, a dot at the end), or differs only in capitals
    outside ASCII. In ascending order of id, each id once.
    """
    normalised, key = normalise_email(email), email_key(email)
    found = {
        customer.epos_customer_id: customer
        for customer in customers
        if customer.email and normalise_email(customer.email) != normalised and key in email_keys(customer.email)
    }
    return [found[customer_id] for customer_id in sorted(found)]


def email_key(email: str) -> str:
    """A row whose :func:`email_keys` contain this key has the email, or one that resembles it."""
    return without_capitals(normalise_email(email))


def email_keys(row_email: str) -> frozenset[str]:
    return frozenset(without_capitals(address) for address in addresses_in(row_email))


def search_texts(email: str) -> tuple[str, ...]:
    """The texts to search the till for: the visible email, normalised, with its domain in Unicode, and with decomposed accents. Each once.

    A till compares texts. It may store a domain as ``xn--…`` or in Unicode, and an accent composed or decomposed, whatever the order has.
    """
    normalised = normalise_email(email)
    local, at, domain = normalised.rpartition("@")
    spellings = [visible_email(email), normalised]
    if at and "xn--" in domain:
        with contextlib.suppress(idna.IDNAError):  # The text is no domain.
            spellings.append(f"{local}@{idna.decode(domain)}")
    spellings.append(unicodedata.normalize("NFD", normalised))
    return tuple(dict.fromkeys(spellings))


def with_swapped_case(email: str) -> str | None:
    """The same email with swapped case, or None if it has no ASCII letters. A search that finds the email by it ignores case."""
    other = email.translate(_OTHER_CAPITALS)
    return other if other != email and normalise_email(other) == normalise_email(email) else None


def new_customer(facts: OrderFacts, email: str) -> NewTillCustomer:
    """The till customer to create from an order. It has no type, consent or address. The adapter sets MaxCredit to 0."""
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
    """One note for each name that :func:`new_customer` cut to the till's length."""
    forename = "first name" if facts.first_name.strip() else "company, which stands in for the first name,"
    names = ((forename, _forename(facts)), ("last name", facts.last_name.strip()))
    return tuple(
        f"the {field} is cut to the {TILL_NAME_MAX_LENGTH} characters that Epos Now stores"
        for field, text in names
        if len(text) > TILL_NAME_MAX_LENGTH
    )


def creation_obstacle(customer: NewTillCustomer) -> str | None:
    """Why the till could not store this customer, or None. With an obstacle a person decides."""
    if email_problem(customer.email) is not None:
        return "the email is no valid email address"
    return None


def ids_shown(ids: Sequence[EposCustomerId], most: int = 10) -> str:
    """A short list of ids for people: ``501, 502 and 3 more``."""
    shown = ", ".join(str(each) for each in ids[:most])
    return f"{shown} and {len(ids) - most} more" if len(ids) > most else shown


def with_products(verdict: Verdict, products: Sequence[UnlinkedProduct]) -> Verdict:
    """The verdict of the whole order: the customer's verdict combined with the products that have no link."""
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
