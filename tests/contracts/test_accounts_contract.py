"""Stored accounts, and the customers seen at their tills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import pytest
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.domain.account import Account, EposSettings, Problem
from tillsync_server.domain.enums import ProblemReason, Side, TrustedAccounts
from tillsync_server.domain.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.settings_change import SettingsEffect
from tillsync_server.ports.accounts import AccountStore, TillCustomersSeen

SHOP, OTHER, NOWHERE = AccountId("shop-a"), AccountId("shop-b"), AccountId("nowhere")
PLAIN = Account(account_id=SHOP, till_id=TillId("shop-a"))
FULL = replace(PLAIN, name="Shop A", epos=EposSettings(api_key="key-1", api_secret="secret-1"), default_epos_customer_id=EposCustomerId(7))


class AccountStoreAndSeen(AccountStore, TillCustomersSeen, Protocol): ...


class Bench(Protocol):
    @property
    def accounts(self) -> AccountStoreAndSeen: ...

    async def link(self, epos: int) -> None:
        """Links the till customer of SHOP to a shop customer."""
        ...

    async def time_passes(self) -> None: ...

    async def open_problem(self, side: Side) -> None:
        """Opens a problem on the side of SHOP."""
        ...


def setting(**changes: object) -> Callable[[Account], Account]:
    return lambda account: replace(account, **changes)  # type: ignore[arg-type]


class AccountStoreContract:
    async def test_created_account_is_read_unchanged(self, bench: Bench) -> None:
        made = await bench.accounts.create(FULL)
        assert replace(made, create_time=None, update_time=None) == FULL
        assert made.create_time is not None
        assert made.create_time == made.update_time
        assert await bench.accounts.get(SHOP) == made

    async def test_taken_id_raises_already_exists_and_missing_id_not_found(self, bench: Bench) -> None:
        await bench.accounts.create(PLAIN)
        with pytest.raises(AlreadyExists):
            await bench.accounts.create(replace(PLAIN, name="another"))
        with pytest.raises(NotFound) as missing:
            await bench.accounts.get(NOWHERE)
        assert missing.value.reason == "ACCOUNT_NOT_FOUND"
        with pytest.raises(NotFound):
            await bench.accounts.update(NOWHERE, setting(name="x"))

    async def test_repeated_create_returns_the_first_account(self, bench: Bench) -> None:
        """The stored settings must equal those of the call. Values added by the service do not count."""
        given = replace(FULL, trusted_accounts=TrustedAccounts.REGISTERED_BEFORE, trusted_before=datetime(2026, 1, 2, tzinfo=UTC))
        made = await bench.accounts.create(given)
        await bench.open_problem(Side.TILL)
        again = await bench.accounts.create(replace(given, trusted_before=datetime(2026, 1, 3, tzinfo=UTC)))
        assert replace(again, problems=()) == made
        assert [problem.side for problem in again.problems] == [Side.TILL]
        for other in (replace(given, epos=replace(given.epos, api_secret="secret-2")), replace(given, auto_link=False), PLAIN):
            with pytest.raises(AlreadyExists) as refused:
                await bench.accounts.create(other)
            assert refused.value.reason == "ACCOUNT_EXISTS"
        changed = (await bench.accounts.update(SHOP, setting(name="Renamed"))).account
        with pytest.raises(AlreadyExists):
            await bench.accounts.create(given)
        assert (await bench.accounts.get(SHOP)).config_version == changed.config_version

    async def test_repeated_update_succeeds_with_its_outdated_etag(self, bench: Bench) -> None:
        """The first call changed the etag. The repeated one writes nothing, and a later change is not overwritten."""
        before = await bench.accounts.create(PLAIN)
        first = await bench.accounts.update(SHOP, setting(name="one"), etag=before.etag)
        again = await bench.accounts.update(SHOP, setting(name="one"), etag=before.etag)
        assert again.account == first.account
        with pytest.raises(Aborted):
            await bench.accounts.update(SHOP, setting(name="one"), etag=before.etag, dry_run=True)
        await bench.accounts.update(SHOP, setting(name="two"))

        def refuse(_account: Account) -> Account:
            raise InvalidArgument.of("account.epos.api_key", "give it again")

        for change in (setting(name="one"), refuse):
            with pytest.raises(Aborted):
                await bench.accounts.update(SHOP, change, etag=before.etag)
        assert (await bench.accounts.get(SHOP)).name == "two"

    async def test_accounts_are_listed_by_id(self, bench: Bench) -> None:
        for name in ("shop-c", "shop-a", "shop-b"):
            await bench.accounts.create(replace(PLAIN, account_id=AccountId(name), till_id=TillId(name)))
        first = await bench.accounts.list_accounts(after=None, limit=2)
        assert [account.account_id for account in first] == ["shop-a", "shop-b"]
        rest = await bench.accounts.list_accounts(after=first[-1].account_id, limit=2)
        assert [account.account_id for account in rest] == ["shop-c"]

    async def test_till_is_shared_only_if_the_account_names_it(self, bench: Bench) -> None:
        accounts = bench.accounts
        await accounts.create(PLAIN)
        second = replace(PLAIN, account_id=OTHER)
        with pytest.raises(FailedPrecondition) as caught:
            await accounts.create(second)
        assert caught.value.reason == "TILL_NOT_SHARED"
        with pytest.raises(NotFound):
            await accounts.get(OTHER)
        await accounts.create(replace(second, shared_till=True))
        assert [account.account_id for account in await accounts.accounts_of_till(TillId("shop-a"))] == ["shop-a", "shop-b"]
        for dry_run in (True, False):
            with pytest.raises(FailedPrecondition):
                await accounts.update(OTHER, setting(shared_till=False), dry_run=dry_run)
        for dry_run in (True, False):  # the first account does not set shared_till, and its other settings can change
            await accounts.update(PLAIN.account_id, setting(sync_names=True), dry_run=dry_run)
        await accounts.update(OTHER, setting(shared_till=False, till_id=TillId("own")))

    async def test_accounts_of_a_till_are_current(self, bench: Bench) -> None:
        """Each webhook reads them, so a changed secret or an account that left the till is not accepted any more."""
        accounts, till = bench.accounts, TillId("company")
        shared = replace(FULL, till_id=till, shared_till=True)
        first = await accounts.create(shared)
        second = await accounts.create(replace(shared, account_id=OTHER, default_epos_customer_id=None))
        assert list(await accounts.accounts_of_till(till)) == [first, second]
        changed = (await accounts.update(SHOP, setting(epos=replace(FULL.epos, webhook_key="hook", webhook_secret="new")))).account
        assert list(await accounts.accounts_of_till(till)) == [changed, second]
        await accounts.update(OTHER, setting(till_id=TillId("own")))
        assert list(await accounts.accounts_of_till(till)) == [changed]
        assert list(await accounts.accounts_of_till(TillId("nobody"))) == []

    @pytest.mark.catches("setting-changes-raise-the-version")
    async def test_change_raises_the_version_and_an_empty_change_does_not(self, bench: Bench) -> None:
        accounts = bench.accounts
        before = await accounts.create(FULL)
        await bench.time_passes()
        changed = await accounts.update(SHOP, setting(name="Renamed", epos=replace(FULL.epos, api_secret="")), etag=before.etag)
        assert changed.account == await accounts.get(SHOP)
        assert (changed.account.name, changed.account.epos.api_secret, changed.account.epos.api_key) == ("Renamed", "", "key-1")
        assert changed.account.config_version == 2
        assert changed.account.update_time != before.update_time
        assert changed.account.create_time == before.create_time
        assert (await accounts.update(SHOP, setting(name="Renamed"))).account.config_version == 2
        assert changed.effect == SettingsEffect()

    async def test_dry_run_returns_the_changed_account_and_stores_nothing(self, bench: Bench) -> None:
        before = await bench.accounts.create(FULL)
        tried = await bench.accounts.update(SHOP, setting(name="Renamed"), dry_run=True)
        assert tried.account.name == "Renamed"
        assert await bench.accounts.get(SHOP) == before

    async def test_outdated_etag_is_refused_and_changes_nothing(self, bench: Bench) -> None:
        before = await bench.accounts.create(PLAIN)
        now = (await bench.accounts.update(SHOP, setting(name="one"))).account
        with pytest.raises(Aborted) as refused:
            await bench.accounts.update(SHOP, setting(name="two"), etag=before.etag)
        assert refused.value.metadata == {"etag": now.etag}
        assert (await bench.accounts.get(SHOP)).name == "one"

    async def test_a_linked_customer_cannot_be_the_default_customer(self, bench: Bench) -> None:
        await bench.accounts.create(PLAIN)
        await bench.link(2)
        for dry_run in (True, False):
            with pytest.raises(FailedPrecondition) as caught:
                await bench.accounts.update(SHOP, setting(default_epos_customer_id=EposCustomerId(2)), dry_run=dry_run)
            assert caught.value.reason == "DEFAULT_CUSTOMER_LINKED"
        await bench.accounts.update(SHOP, setting(default_epos_customer_id=EposCustomerId(99)))

    @pytest.mark.parametrize("side", list(Side))
    async def test_resumed_side_closes_its_own_problem(self, bench: Bench, side: Side) -> None:
        accounts = bench.accounts
        version = (await accounts.create(PLAIN)).config_version
        await bench.open_problem(side)
        [other] = set(Side) - {side}
        assert not await accounts.resume_side(SHOP, other, config_version=version)
        assert not await accounts.resume_side(SHOP, side, config_version=version + 1), "tested under other settings"
        [problem] = (await accounts.get(SHOP)).problems
        assert (problem.side, problem.reason) == (side, ProblemReason.CREDENTIALS_REFUSED)
        assert await accounts.resume_side(SHOP, side, config_version=version)
        assert (await accounts.get(SHOP)).problems == ()
        assert not await accounts.resume_side(SHOP, side, config_version=version), "there is none any more"

    async def test_tills_with_common_customers_are_found(self, bench: Bench) -> None:
        accounts = bench.accounts
        for name in ("a", "b", "c"):
            await accounts.create(Account(account_id=AccountId(name), till_id=TillId(f"till-{name}")))
        seen = [EposCustomerId(number) for number in range(1, 150)]
        await accounts.note_customer_ids(TillId("till-a"), seen)
        await accounts.note_customer_ids(TillId("till-b"), seen)
        await accounts.note_customer_ids(TillId("till-c"), [EposCustomerId(5000)])
        assert await accounts.tills_with_same_customers(TillId("till-a"), seen[100:]) == ["till-b"]
        assert await accounts.tills_with_same_customers(TillId("till-a"), [EposCustomerId(9999)]) == []


class InMemory:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self.accounts = FakeAccounts(self._clock)

    async def link(self, epos: int) -> None:
        self.accounts.linked.add((SHOP, EposCustomerId(epos)))

    async def time_passes(self) -> None:
        self._clock.advance(1)

    async def open_problem(self, side: Side) -> None:
        problem = Problem(reason=ProblemReason.CREDENTIALS_REFUSED, side=side, text="refused", since=datetime(2026, 1, 2, tzinfo=UTC))
        self.accounts.add(replace(self.accounts.accounts[SHOP], problems=(problem,)))


@dataclass
class OnPostgres:
    world: EngineWorld

    @property
    def accounts(self) -> PostgresAccounts:
        return PostgresAccounts(self.world.database, SecretBox(["a key for these tests of enough characters"]), self.world.notifications)

    async def link(self, epos: int) -> None:
        await self.world.fetch(
            "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ($1, $2, 12, 1) RETURNING 1", SHOP, epos
        )

    async def time_passes(self) -> None:
        return None  # the database's clock advances

    async def open_problem(self, side: Side) -> None:
        await self.world.open_problem(SHOP, side, reason=ProblemReason.CREDENTIALS_REFUSED, text="refused")


class TestFakeAccounts(AccountStoreContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresAccounts(AccountStoreContract):
    @pytest.fixture
    def bench(self, world: EngineWorld) -> Bench:
        return OnPostgres(world)
