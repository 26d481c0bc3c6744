"""Till in memory, with twins, search modes and lost answers, on a clock that tests advance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fakes.clock import FakeClock
from fakes.gated import gated
from fakes.script import Faults, Step, next_fault, no_step
from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer, TillCustomerType
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Missing, Throttled, Unreachable, Unreadable, UpstreamError
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.till import CustomerPage, EmailSearch, ListedCustomer, NameSearch, UnreadRow, WritePermit

TILL_TIMEOUT_SECONDS = 15.0


class EmailMatch(Enum):
    EXACT = "exact"
    IGNORING_CASE = "ci"
    CONTAINS = "contains"
    FILTER_IGNORED = "ignored"
    FINDS_NOTHING = "nothing"


def a_row(customer: TillCustomer) -> ListedCustomer:
    return ListedCustomer(customer.epos_customer_id, customer.email, lambda: customer)


@dataclass
class LostAnswer:
    """The next create raises ``error``. The till stores its customer ``stored_after_seconds`` later, or never if that is None."""

    error: UpstreamError
    stored_after_seconds: float | None = 0.0


@dataclass
class _LateCreate:
    at: float
    customer: NewTillCustomer


class FakeTill:
    """Implements ports.till.TillClient.

    ``calls`` records the requests with their arguments, ``called_at`` their times. Tests script ``faults``, ``decide_fault``,
    ``create_answers``, ``on_call``, ``latency``, ``match`` and ``ignores_names``.
    """

    def __init__(self, clock: FakeClock | None = None, step: Step = no_step, *, latency: float = 0.0) -> None:
        self._clock = clock or FakeClock()
        self._step = step
        self.latency = latency
        """Seconds of the event loop that each call takes."""
        self.customers: dict[int, TillCustomer] = {}
        self.types: dict[int, TillCustomerType] = {}
        self.buyers: dict[int, EposCustomerId | None] = {}
        """Customer of each sale, by its transaction."""
        self.match = EmailMatch.IGNORING_CASE
        self.blind_to = ""
        """The email search finds no email with one of these characters."""
        self.blind_from = 1_000
        """The email search finds no email with this many characters or more."""
        self.ignores_names = False
        """The till has no search by name."""
        self.page_size = 200
        self.calls: list[tuple[str, Any]] = []
        self.called_at: list[float] = []
        self.faults: Faults = {}
        self.decide_fault: Callable[[str, Any], Exception | None] = lambda method, argument: None
        """Returns the fault of a call without one in ``faults``. Gets the method and its argument."""
        self.create_answers: list[LostAnswer | None] = []
        self.created: list[NewTillCustomer] = []
        """Creates that the till accepted, including those that it has not stored (yet)."""
        self.hidden_from_search: set[EposCustomerId] = set()
        """Stored customers that the search does not index yet. Reads and lists return them."""
        self.unreadable: dict[EposCustomerId, str] = {}
        """Reasons by customer. The customer is stored, but lists, searches and reads return an unreadable row."""
        self.soft_deleted: set[EposCustomerId] = set()
        """Customers that searches and lists omit, but reads by id return."""
        self.on_call: dict[str, list[Callable[[], object]]] = {}
        """Callbacks by method. Each of the next calls runs one of them before it answers."""
        self._late: list[_LateCreate] = []
        self._next_id = 100
        self._clock.on_advance(self._store_late)

    # for tests

    def add(
        self, email: str = "", *, customer_id: int | None = None, forename: str = "Ada", surname: str = "Byron", **more: Any
    ) -> EposCustomerId:
        customer = EposCustomerId(customer_id or self._new_id())
        self._next_id = max(self._next_id, customer)
        self.put(TillCustomer(epos_customer_id=customer, forename=forename, surname=surname, email=email, **more))
        return customer

    def put(self, *customers: TillCustomer) -> None:
        self.customers.update((each.epos_customer_id, each) for each in customers)

    def put_types(self, *types: TillCustomerType) -> None:
        self.types.update((each.epos_customer_type_id, each) for each in types)

    def with_email(self, email: str) -> list[EposCustomerId]:
        """Returns the stored customers with this normalised email, without the limits of the search."""
        normalised = normalise_email(email)
        return sorted(each.epos_customer_id for each in self.customers.values() if normalise_email(each.email) == normalised)

    def count(self, *methods: str) -> int:
        return sum(name in methods for name, _ in self.calls)

    @property
    def requests(self) -> int:
        return len(self.calls)

    @property
    def late_stores(self) -> int:
        return len(self._late)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _store_late(self) -> None:
        for late in [each for each in self._late if each.at <= self._clock()]:
            self._late.remove(late)
            self._store(late.customer)

    def _store(self, customer: NewTillCustomer) -> EposCustomerId:
        return self.add(
            customer.email,
            forename=customer.forename,
            surname=customer.surname,
            phone=customer.phone,
            sign_up_date=customer.sign_up_date,
        )

    async def _record_call(self, method: str, argument: object) -> Exception | None:
        """Records the call and runs its step. Returns the call's fault."""
        self.calls.append((method, argument))
        self.called_at.append(self._clock())
        await self._step(f"till.{method}")
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.on_call.get(method):
            self.on_call[method].pop(0)()
        return next_fault(self.faults, method) or self.decide_fault(method, argument)

    async def _called(self, method: str, argument: object = None) -> None:
        if (fault := await self._record_call(method, argument)) is not None:
            raise fault

    # the port

    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        await self._called("read_customer", customer_id)
        if customer_id not in self.customers:
            raise Missing(Side.TILL, "not found in Epos Now: HTTP 404", status=404)
        if customer_id in self.unreadable:
            raise Unreadable(Side.TILL, self.unreadable[customer_id])
        return self.customers[customer_id]

    async def list_customers(self, page: int) -> CustomerPage:
        await self._called("list_customers", page)
        rows = [self.customers[key] for key in sorted(self.customers) if key not in self.soft_deleted]
        readable, unread = self._split_unreadable(rows[(page - 1) * self.page_size : page * self.page_size])
        return CustomerPage(rows=tuple(map(a_row, readable)), number=page, unread=unread)

    def _split_unreadable(self, rows: Sequence[TillCustomer]) -> tuple[tuple[TillCustomer, ...], tuple[UnreadRow, ...]]:
        unread = tuple(
            UnreadRow(position=at, customer_id=row.epos_customer_id, reason=self.unreadable[row.epos_customer_id], texts=(row.email,))
            for at, row in enumerate(rows, start=1)
            if row.epos_customer_id in self.unreadable
        )
        return tuple(row for row in rows if row.epos_customer_id not in self.unreadable), unread

    async def search_by_email(self, text: str) -> EmailSearch:
        await self._called("search_by_email", text)
        searchable = self._searchable()
        match self.match:
            case EmailMatch.FILTER_IGNORED:
                rows = searchable[: self.page_size]
            case EmailMatch.EXACT:
                rows = [each for each in searchable if each.email == text]
            case EmailMatch.IGNORING_CASE:
                rows = [each for each in searchable if each.email.casefold() == text.casefold()]
            case EmailMatch.CONTAINS:
                rows = [each for each in searchable if text.casefold() in each.email.casefold()]
            case EmailMatch.FINDS_NOTHING:
                rows = []
        rows = [each for each in rows if len(each.email) < self.blind_from and not set(self.blind_to) & set(each.email)]
        readable, unread = self._split_unreadable(rows)
        ignored = any(text.casefold() not in each.email.casefold() for each in readable)
        return EmailSearch(searched=text, rows=readable, filter_ignored=ignored, unread=() if ignored else unread)

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        await self._called("search_by_name", text)
        folded = text.strip().casefold()
        if not folded:
            raise ValueError("an empty text cannot be searched for")
        if self.ignores_names:
            return NameSearch(rows=(), filter_ignored=True, truncated=False)
        by_surname = [each for each in self._searchable() if folded in each.surname.casefold()]
        by_forename = [each for each in self._searchable() if folded in each.forename.casefold()]
        found = {each.epos_customer_id: each for each in (*by_surname, *by_forename)}
        truncated = max(len(by_surname), len(by_forename)) > limit
        return NameSearch(rows=tuple(found.values()), filter_ignored=False, truncated=truncated)

    def _searchable(self) -> list[TillCustomer]:
        return [each for key, each in sorted(self.customers.items()) if key not in self.hidden_from_search | self.soft_deleted]

    async def create_customer(self, customer: NewTillCustomer, permit: WritePermit) -> EposCustomerId:
        fault = await self._record_call("create_customer", customer.email)
        if not isinstance(fault, Unreachable | Throttled):  # both are raised before a request is sent
            permit.seconds_allowed(TILL_TIMEOUT_SECONDS)  # the last step before the bytes are sent
        if fault is not None:
            raise fault
        self.created.append(customer)
        answer = self.create_answers.pop(0) if self.create_answers else None
        if answer is None:
            customer_id = self._store(customer)
            await self._step("till.create_answer")
            return customer_id
        if answer.stored_after_seconds is not None:
            self._late.append(_LateCreate(self._clock() + answer.stored_after_seconds, customer))
            self._store_late()
        await self._step("till.create_answer")
        raise answer.error

    async def read_customer_type(self, type_id: EposCustomerTypeId) -> TillCustomerType:
        await self._called("read_customer_type", type_id)
        if type_id not in self.types:
            raise Missing(Side.TILL, "not found in Epos Now: HTTP 404", status=404)
        return self.types[type_id]

    async def read_buyer(self, transaction_id: int) -> EposCustomerId | None:
        await self._called("read_buyer", transaction_id)
        if transaction_id not in self.buyers:
            raise Missing(Side.TILL, "not found in Epos Now: HTTP 404", status=404)
        return self.buyers[transaction_id]

    async def list_customer_types(self) -> Sequence[TillCustomerType]:
        await self._called("list_customer_types")
        return [self.types[key] for key in sorted(self.types)]

    async def probe(self) -> None:
        await self._called("probe")


@dataclass
class FakeTillGateway:
    """Implements ports.till.TillGateway. Every account has this till. ``by_class`` gives request classes their own tills."""

    till: FakeTill
    by_class: dict[RequestClass, FakeTill] = field(default_factory=dict)

    def client(self, account: Account, request_class: RequestClass, gate: RequestGate | None = None) -> FakeTill:
        return gated(self.by_class.get(request_class, self.till), gate)
