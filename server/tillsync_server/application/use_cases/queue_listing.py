"""ListQueue: one page of a queue, its counts and the account's problems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tillsync_server.application.use_cases.page_tokens import MAX_PAGE_SIZE, PageTokens, coerced_page_size
from tillsync_server.domain.account import Problem
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryState, Outcome, Queue
from tillsync_server.domain.errors import FieldViolation, InvalidArgument
from tillsync_server.domain.ids import AccountId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.ports.queues import COUNT_CAP, QueueFilter, QueueReader

MAX_EMAIL_LENGTH = 254
MAX_FULL_PAGE = 50
"""Entries of a page with their attempts. Each entry may have thirty attempts."""
MIN_TEXT_LENGTH, MAX_TEXT_LENGTH = 2, 100
_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterFields:
    """The unchecked filter fields of ListQueueRequest and QueueFilter. 0, empty and None mean *any*."""

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
        """Returns the checked filter. Raises InvalidArgument, which names every field outside its limits. ``within`` is the path before the
        names (``filter.``)."""
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
    filter: FilterFields
    page_size: int = 0
    page_token: str = ""
    with_attempts: bool = False
    with_counts: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """Entries in one state. ``capped``: the count ended at the cap, and there are more."""

    state: EntryState
    count: int
    capped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    entries: tuple[Entry, ...]
    next_page_token: str
    counts: tuple[Count, ...]
    """One for each state if the request asks for counts, else empty."""
    problems: tuple[Problem, ...]
    tokens: PageTokens

    def token_after(self, entry: Entry) -> str:
        """Returns the token of the page after one that ends with ``entry``."""
        return self.tokens.make(str(entry.entry_id))


class QueueListing:
    def __init__(self, reader: QueueReader) -> None:
        self._reader = reader

    async def list_queue(self, command: ListQueue) -> QueuePage:
        """Returns one page. Raises NotFound for an unknown account, and InvalidArgument for a filter outside its limits or a page_token of
        another query."""
        queue_filter = command.filter.checked(command.account_id)
        limit = coerced_page_size(command.page_size, max_size=MAX_FULL_PAGE if command.with_attempts else MAX_PAGE_SIZE)
        tokens = PageTokens("page_token", *identity_of(queue_filter), command.with_counts)
        before = tokens.read_entry(command.page_token)
        problems = await self._reader.problems(command.account_id)
        found = await self._reader.list_entries(queue_filter, before=before, limit=limit, with_attempts=command.with_attempts)
        counts: tuple[Count, ...] = ()
        if command.with_counts:
            counted = await self._reader.state_counts(command.account_id, queue_filter.queue)
            counts = tuple(Count(state, min(counted.get(state, 0), COUNT_CAP), counted.get(state, 0) > COUNT_CAP) for state in EntryState)
        token = "" if found.next_before is None else tokens.make(str(found.next_before))
        return QueuePage(entries=found.entries, next_page_token=token, counts=counts, problems=problems, tokens=tokens)


def identity_of(queue_filter: QueueFilter) -> tuple[object, ...]:
    """Returns the parts of a filter to which a token is bound."""
    return (
        queue_filter.account_id,
        queue_filter.queue,
        queue_filter.states,
        queue_filter.outcomes,
        queue_filter.epos_customer_id,
        queue_filter.woo_customer_id,
        queue_filter.order_id,
        queue_filter.email,
        queue_filter.text,
        queue_filter.created_after,
        queue_filter.created_before,
    )


def _printable(text: str) -> bool:
    return not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)
