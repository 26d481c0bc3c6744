"""Accounts of a till that a customer or a customer type concerns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import pytest
from fakes.accounts import FakeAccounts
from fakes.subject_accounts import FakeSubjectAccounts
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.accounts.subject_accounts import PostgresSubjectAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.subject_accounts import SubjectAccounts

TILL, OTHER_TILL = TillId("company"), TillId("elsewhere")
BRIDGE = ShopSettings(base_url="https://shop.example.test", bridge_secret="b" * 43)


class Bench(Protocol):
    @property
    def accounts(self) -> AccountStore: ...

    @property
    def subjects(self) -> SubjectAccounts: ...

    async def link(self, account_id: str, customer_id: int) -> None: ...

    async def hold_order(self, account_id: str, *candidate_ids: int) -> None:
        """Stores a held order with these till customers as candidates."""
        ...

    async def know_type(self, account_id: str, type_id: int) -> None: ...


async def accounts_on(bench: Bench, *names: str, till_id: TillId = TILL, bridge: bool = False, on: bool = True) -> None:
    for name in names:
        account = Account(account_id=AccountId(name), till_id=till_id, shared_till=True, customer_sync_enabled=on)
        await bench.accounts.create(replace(account, shop=BRIDGE) if bridge else account)


class SubjectAccountsContract:
    async def test_customer_concerns_every_account_of_the_till_with_a_link(self, bench: Bench) -> None:
        await accounts_on(bench, "shop-c", "shop-a", "shop-b")
        await accounts_on(bench, "stranger", till_id=OTHER_TILL)
        for name in ("shop-a", "shop-c", "stranger"):
            await bench.link(name, 501)
        await bench.link("shop-b", 502)
        assert await bench.subjects.of_customers(TILL, [501]) == [("shop-a", 501), ("shop-c", 501)]
        both = [("shop-a", 501), ("shop-b", 502), ("shop-c", 501)]
        assert await bench.subjects.of_customers(TILL, [502, 501, 999]) == both
        assert await bench.subjects.of_customers(OTHER_TILL, [501, 502]) == [("stranger", 501)]
        assert await bench.subjects.of_customers(TILL, [999]) == []
        assert await bench.subjects.of_customers(TillId("nobody"), [501]) == []

    async def test_customer_concerns_every_account_with_a_held_order_and_this_candidate(self, bench: Bench) -> None:
        await accounts_on(bench, "shop-a", "shop-b")
        await bench.link("shop-a", 501)
        await bench.hold_order("shop-a", 501, 502)
        await bench.hold_order("shop-b", 502, 503)
        await bench.hold_order("shop-b", 502, 504)
        assert await bench.subjects.of_customers(TILL, [501]) == [("shop-a", 501)]
        assert await bench.subjects.of_customers(TILL, [502]) == [("shop-a", 502), ("shop-b", 502)]

    async def test_type_concerns_accounts_with_a_bridge_or_a_stored_type(self, bench: Bench) -> None:
        await accounts_on(bench, "shop-b", "shop-a", bridge=True)
        await accounts_on(bench, "by-keys", "knows")
        await accounts_on(bench, "stranger", till_id=OTHER_TILL, bridge=True)
        await bench.know_type("knows", 4001)
        assert await bench.subjects.of_customer_types(TILL, [4001]) == [("knows", 4001), ("shop-a", 4001), ("shop-b", 4001)]
        assert await bench.subjects.of_customer_types(TILL, [4002]) == [("shop-a", 4002), ("shop-b", 4002)]

    async def test_accounts_with_disabled_sync_are_omitted(self, bench: Bench) -> None:
        await accounts_on(bench, "shop-a", bridge=True)
        await accounts_on(bench, "shop-b", bridge=True, on=False)
        for name in ("shop-a", "shop-b"):
            await bench.link(name, 501)
            await bench.know_type(name, 4001)
        assert await bench.subjects.of_customers(TILL, [501]) == [("shop-a", 501)]
        assert await bench.subjects.of_customer_types(TILL, [4001]) == [("shop-a", 4001)]


class InMemory:
    def __init__(self) -> None:
        self.accounts = FakeAccounts()
        self.subjects = FakeSubjectAccounts(self.accounts)

    async def link(self, account_id: str, customer_id: int) -> None:
        self.subjects.linked.add((account_id, customer_id))

    async def hold_order(self, account_id: str, *candidate_ids: int) -> None:
        self.subjects.candidates.update((account_id, each) for each in candidate_ids)

    async def know_type(self, account_id: str, type_id: int) -> None:
        self.subjects.known_types.add((account_id, type_id))


@dataclass
class OnPostgres:
    world: EngineWorld

    @property
    def accounts(self) -> PostgresAccounts:
        return PostgresAccounts(self.world.database, SecretBox(["a key for these tests of enough characters"]), self.world.notifications)

    @property
    def subjects(self) -> PostgresSubjectAccounts:
        return PostgresSubjectAccounts(self.world.database)

    async def link(self, account_id: str, customer_id: int) -> None:
        await self.world.fetch(
            "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ($1, $2, 12, 1) RETURNING 1",
            account_id,
            customer_id,
        )

    async def hold_order(self, account_id: str, *candidate_ids: int) -> None:
        await self.world.fetch(
            "INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, state, priority, due_at, candidate_ids, create_time, "
            "update_time) SELECT $1, gen_random_uuid(), 2, 3, count(*) + 1, 4, 1, now(), $2::bigint[], now(), now() FROM entry RETURNING 1",
            account_id,
            list(candidate_ids),
        )

    async def know_type(self, account_id: str, type_id: int) -> None:
        await self.world.fetch(
            "INSERT INTO customer_type (account_id, epos_customer_type_id) VALUES ($1, $2) RETURNING 1", account_id, type_id
        )


class TestFakeSubjectAccounts(SubjectAccountsContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresSubjectAccounts(SubjectAccountsContract):
    @pytest.fixture
    def bench(self, world: EngineWorld) -> Bench:
        return OnPostgres(world)
