"""The till: one account's view of an Epos Now company. Implemented by ``adapters/epos``.

Methods raise only subclasses of :class:`tillsync_server.domain.errors.UpstreamError`, and RunInterrupted from a permit or a gate. The
adapter retries a read (tenacity) if that can help within seconds. It never retries a create.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer, TillCustomerType
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Unreadable
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.request_gate import RequestGate

MAX_SEARCH_PAGES = 100
"""Most pages of one search, which are tens of thousands of customers. A till with more pages is faulty, and its answer does not count."""
MAX_LIST_PAGES = 5_000
"""Most pages of the customer list. With the usual 200 rows these are a million customers. A till with more pages never ends its list."""


class WritePermit(Protocol):
    """The last check before a writing request is sent (invariant 3)."""

    def seconds_allowed(self, setting_seconds: float) -> float:
        """Returns min(setting, rest of the lease − 2 s). Raises LeaseTooShort if less than 5 s of the lease are left."""
        ...


@dataclass(frozen=True, slots=True)
class ListedCustomer:
    """A row of the till's list. Only id and email are parsed at first, because readers of a page need few complete customers."""

    epos_customer_id: EposCustomerId
    email: str
    """As served."""
    read: Callable[[], TillCustomer] = field(repr=False, compare=False)
    """Parses the other fields of the row. Never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadRow:
    """A customer row that cannot be read. Readers that do not need it skip it. It never counts as a missing customer.

    ``reason`` names the field, never its content. ``texts``: every text anywhere in the row. Only :meth:`may_have` uses them.
    """

    position: int
    """Position on the page, from 1."""
    customer_id: EposCustomerId | None
    """None: the id cannot be read, or the row is no object."""
    reason: str
    texts: tuple[str, ...] = field(default=(), repr=False)
    listed: ListedCustomer | None = None
    """Set if id and email can be read, and only points or balance are missing. This is enough for a search by email."""

    @property
    def key(self) -> Hashable:
        """The row's identity. A row on two pages has the same key on both, so a page without a new key adds nothing."""
        return self.customer_id if self.customer_id is not None else (self.reason, self.texts)

    def may_have(self, email: str) -> bool:
        """Whether the row may be a customer with this email. Then the email does not count as absent from the till.

        An email that is no text may still be in the row, inside an object or a list. So the method checks every text of the row. A text
        that only contains the part before the "@" counts too, because a waiting order is better than a twin. A search by email could never
        find a row without such a text (null, true, a number, an object of numbers).
        """
        normalised = normalise_email(email)
        local = normalised.rpartition("@")[0] or normalised
        return any(f"{local}@" in text.casefold() or normalised in normalise_email(text) for text in self.texts)


@dataclass(frozen=True, slots=True)
class CustomerPage:
    rows: tuple[ListedCustomer, ...]
    number: int
    """Page number from 1. Only a page that is empty or has no new row is the last one (drift, other page sizes)."""
    unread: tuple[UnreadRow, ...] = ()

    @property
    def with_emails(self) -> tuple[ListedCustomer, ...]:
        """Every row with a known id and email."""
        if not self.unread:
            return self.rows
        return (*self.rows, *(row.listed for row in self.unread if row.listed is not None))

    @property
    def unknown(self) -> tuple[UnreadRow, ...]:
        """Rows without a known id and email."""
        return tuple(row for row in self.unread if row.listed is None)

    def check(self) -> None:
        """Raises Unreadable if the page has rows and none can be read. Then it is the list of another API, not the fault of one
        customer."""
        if self.unread and not self.with_emails:
            raise Unreadable(Side.TILL, f"no row on page {self.number} of Epos Now's customers can be read: {self.unread[0].reason}")


@dataclass(frozen=True, slots=True)
class EmailSearch:
    """All rows that the till returned for one searched text, from all pages, each id once."""

    searched: str
    rows: tuple[TillCustomer, ...]
    filter_ignored: bool
    """A returned row does not contain the searched text. So the till ignores the filter, and ``rows`` prove nothing."""
    unread: tuple[UnreadRow, ...] = ()
    """Unreadable rows that the till returned for the searched email. With one, the search proves neither a hit nor a miss. Empty if the
    till ignores the filter."""

    def check(self) -> None:
        """Raises Unreadable if ``unread`` has a row."""
        if self.unread:
            row = self.unread[0]
            who = "a row" if row.customer_id is None else f"customer {row.customer_id}"
            raise Unreadable(Side.TILL, f"Epos Now finds {who} by this email, and it cannot be read: {row.reason}")


@dataclass(frozen=True, slots=True)
class NameSearch:
    """Rows whose Surname or Forename the till found by one text, in the order of the answers, each id once."""

    rows: tuple[TillCustomer, ...]
    filter_ignored: bool
    """A returned row does not contain the text. So the till ignores both filters and has no search by name."""
    truncated: bool
    """The search ended at its limit, and the till has more rows."""


class TillClient(Protocol):
    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        """Raises Missing for a 404 as JSON or plain text, and Misaddressed for a 404 as HTML."""
        ...

    async def list_customers(self, page: int) -> CustomerPage:
        """Unreadable rows are in ``CustomerPage.unread``. Raises Unreadable if the answer is no list."""
        ...

    async def search_by_email(self, text: str) -> EmailSearch:
        """Searches for one text as given. Callers search the raw and the normalised email. A miss is an empty result, whether the till
        answers [] or 404. Raises Unreadable if the answer has more than MAX_SEARCH_PAGES."""
        ...

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        """Searches by name for a person, with V2's generic filter (docs/epos-now.md#customers, grade D). The till may ignore the filter,
        and decides whether parts of names match. The search ends once it has more than ``limit`` rows."""
        ...

    async def create_customer(self, customer: NewTillCustomer, permit: WritePermit) -> EposCustomerId:
        """Sends the create once. Raises Unreachable if it was provably not sent, and Refused for a 4xx except 408 and 429. After
        Unanswered, ServerFailure or Unreadable its effect is unknown."""
        ...

    async def read_customer_type(self, type_id: EposCustomerTypeId) -> TillCustomerType: ...

    async def list_customer_types(self) -> Sequence[TillCustomerType]: ...

    async def read_buyer(self, transaction_id: int) -> EposCustomerId | None:
        """The customer of a sale. None: the sale has no known customer. Raises Missing if there is no such transaction. Sends at most two
        requests."""
        ...

    async def probe(self) -> None:
        """Checks the credentials cheaply (V4 TokenInfo). Returns if the till answers and accepts them."""
        ...


class TillGateway(Protocol):
    """Creates clients. ``client`` is cheap, so call it for each run with the account's present settings."""

    def client(self, account: Account, request_class: RequestClass, gate: RequestGate | None = None) -> TillClient:
        """``request_class`` applies to every request of the client and decides the order of waiting requests. Each request enters ``gate``.
        None: only the till's allowance limits the requests."""
        ...
