"""ListQueue: one page of a queue, its counts and the account's problems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tillsync_server.application.use_cases.page_tokens import MAX_PAGE_SIZE, TokenOf, coerced_page_size
from tillsync_server.domain.account import Problem
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryState, Outcome, Queue
from tillsync_server.domain.errors import FieldViolation, InvalidArgument
from tillsync_server.domain.ids import AccountId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.ports.queues import COUNT_CAP, QueueFilter, QueueReader

MAX_EMAIL_LENGTH = 254
MAX_FULL_PAGE = 50
"""Entries a page with their attempts, of which each may have thirty."""
MIN_TEXT_LENGTH, MAX_TEXT_LENGTH = 2, 100
_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterAsked:
    """The filter fields of ListQueueRequest and QueueFilter as they came: 0, empty and None mean *any*."""

    queue: Queue
    states: tuple[EntryState, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    epos_customer_id: int = 0
    woo_customer_id: int = 0
    order_id: int = 0
    email: str = ""
    text: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None

    def checked(self, account_id: AccountId, *, within: str = "") -> QueueFilter:
        """InvalidArgument names every field outside its limits; ``within`` is put before their names (``filter.``)."""
        violations: list[FieldViolation] = []

        def unless(holds: bool, field: str, problem: str) -> None:
            if not holds:
                violations.append(FieldViolation(f"{within}{field}", problem))

        unless(len(self.states) <= len(EntryState), "states", f"at most {len(EntryState)} states")
        unless(len(self.outcomes) <= len(Outcome), "outcomes", f"at most {len(Outcome)} outcomes")
        for field, value in (
            ("epos_customer_id", self.epos_customer_id),
            ("woo_customer_id", self.woo_customer_id),
            ("order_id", self.order_id),
        ):
            unless(0 <= value <= _MAX_ID, field, "must be greater than 0; leave it out for any")
        unless(len(self.email) <= MAX_EMAIL_LENGTH, "email", f"at most {MAX_EMAIL_LENGTH} characters")
        unless(_printable(self.email), "email", "must not contain control characters")
        email = normalise_email(self.email)
        unless(bool(email) or not self.email, "email", "is blank; leave it out for any")
        unless(
            not self.text or MIN_TEXT_LENGTH <= len(self.text) <= MAX_TEXT_LENGTH,
            "text",
            f"must have {MIN_TEXT_LENGTH} to {MAX_TEXT_LENGTH} characters",
        )
        unless(_printable(self.text), "text", "must not contain control characters")
        if violations:
            raise InvalidArgument(violations)
        return QueueFilter(
            account_id=account_id,
            queue=self.queue,
            states=frozenset(self.states),
            outcomes=frozenset(self.outcomes),
            epos_customer_id=EposCustomerId(self.epos_customer_id) if self.epos_customer_id else None,
            woo_customer_id=WooCustomerId(self.woo_customer_id) if self.woo_customer_id else None,
            order_id=OrderId(self.order_id) if self.order_id else None,
            email=email,
            text=self.text,
            created_after=self.created_after,
            created_before=self.created_before,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQueue:
    account_id: AccountId
    filter: FilterAsked
    page_size: int = 0
    page_token: str = ""
    with_attempts: bool = False
    with_counts: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """``capped``: counting stopped at the cap, there may be more."""

    state: EntryState
    count: int
    capped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    entries: tuple[Entry, ...]
    next_page_token: str
    counts: tuple[Count, ...]
    """One for each state, where they were asked for."""
    problems: tuple[Problem, ...]
    tokens: TokenOf

    def token_after(self, entry: Entry) -> str:
        """Where a page that ends with this entry goes on."""
        return self.tokens.give(str(entry.entry_id))


class QueueListing:
    def __init__(self, reader: QueueReader) -> None:
        self._reader = reader

    async def list_queue(self, asked: ListQueue) -> QueuePage:
        """NotFound for an unknown account. InvalidArgument: a filter outside its limits, a page_token of another query."""
        wanted = asked.filter.checked(asked.account_id)
        limit = coerced_page_size(asked.page_size, most=MAX_FULL_PAGE if asked.with_attempts else MAX_PAGE_SIZE)
        tokens = TokenOf("page_token", *identity_of(wanted), asked.with_counts)
        before = tokens.take_entry(asked.page_token)
        problems = await self._reader.problems(asked.account_id)
        found = await self._reader.list_entries(wanted, before=before, limit=limit, with_attempts=asked.with_attempts)
        counts: tuple[Count, ...] = ()
        if asked.with_counts:
            counted = await self._reader.state_counts(asked.account_id, wanted.queue)
            counts = tuple(Count(state, min(counted.get(state, 0), COUNT_CAP), counted.get(state, 0) > COUNT_CAP) for state in EntryState)
        token = "" if found.next_before is None else tokens.give(str(found.next_before))
        return QueuePage(entries=found.entries, next_page_token=token, counts=counts, problems=problems, tokens=tokens)


def identity_of(wanted: QueueFilter) -> tuple[object, ...]:
    """What a token is bound to of a filter."""
    return (
        wanted.account_id,
        wanted.queue,
        wanted.states,
        wanted.outcomes,
        wanted.epos_customer_id,
        wanted.woo_customer_id,
        wanted.order_id,
        wanted.email,
        wanted.text,
        wanted.created_after,
        wanted.created_before,
    )


def _printable(text: str) -> bool:
    return not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)
