"""The till client: in memory and, over real HTTP, in every world that the unknowns of Epos Now's API allow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from fakes.till import EmailMatch, FakeTill, FakeTillGateway, LostAnswer
from support.till_client import till_world
from tillsync_sandbox import SandboxTill
from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import NewTillCustomer, TillCustomerType
from tillsync_server.domain.enums import Side, TillApiVersion
from tillsync_server.domain.errors import LeaseTooShort, Missing, ServerFailure, Unanswered
from tillsync_server.domain.ids import AccountId, EposCustomerId, EposCustomerTypeId, TillId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.till import TillClient

NEW = NewTillCustomer(forename="Ada", surname="Byron", email="ada@example.test", phone="01632 960000", sign_up_date="2026-01-02T03:04:05")

EMULATOR_WORLDS: dict[str, dict[str, Any]] = {
    "likeliest": {},
    "camel case": {"v4_case": "camel"},
    "CustomerTypeId": {"v4_type_field": "CustomerTypeId"},
    "Type, camel case": {"v4_type_field": "Type", "v4_case": "camel"},
    "create replies an object": {"v4_post_reply": "object"},
    "a miss is 404": {"getbyemail_miss": "404"},
    "exact emails": {"email_match": "exact"},
    "emails contain": {"email_match": "contains"},
    "filter ignored": {"email_match": "ignored"},
    "small pages": {"page_size": 3},
    "pages that drift": {"page_size": 3, "page_drift": 1},
    "small pages, emails contain": {"page_size": 2, "email_match": "contains"},
    "soft deletes": {"delete": "soft"},
    "buyers as objects": {"transaction_body": "customer"},
    "buyers as objects, camel case": {"transaction_body": "customer", "v4_case": "camel"},
    "transactions in V2 only": {"transaction_api": "V2"},
    "transactions in V4 only": {"transaction_api": "V4"},
    "blind to signs": {"search_blind_to": "+'%ö"},
    "blind to signs, emails contain": {"search_blind_to": "+'%ö", "email_match": "contains"},
    "blind to long emails": {"search_blind_from": 17},
}
FAKE_WORLDS: dict[str, dict[str, Any]] = {
    "likeliest": {},
    "exact emails": {"match": EmailMatch.EXACT},
    "emails contain": {"match": EmailMatch.CONTAINS},
    "filter ignored": {"match": EmailMatch.FILTER_IGNORED, "ignores_names": True},
    "small pages": {"page_size": 3},
    "no names": {"ignores_names": True},
    "blind to signs": {"blind_to": "+'%ö"},
    "blind to long emails": {"blind_from": 17},
}


class Bench(Protocol):
    @property
    def client(self) -> TillClient: ...

    @property
    def ignores_emails(self) -> bool:
        """Whether the till ignores the email filter."""
        ...

    @property
    def ignores_names(self) -> bool: ...

    def is_blind_to(self, email: str) -> bool:
        """Whether the search misses such an email although a customer has it."""
        ...

    def add_customer(self, **fields: Any) -> EposCustomerId:
        """Adds a row with the fields of TillCustomer, None for unset ones. Returns its id."""
        ...

    def add_type(self, **fields: Any) -> EposCustomerTypeId: ...

    def delete_type(self, type_id: EposCustomerTypeId) -> None: ...

    def delete_customer(self, customer_id: EposCustomerId, *, soft: bool) -> None: ...

    def sell(self, customer_id: EposCustomerId | None) -> int:
        """Adds a sale and returns the transaction's id."""
        ...

    def stored(self, email: str) -> list[int]:
        """Ids of the stored customers with this email, independent of the search."""
        ...

    def max_credit(self, customer_id: EposCustomerId) -> Decimal: ...

    @property
    def creates(self) -> int:
        """Number of received create requests."""
        ...

    def lose_create_answers(self, *, stored: bool) -> None: ...

    def fail(self) -> None:
        """Makes the till answer every request with 503."""
        ...


class TillClientContract:
    """Behaviour in every world."""

    async def test_customer_is_read_with_all_fields(self, bench: Bench) -> None:
        type_id = bench.add_type()
        customer_id = bench.add_customer(
            forename="Ada", surname=None, business_name="Engines & Co", email="Ada@Example.test", phone="1", card_number="77",
            type_id=type_id, points="12.50", balance="-3.10",
        )  # fmt: skip
        customer = await bench.client.read_customer(customer_id)
        assert customer.epos_customer_id == customer_id
        assert (customer.forename, customer.surname, customer.business_name) == ("Ada", "", "Engines & Co")
        assert (customer.email, customer.phone, customer.card_number) == ("Ada@Example.test", "1", "77")
        assert (customer.type_id, customer.points, customer.balance) == (type_id, Decimal("12.5"), Decimal("-3.1"))
        assert customer.sign_up_date == "2024-05-01T09:30:00"

    async def test_customer_without_any_field_is_read(self, bench: Bench) -> None:
        customer_id = bench.add_customer(forename=None, surname=None, sign_up_date=None)
        customer = await bench.client.read_customer(customer_id)
        assert (customer.display_name, customer.email, customer.type_id, customer.points) == ("", "", None, Decimal(0))

    async def test_an_unknown_customer_is_missing(self, bench: Bench) -> None:
        with pytest.raises(Missing, match="not found in Epos Now"):
            await bench.client.read_customer(EposCustomerId(7))

    async def test_pages_list_every_customer_once(self, bench: Bench) -> None:
        ids = {bench.add_customer(email=f"c{number}@example.test") for number in range(8)}
        seen: set[int] = set()
        number = 0
        while True:
            number += 1
            page = await bench.client.list_customers(number)
            assert page.number == number
            fresh = {int(row.epos_customer_id) for row in page.rows} - seen
            if not fresh:
                break
            seen |= fresh
        assert seen == ids

    async def test_search_finds_all_twins_or_reports_filter_ignored(self, bench: Bench) -> None:
        twins = {bench.add_customer(email="ada@example.test") for _ in range(3)}
        bench.add_customer(email=None)
        bench.add_customer(email="magda@example.test")
        search = await bench.client.search_by_email("ada@example.test")
        found = {int(row.epos_customer_id) for row in search.rows if row.email == "ada@example.test"}
        assert search.searched == "ada@example.test"
        assert search.filter_ignored is bench.ignores_emails
        assert found == twins or search.filter_ignored

    async def test_miss_is_empty_or_reports_filter_ignored(self, bench: Bench) -> None:
        bench.add_customer(email="ada@example.test")
        search = await bench.client.search_by_email("bea@example.test")
        assert search.filter_ignored is bench.ignores_emails
        assert search.rows == () or search.filter_ignored

    async def test_created_customer_has_the_requested_fields(self, bench: Bench) -> None:
        customer_id = await bench.client.create_customer(NEW, FakePermit())
        customer = await bench.client.read_customer(customer_id)
        assert (customer.forename, customer.surname, customer.email, customer.phone) == (NEW.forename, NEW.surname, NEW.email, NEW.phone)
        assert (customer.type_id, customer.points, customer.balance) == (None, Decimal(0), Decimal(0))
        assert customer.sign_up_date == NEW.sign_up_date
        assert bench.max_credit(customer_id) == 0
        assert bench.stored(NEW.email) == [customer_id]
        search = await bench.client.search_by_email(NEW.email)
        assert [row.epos_customer_id for row in search.rows] == [customer_id]

    async def test_types_are_read_and_listed(self, bench: Bench) -> None:
        ids = [bench.add_type(name=f"Type {number}", discount="12.50") for number in range(5)]
        read = await bench.client.read_customer_type(ids[1])
        assert (read.name, read.discount, read.description) == ("Type 1", Decimal("12.5"), "Basic customer")
        assert [row.epos_customer_type_id for row in await bench.client.list_customer_types()] == ids
        bench.delete_type(ids[0])
        with pytest.raises(Missing):
            await bench.client.read_customer_type(ids[0])

    async def test_buyer_of_a_sale_is_read(self, bench: Bench) -> None:
        customer_id = bench.add_customer(email="ada@example.test")
        known, unknown = bench.sell(customer_id), bench.sell(None)
        assert await bench.client.read_buyer(known) == customer_id
        assert await bench.client.read_buyer(unknown) is None
        with pytest.raises(Missing):
            await bench.client.read_buyer(5)

    async def test_names_are_found_or_filter_ignored_is_reported(self, bench: Bench) -> None:
        wanted = bench.add_customer(forename="Greta", surname="Hazel")
        other = bench.add_customer(forename="Hazel", surname="Oak")
        bench.add_customer(forename="Nils", surname="Oak")
        search = await bench.client.search_by_name("hazel", limit=10)
        assert search.filter_ignored is bench.ignores_names
        if not bench.ignores_names:
            assert [row.epos_customer_id for row in search.rows] == [wanted, other], "surnames first"
            assert not search.truncated
            assert (await bench.client.search_by_name("oak", limit=1)).truncated
            assert (await bench.client.search_by_name("nobody", limit=1)).rows == ()

    async def test_empty_name_raises_value_error(self, bench: Bench) -> None:
        with pytest.raises(ValueError, match="empty text"):
            await bench.client.search_by_name("  ", limit=10)

    @pytest.mark.parametrize("soft", [False, True])
    async def test_deleted_customer_is_missing_or_only_readable_by_id(self, bench: Bench, soft: bool) -> None:
        customer_id = bench.add_customer(email="ada@example.test")
        bench.delete_customer(customer_id, soft=soft)
        assert (await bench.client.search_by_email("ada@example.test")).rows == ()
        assert (await bench.client.list_customers(1)).rows == ()
        if soft:
            assert (await bench.client.read_customer(customer_id)).email == "ada@example.test"
        else:
            with pytest.raises(Missing):
                await bench.client.read_customer(customer_id)

    @pytest.mark.parametrize("email", ["a+b@example.test", "o'neil&co@example.test", "größe@example.test", "100%@example.test"])
    async def test_unusual_emails_are_searched_unchanged(self, bench: Bench, email: str) -> None:
        wanted = bench.add_customer(email=email)
        bench.add_customer(email="other@example.test")
        search = await bench.client.search_by_email(email)
        assert [row.epos_customer_id for row in search.rows if row.email == email] == ([] if bench.is_blind_to(email) else [wanted])
        assert len(search.rows) <= 1 or search.filter_ignored
        assert wanted in {row.epos_customer_id for row in (await bench.client.list_customers(1)).rows}, "the list shows everybody"

    async def test_refused_permit_creates_no_customer(self, bench: Bench) -> None:
        with pytest.raises(LeaseTooShort):
            await bench.client.create_customer(NEW, FakePermit.of_seconds(4.0))
        assert bench.stored(NEW.email) == []

    @pytest.mark.parametrize("stored", [False, True])
    async def test_a_create_without_an_answer_may_be_stored(self, bench: Bench, stored: bool) -> None:
        bench.lose_create_answers(stored=stored)
        with pytest.raises(Unanswered):
            await bench.client.create_customer(NEW, FakePermit())
        assert bench.creates == 1
        assert len(bench.stored(NEW.email)) == stored

    async def test_failing_till_fails_every_request_and_stores_nothing(self, bench: Bench) -> None:
        type_id, customer_id = bench.add_type(), bench.add_customer(email="eve@example.test")
        bench.fail()
        client = bench.client
        for ask in (
            client.probe(),
            client.read_customer(customer_id),
            client.list_customers(1),
            client.search_by_email("eve@example.test"),
            client.read_customer_type(type_id),
            client.list_customer_types(),
            client.read_buyer(700_001),
            client.create_customer(NEW, FakePermit()),
        ):
            with pytest.raises(ServerFailure):
                await ask
        assert bench.stored(NEW.email) == []

    async def test_working_till_passes_its_probe(self, bench: Bench) -> None:
        await bench.client.probe()


class InMemory:
    def __init__(self, **switches: Any) -> None:
        self.till = FakeTill()
        for name, value in switches.items():
            assert hasattr(self.till, name)
            setattr(self.till, name, value)
        account = Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"))
        self.client = FakeTillGateway(self.till).client(account, RequestClass.ORDER)

    @property
    def ignores_emails(self) -> bool:
        return self.till.match is EmailMatch.FILTER_IGNORED

    @property
    def ignores_names(self) -> bool:
        return self.till.ignores_names

    def is_blind_to(self, email: str) -> bool:
        return bool(set(self.till.blind_to) & set(email)) or len(email) >= self.till.blind_from

    def add_customer(self, **fields: Any) -> EposCustomerId:
        given: dict[str, Any] = {"sign_up_date": "2024-05-01T09:30:00", "surname": "", **fields}
        texts: dict[str, Any] = {name: value or "" for name, value in given.items() if name not in ("points", "balance", "type_id")}
        customer_id = self.till.add(**texts)
        numbers: dict[str, Any] = {name: Decimal(given[name]) for name in ("points", "balance") if name in given}
        self.till.put(replace(self.till.customers[customer_id], type_id=given.get("type_id"), **numbers))
        return customer_id

    def add_type(self, **fields: Any) -> EposCustomerTypeId:
        type_id = EposCustomerTypeId(4001 + len(self.till.types))
        values = {"name": "Basic", "description": "Basic customer", **fields, "discount": Decimal(fields.get("discount", "10"))}
        self.till.types[type_id] = TillCustomerType(epos_customer_type_id=type_id, **values)
        return type_id

    def delete_type(self, type_id: EposCustomerTypeId) -> None:
        del self.till.types[type_id]

    def delete_customer(self, customer_id: EposCustomerId, *, soft: bool) -> None:
        if soft:
            self.till.soft_deleted.add(customer_id)
        else:
            del self.till.customers[customer_id]

    def sell(self, customer_id: EposCustomerId | None) -> int:
        transaction_id = 700_001 + len(self.till.buyers)
        self.till.buyers[transaction_id] = customer_id
        return transaction_id

    def stored(self, email: str) -> list[int]:
        return [*self.till.with_email(email)]

    def max_credit(self, customer_id: EposCustomerId) -> Decimal:
        return Decimal(0)  # the fake till has no credit limits

    @property
    def creates(self) -> int:
        return self.till.count("create_customer")

    def lose_create_answers(self, *, stored: bool) -> None:
        self.till.create_answers = [LostAnswer(Unanswered(Side.TILL, "no answer"), stored_after_seconds=0.0 if stored else None)]

    def fail(self) -> None:
        self.till.decide_fault = lambda method, argument: ServerFailure(Side.TILL, "the till failed", status=503)


@dataclass
class OnEmulator:
    till: SandboxTill
    client: TillClient
    version: TillApiVersion
    switches: dict[str, Any] = field(default_factory=dict)

    @property
    def ignores_emails(self) -> bool:
        return self.switches.get("email_match") == "ignored"

    @property
    def ignores_names(self) -> bool:
        return self.version is TillApiVersion.V4 or self.ignores_emails

    def is_blind_to(self, email: str) -> bool:
        switches = self.till.switches
        return bool(set(switches.search_blind_to) & set(email)) or 0 < switches.search_blind_from <= len(email)

    def add_customer(self, **fields: Any) -> EposCustomerId:
        return EposCustomerId(self.till.add_customer(**fields))

    def add_type(self, **fields: Any) -> EposCustomerTypeId:
        return EposCustomerTypeId(self.till.add_type(**fields))

    def delete_type(self, type_id: EposCustomerTypeId) -> None:
        self.till.delete_type(type_id)

    def delete_customer(self, customer_id: EposCustomerId, *, soft: bool) -> None:
        self.till.store.delete_customer(customer_id, soft=soft)

    def sell(self, customer_id: EposCustomerId | None) -> int:
        return self.till.sell(customer_id)

    def stored(self, email: str) -> list[int]:
        return self.till.customers_by_email(email)

    def max_credit(self, customer_id: EposCustomerId) -> Decimal:
        return Decimal(self.till.store.customers[customer_id].max_credit)

    @property
    def creates(self) -> int:
        return self.till.log.count(method="POST")

    def lose_create_answers(self, *, stored: bool) -> None:
        self.till.faults.script(method="POST", times=None, disconnect="after" if stored else "before")

    def fail(self) -> None:
        self.till.switches.error_503_percent = 100


class TestFakeTill(TillClientContract):
    @pytest.fixture(params=list(FAKE_WORLDS))
    def bench(self, request: pytest.FixtureRequest) -> Bench:
        return InMemory(**FAKE_WORLDS[request.param])


class TestEposClient(TillClientContract):
    @pytest_asyncio.fixture(params=[(version, name) for version in TillApiVersion for name in EMULATOR_WORLDS], ids=str)
    async def bench(self, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
        version, name = request.param
        async with SandboxTill() as till, till_world() as adapter:
            till.switches.update(EMULATOR_WORLDS[name])
            client = adapter.client(till.origin, version, key=till.switches.api_key, secret=till.switches.api_secret)
            yield OnEmulator(till, client, version, EMULATOR_WORLDS[name])
