"""The till in memory, with twins, moods and lost answers, on a clock that tests move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from tillsync_server.domain.customer import NewTillCustomer, TillCustomer, TillCustomerType
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.errors import Missing, UpstreamError
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.domain.vocabulary import Side
from tillsync_server.ports.till import CustomerPage, EmailSearch, NameSearch, WritePermit

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TILL_TIMEOUT_SECONDS = 15.0

Step = Callable[[str], Awaitable[None]]


class FakeClock:
    """The process's and the database's clock in one; ``database_ahead_seconds`` parts them."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.database_ahead_seconds = 0.0
        self._on_advance: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)

    def database_now(self) -> datetime:
        return self.now() + timedelta(seconds=self.database_ahead_seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        for listener in self._on_advance:
            listener()

    def advance_to(self, moment: datetime | None) -> None:
        """To when the database's clock shows ``moment``."""
        if moment is not None:
            self.advance(max((moment - self.database_now()).total_seconds(), 0.0))

    def on_advance(self, listener: Callable[[], None]) -> None:
        self._on_advance.append(listener)


class EmailMatch(Enum):
    EXACT = "exact"
    IGNORING_CASE = "ci"
    CONTAINS = "contains"
    FILTER_IGNORED = "ignored"
    FINDS_NOTHING = "nothing"


@dataclass
class LostAnswer:
    """The next create is stored ``stored_after_seconds`` later (None: never), and answered with ``error``."""

    error: UpstreamError
    stored_after_seconds: float | None = 0.0


@dataclass
class _Late:
    at: float
    customer: NewTillCustomer


class FakeTill:
    """ports.till.TillClient. ``calls`` is its request log; ``faults`` are raised, in order, by the next calls of a method."""

    def __init__(self, clock: FakeClock, step: Callable[[], Step]) -> None:
        self._clock = clock
        self._step = step
        self.customers: dict[EposCustomerId, TillCustomer] = {}
        self.types: dict[EposCustomerTypeId, TillCustomerType] = {}
        self.match = EmailMatch.IGNORING_CASE
        self.page_size = 200
        self.calls: list[tuple[str, object]] = []
        self.faults: dict[str, list[UpstreamError | None]] = {}
        self.create_answers: list[LostAnswer | None] = []
        self.created: list[NewTillCustomer] = []
        """What it was sent and took, stored or not (yet)."""
        self.hidden_from_search: set[EposCustomerId] = set()
        """Stored, and not in the search's index yet; reads and lists show them."""
        self.soft_deleted: set[EposCustomerId] = set()
        """Gone from search and list, still served by id."""
        self.on_call: dict[str, list[Callable[[], None]]] = {}
        """Done, in order, right before the next calls of a method answer."""
        self._late: list[_Late] = []
        self._next_id = 100
        clock.on_advance(self._store_late)

    def add(self, email: str, *, customer_id: int | None = None, forename: str = "Ada", surname: str = "Byron") -> EposCustomerId:
        customer = EposCustomerId(customer_id or self._new_id())
        self._next_id = max(self._next_id, customer)
        self.customers[customer] = TillCustomer(epos_customer_id=customer, forename=forename, surname=surname, email=email)
        return customer

    def with_email(self, email: str) -> list[EposCustomerId]:
        """The truth: everybody who has it, and who will once what is on its way is stored."""
        wanted = normalise_email(email)
        return sorted(each.epos_customer_id for each in self.customers.values() if normalise_email(each.email) == wanted)

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.calls)

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
        return self.add(customer.email, forename=customer.forename, surname=customer.surname)

    async def _called(self, method: str, argument: object) -> None:
        self.calls.append((method, argument))
        await self._step()(f"till.{method}")
        if self.on_call.get(method):
            self.on_call[method].pop(0)()
        faults = self.faults.get(method)
        if faults and (fault := faults.pop(0)) is not None:
            raise fault

    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        await self._called("read_customer", customer_id)
        if customer_id not in self.customers:
            raise Missing(Side.TILL, f"not found in Epos Now: customer {customer_id}", status=404)
        return self.customers[customer_id]

    async def list_customers(self, page: int) -> CustomerPage:
        await self._called("list_customers", page)
        rows = [self.customers[key] for key in sorted(self.customers) if key not in self.soft_deleted]
        return CustomerPage(rows=tuple(rows[(page - 1) * self.page_size : page * self.page_size]), number=page)

    async def search_by_email(self, text: str) -> EmailSearch:
        await self._called("search_by_email", text)
        searchable = [each for key, each in sorted(self.customers.items()) if key not in self.hidden_from_search | self.soft_deleted]
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
        ignored = any(text.casefold() not in each.email.casefold() for each in rows)
        return EmailSearch(searched=text, rows=tuple(rows), filter_ignored=ignored)

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        await self._called("search_by_name", text)
        wanted = text.casefold()
        rows = [
            each for _, each in sorted(self.customers.items()) if wanted in each.forename.casefold() or wanted in each.surname.casefold()
        ]
        return NameSearch(searched=text, rows=tuple(rows[:limit]), filter_ignored=False, truncated=len(rows) > limit)

    async def create_customer(self, customer: NewTillCustomer, permit: WritePermit) -> EposCustomerId:
        self.calls.append(("create_customer", customer.email))
        await self._step()("till.create_customer")
        if self.faults.get("create_customer") and (fault := self.faults["create_customer"].pop(0)) is not None:
            raise fault
        permit.seconds_allowed(TILL_TIMEOUT_SECONDS)  # and nothing between this and the bytes
        self.created.append(customer)
        answer = self.create_answers.pop(0) if self.create_answers else None
        if answer is None:
            customer_id = self._store(customer)
            await self._step()("till.create_answer")
            return customer_id
        if answer.stored_after_seconds is not None:
            self._late.append(_Late(self._clock() + answer.stored_after_seconds, customer))
            self._store_late()
        await self._step()("till.create_answer")
        raise answer.error

    async def read_customer_type(self, type_id: EposCustomerTypeId) -> TillCustomerType:
        await self._called("read_customer_type", type_id)
        if type_id not in self.types:
            raise Missing(Side.TILL, f"not found in Epos Now: customer type {type_id}", status=404)
        return self.types[type_id]

    async def list_customer_types(self) -> Sequence[TillCustomerType]:
        await self._called("list_customer_types", None)
        return [self.types[key] for key in sorted(self.types)]

    async def probe(self) -> None:
        await self._called("probe", None)
