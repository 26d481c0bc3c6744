"""The till: one account's view of an Epos Now company. Implemented by ``adapters/epos``.

Every method raises :class:`tillsync_server.domain.errors.UpstreamError` subclasses and nothing else (and RunInterrupted from a permit).
Reads are retried inside the adapter (tenacity) when that can help within seconds; a create never is.
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
"""Pages of one search. Tens of thousands of customers with one text: a till that goes on is out of order, and nothing it says counts."""
MAX_LIST_PAGES = 5_000
"""Pages of the whole customer list, of 200 rows each as a rule: a million customers. A till that goes on does not end its list."""


class WritePermit(Protocol):
    """Asked in the last step before a request that changes something outside is written (invariant 3)."""

    def seconds_allowed(self, setting_seconds: float) -> float:
        """min(setting, lease left − 2 s). Raises LeaseTooShort with less than 5 s of the lease left."""
        ...


@dataclass(frozen=True, slots=True)
class ListedCustomer:
    """A row of the till's list. Whoever reads a page looks at every id and email, and wants few of the customers."""

    epos_customer_id: EposCustomerId
    email: str
    """As it is served."""
    read: Callable[[], TillCustomer] = field(repr=False, compare=False)
    """Reads the rest of the row; it raises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadRow:
    """A row of customers that cannot be read. It is passed over by whoever does not need it, and never taken for "nobody".

    ``reason`` names the field, never its content. ``texts``: every text anywhere in the row, for :meth:`may_have` and for nothing else.
    """

    position: int
    """On its page, from 1."""
    customer_id: EposCustomerId | None
    """None: the id is what cannot be read, or the row is no object."""
    reason: str
    texts: tuple[str, ...] = field(default=(), repr=False)
    listed: ListedCustomer | None = None
    """Id and email could be read, only points or balance are not served: enough for everybody who looks for an email."""

    @property
    def key(self) -> Hashable:
        """Tells whether a page brings something new: the same row of another page has the same one."""
        return self.customer_id if self.customer_id is not None else (self.reason, self.texts)

    def may_have(self, email: str) -> bool:
        """Whether the row can be that of somebody with this email, so that it speaks against "nobody has it".

        An email that is no text can still stand in the row, inside an object or a list. So every text of the row is looked at, and one
        that only contains the name before the "@" counts: too many orders wait rather than one gets a twin. A row without any such text
        (null, true, a number, an object of numbers) is that of nobody whom a search by email could ever find.
        """
        wanted = normalise_email(email)
        local = wanted.rpartition("@")[0] or wanted
        return any(f"{local}@" in text.casefold() or wanted in normalise_email(text) for text in self.texts)


@dataclass(frozen=True, slots=True)
class CustomerPage:
    rows: tuple[ListedCustomer, ...]
    number: int
    """From 1. A page is the last one only when it is empty or brings no row that is new (drift, other page sizes)."""
    unread: tuple[UnreadRow, ...] = ()

    @property
    def with_emails(self) -> tuple[ListedCustomer, ...]:
        """Every row of which id and email are known."""
        if not self.unread:
            return self.rows
        return (*self.rows, *(row.listed for row in self.unread if row.listed is not None))

    @property
    def unknown(self) -> tuple[UnreadRow, ...]:
        """Rows of which not even id and email are known."""
        return tuple(row for row in self.unread if row.listed is None)

    def check(self) -> None:
        """Raises Unreadable where rows came and not one could be read: that is no customer's fault, but another API's list."""
        if self.unread and not self.with_emails:
            raise Unreadable(Side.TILL, f"no row on page {self.number} of Epos Now's customers can be read: {self.unread[0].reason}")


@dataclass(frozen=True, slots=True)
class EmailSearch:
    """Every row the till returned for one searched text, over all its pages, de-duplicated by id."""

    searched: str
    rows: tuple[TillCustomer, ...]
    filter_ignored: bool
    """A returned row does not contain the searched text: the till ignores the filter, so ``rows`` prove nothing."""
    unread: tuple[UnreadRow, ...] = ()
    """The till says that these have the searched email, and they cannot be read: who looks for it has no answer, neither "found" nor
    "nobody". Empty where the filter is ignored, as the till says nothing then."""

    def check(self) -> None:
        """Raises Unreadable where a row that counts could not be read."""
        if self.unread:
            row = self.unread[0]
            who = "a row" if row.customer_id is None else f"customer {row.customer_id}"
            raise Unreadable(Side.TILL, f"Epos Now finds {who} by this email, and it cannot be read: {row.reason}")


@dataclass(frozen=True, slots=True)
class NameSearch:
    """Rows whose Surname or Forename the till found by one text, de-duplicated, in the order found."""

    rows: tuple[TillCustomer, ...]
    filter_ignored: bool
    """Neither filter is honoured (a returned row does not contain the text), so there is no search by name at this till."""
    truncated: bool
    """The search ended at its limit: the till has more."""


class TillClient(Protocol):
    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        """Missing on 404 as JSON or plain text; Misaddressed when the 404 is HTML."""
        ...

    async def list_customers(self, page: int) -> CustomerPage:
        """Rows that cannot be read stand apart. Unreadable where the answer is no list."""
        ...

    async def search_by_email(self, text: str) -> EmailSearch:
        """One text, sent as given (callers search raw and normalised). A miss is an empty result, whether the till says [] or 404.
        Unreadable where the answer does not end within MAX_SEARCH_PAGES."""
        ...

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        """For a person who looks for somebody: V2's generic filter (docs/epos-now.md#customers, grade D), so it may be ignored, and whether
        it finds parts of names is the till's choice. Ends once ``limit`` rows are exceeded."""
        ...

    async def create_customer(self, customer: NewTillCustomer, permit: WritePermit) -> EposCustomerId:
        """Sent once. Unreachable: provably not sent. Refused: 4xx but 408 and 429. Unanswered, ServerFailure, Unreadable: unknown."""
        ...

    async def read_customer_type(self, type_id: EposCustomerTypeId) -> TillCustomerType: ...

    async def list_customer_types(self) -> Sequence[TillCustomerType]: ...

    async def read_buyer(self, transaction_id: int) -> EposCustomerId | None:
        """The customer of a sale; None: nobody whom the till knows. Missing where there is no such transaction. At most two requests."""
        ...

    async def probe(self) -> None:
        """The cheap credential check (V4 TokenInfo). Returns when the till answers and knows the credentials."""
        ...


class TillGateway(Protocol):
    """Makes clients. ``client`` is cheap: call it for each run with the account's present settings."""

    def client(self, account: Account, request_class: RequestClass, gate: RequestGate | None = None) -> TillClient:
        """``request_class``: of every request of this client. It decides who goes first at the till. ``gate``: entered by each request.
        None: nothing but the till's allowance holds the requests up."""
        ...
