"""The till: one account's view of an Epos Now company. Implemented by ``adapters/epos``.

Every method raises :class:`tillsync_server.domain.errors.UpstreamError` subclasses and nothing else (and RunInterrupted from a permit).
Reads are retried inside the adapter (tenacity) when that can help within seconds; a create never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer, TillCustomerType
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId

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
class CustomerPage:
    rows: tuple[TillCustomer, ...]
    number: int
    """From 1. A page is the last one only when it is empty or brings no id that is new (drift, other page sizes)."""


@dataclass(frozen=True, slots=True)
class EmailSearch:
    """Every row the till returned for one searched text, over all its pages, de-duplicated by id."""

    searched: str
    rows: tuple[TillCustomer, ...]
    filter_ignored: bool
    """A returned row does not contain the searched text: the till ignores the filter, so ``rows`` prove nothing."""


@dataclass(frozen=True, slots=True)
class NameSearch:
    """Rows whose Surname or Forename the till found by one text, de-duplicated, in the order found."""

    searched: str
    rows: tuple[TillCustomer, ...]
    filter_ignored: bool
    """Neither filter is honoured (a returned row does not contain the text), so there is no search by name at this till."""
    truncated: bool
    """The search ended at its limit: the till has more."""


class TillClient(Protocol):
    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        """Missing on 404 as JSON or plain text; Misaddressed when the 404 is HTML."""
        ...

    async def list_customers(self, page: int) -> CustomerPage: ...

    async def search_by_email(self, text: str) -> EmailSearch:
        """One text, sent as given (callers search raw and normalised). A miss is an empty result, whether the till says [] or 404.
        Unreadable where the answer does not end within MAX_SEARCH_PAGES."""
        ...

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        """For a person who looks for somebody: V2's generic filter (eposnow-api section 2, grade D), so it may be ignored, and whether
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
    """Makes clients; owns the connection pool. ``client`` is cheap: call it for each run with the account's present settings."""

    def client(self, account: Account) -> TillClient: ...

    async def close(self) -> None: ...
