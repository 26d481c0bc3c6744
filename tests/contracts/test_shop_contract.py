"""The shop client: in memory, through the bridge, and with wc/v3 for a shop without a bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from fakes.shop import FakeShop, FakeShopGateway
from support.shop_client import removal, shop_world, write
from tillsync_sandbox import SandboxShop
from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import LeaseTooShort, Refused, ServerFailure, UpstreamError
from tillsync_server.domain.ids import AccountId, EposCustomerTypeId, TillId, WooCustomerId
from tillsync_server.domain.shop_users import ShopUser
from tillsync_server.ports.shop import ShopClient, WriteStatus

GOLD = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4002), name="Gold", discount=Decimal("12.5"), description="Gold card")
PEOPLE = range(1, 4)
REGISTERED = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
Values = tuple[str | None, str | None, int | None]


class Bench(Protocol):
    @property
    def client(self) -> ShopClient: ...

    def values(self, woo_customer_id: int) -> Values | None:
        """Stored points, credit and type of the shop customer."""
        ...

    def types(self) -> dict[int, tuple[str, Decimal, str]]:
        """Name, discount and description of each stored type."""
        ...

    @property
    def requests(self) -> int: ...

    def fail(self) -> None:
        """Makes the shop answer every further request with 500."""
        ...


class ShopClientContract:
    """Behaviour with and without the bridge."""

    async def test_values_are_stored_as_sent(self, bench: Bench) -> None:
        (result,) = await bench.client.write_customers([write(1, points="12.5", credit="-3.10")], FakePermit())
        assert (result.status, result.version, result.field, result.error) == (WriteStatus.UPDATED, None, None, None)
        assert bench.values(1) == ("12.5", "-3.10", 4001)
        assert bench.values(2) is None

    async def test_omitted_values_stay_unchanged(self, bench: Bench) -> None:
        await bench.client.write_customers([write(1, points="120", credit="1.00")], FakePermit())
        gaps = write(1, version=11, points=None, credit="2.00", type_id=None, keeps_type=True)
        (result,) = await bench.client.write_customers([gaps], FakePermit())
        assert (result.status, bench.values(1)) == (WriteStatus.UPDATED, ("120", "2.00", 4001))
        (result,) = await bench.client.write_customers([write(1, version=12, points="7", credit=None, type_id=None)], FakePermit())
        assert (result.status, bench.values(1)) == (WriteStatus.UPDATED, ("7", "2.00", None))

    async def test_removal_deletes_the_values(self, bench: Bench) -> None:
        await bench.client.write_customers([write(1)], FakePermit())
        (removed,) = await bench.client.write_customers([removal(1, version=20)], FakePermit())
        assert removed.status is WriteStatus.UPDATED
        assert bench.values(1) is None

    async def test_unknown_customer_does_not_fail_other_items(self, bench: Bench) -> None:
        results = await bench.client.write_customers([write(1), write(99), write(2)], FakePermit())
        assert [result.status for result in results] == [WriteStatus.UPDATED, WriteStatus.NOT_FOUND, WriteStatus.UPDATED]
        assert bench.values(2) is not None

    async def test_users_are_read_with_their_registration_time(self, bench: Bench) -> None:
        users = await bench.client.read_users([WooCustomerId(1), WooCustomerId(99), WooCustomerId(2)])
        assert users == {number: ShopUser(WooCustomerId(number), REGISTERED) for number in (1, 2)}

    async def test_values_are_written_only_to_the_intended_person(self, bench: Bench) -> None:
        """The person is identified by the registration time, or by its latest possible value. Values of another person are removed."""
        moment, second = REGISTERED, timedelta(seconds=1)
        meant = [
            (replace(write(1, version=11), registered_at=moment), WriteStatus.UPDATED),
            (replace(write(2, version=11), registered_before=moment), WriteStatus.UPDATED),
        ]
        for version, (customer_write, status) in enumerate(meant, start=11):
            (result,) = await bench.client.write_customers([replace(customer_write, version=version)], FakePermit())
            assert result.status is status
            assert bench.values(customer_write.woo_customer_id) is not None
        for stranger in (replace(write(3), registered_at=moment + second), replace(write(3), registered_before=moment - second)):
            (result,) = await bench.client.write_customers([stranger], FakePermit())
            assert (result.status, bench.values(3)) == (WriteStatus.NOT_FOUND, None)

    async def test_too_many_items_raise_value_error(self, bench: Bench) -> None:
        with pytest.raises(ValueError, match=f"at most {bench.client.max_batch}"):
            await bench.client.write_customers([write(1)] * (bench.client.max_batch + 1), FakePermit())
        assert bench.requests == 0

    async def test_refused_permit_sends_no_customer(self, bench: Bench) -> None:
        with pytest.raises(LeaseTooShort):
            await bench.client.write_customers([write(1)], FakePermit.of_seconds(3.0))
        assert (bench.requests, bench.values(1)) == (0, None)

    async def test_failing_shop_raises_server_failure(self, bench: Bench) -> None:
        bench.fail()
        with pytest.raises(UpstreamError):
            await bench.client.write_customers([write(1)], FakePermit())
        for ask in (bench.client.probe, bench.client.check_access):
            with pytest.raises(ServerFailure):
                await ask()
        assert bench.values(1) is None

    async def test_working_shop_passes_probe_and_access_check(self, bench: Bench) -> None:
        await bench.client.probe()
        await bench.client.check_access()


class BridgeContract(ShopClientContract):
    async def test_five_hundred_items_are_one_request(self, bench: Bench) -> None:
        assert bench.client.max_batch == 500
        await bench.client.write_customers([write(number) for number in range(1, 501)], FakePermit())
        assert bench.requests == 1

    async def test_versions_order_the_writes(self, bench: Bench) -> None:
        async def status(version: int, points: str) -> tuple[WriteStatus, int | None]:
            (result,) = await bench.client.write_customers([write(1, version=version, points=points)], FakePermit())
            return result.status, result.version

        assert await status(10, "1") == (WriteStatus.UPDATED, None)
        assert await status(10, "1") == (WriteStatus.UNCHANGED, None)
        assert await status(11, "1") == (WriteStatus.UNCHANGED, None)
        assert await status(11, "2") == (WriteStatus.STALE, 11)
        assert await status(10, "2") == (WriteStatus.STALE, 11)
        assert await status(12, "2") == (WriteStatus.UPDATED, None)
        assert bench.values(1) == ("2", "3.50", 4001)

    async def test_removal_makes_older_writes_stale(self, bench: Bench) -> None:
        await bench.client.write_customers([write(1, version=10)], FakePermit())
        (removed,) = await bench.client.write_customers([removal(1, version=20)], FakePermit())
        (late,) = await bench.client.write_customers([write(1, version=15)], FakePermit())
        assert (removed.status, late.status, late.version) == (WriteStatus.UPDATED, WriteStatus.STALE, 20)
        assert bench.values(1) is None

    async def test_removal_of_no_values_is_unchanged_and_makes_older_writes_stale(self, bench: Bench) -> None:
        (removed,) = await bench.client.write_customers([removal(1, version=20)], FakePermit())
        (late,) = await bench.client.write_customers([write(1, version=15)], FakePermit())
        assert (removed.status, late.status) == (WriteStatus.UNCHANGED, WriteStatus.STALE)

    async def test_int64_versions_survive(self, bench: Bench) -> None:
        newest = 2**63 - 1
        await bench.client.write_customers([write(1, version=newest)], FakePermit())
        (result,) = await bench.client.write_customers([write(1, version=newest - 1, points="9")], FakePermit())
        assert result.version == newest

    async def test_types_are_written_and_deleted_in_version_order(self, bench: Bench) -> None:
        client, permit = bench.client, FakePermit()
        assert (await client.put_customer_type(GOLD, 10, permit)).status is WriteStatus.UPDATED
        assert bench.types() == {4002: ("Gold", Decimal("12.5"), "Gold card")}
        assert (await client.put_customer_type(GOLD, 11, permit)).status is WriteStatus.UNCHANGED
        renamed = await client.put_customer_type(replace(GOLD, name="Silver"), 10, permit)
        assert (renamed.status, renamed.version) == (WriteStatus.STALE, 11)
        assert (await client.delete_customer_type(GOLD.epos_customer_type_id, 12, permit)).status is WriteStatus.UPDATED
        assert bench.types() == {}
        late = await client.put_customer_type(GOLD, 11, permit)
        assert (late.status, late.version) == (WriteStatus.STALE, 12)
        assert (await client.put_customer_type(GOLD, 13, permit)).status is WriteStatus.UPDATED

    async def test_delete_of_an_unknown_type_makes_older_writes_stale(self, bench: Bench) -> None:
        client, permit = bench.client, FakePermit()
        assert (await client.delete_customer_type(GOLD.epos_customer_type_id, 12, permit)).status is WriteStatus.UNCHANGED
        assert (await client.put_customer_type(GOLD, 11, permit)).status is WriteStatus.STALE

    async def test_types_need_a_permit(self, bench: Bench) -> None:
        with pytest.raises(LeaseTooShort):
            await bench.client.put_customer_type(GOLD, 10, FakePermit.of_seconds(3.0))
        with pytest.raises(LeaseTooShort):
            await bench.client.delete_customer_type(GOLD.epos_customer_type_id, 10, FakePermit.of_seconds(3.0))
        assert bench.types() == {}

    async def test_status_has_versions_and_home_url(self, bench: Bench) -> None:
        status = await bench.client.status()
        assert (status.bridge_version, status.wordpress, status.max_batch) == ("1.0.0", "6.9", 500)
        assert status.home_url


class KeysContract(ShopClientContract):
    async def test_batch_has_at_most_a_hundred_items(self, bench: Bench) -> None:
        assert bench.client.max_batch == 100

    async def test_writes_with_keys_ignore_versions(self, bench: Bench) -> None:
        for version in (10, 5):
            (result,) = await bench.client.write_customers([write(1, version=version, points=str(version))], FakePermit())
            assert result.status is WriteStatus.UPDATED
        assert bench.values(1) == ("5", "3.50", 4001)

    async def test_bridge_methods_are_refused_with_keys(self, bench: Bench) -> None:
        client = bench.client
        for ask in (
            client.put_customer_type(GOLD, 10, FakePermit()),
            client.delete_customer_type(GOLD.epos_customer_type_id, 10, FakePermit()),
            client.status(),
        ):
            with pytest.raises(Refused, match="tillsync bridge plugin"):
                await ask
        assert bench.requests == 0


class InMemory:
    def __init__(self, *, has_bridge: bool) -> None:
        self.shop = FakeShop(has_bridge=has_bridge, users={*PEOPLE}, registered=dict.fromkeys(PEOPLE, REGISTERED))
        self.client = FakeShopGateway(self.shop).client(Account(account_id=AccountId("shop-a"), till_id=TillId("till-a")))

    def values(self, woo_customer_id: int) -> Values | None:
        stored = self.shop.stored.get(woo_customer_id)
        if stored is None or stored.values is None:
            return None
        return stored.values.points, stored.values.credit, stored.values.type_id

    def types(self) -> dict[int, tuple[str, Decimal, str]]:
        return {type_id: (row.name, row.discount, row.description) for type_id, row in self.shop.types.items()}

    @property
    def requests(self) -> int:
        return len(self.shop.calls)

    def fail(self) -> None:
        failure = ServerFailure(Side.SHOP, "the shop failed", status=500)
        self.shop.faults = dict.fromkeys(("write_customers", "probe", "check_access", "status"), failure)


@dataclass
class OnBridge:
    shop: SandboxShop
    client: ShopClient

    def values(self, woo_customer_id: int) -> Values | None:
        row = self.shop.store.bridge_rows.get(woo_customer_id)
        return None if row is None or row.points is None or row.credit is None else (row.points, row.credit, row.type_id)

    def types(self) -> dict[int, tuple[str, Decimal, str]]:
        rows = self.shop.store.customer_types.items()
        return {type_id: (row.name, Decimal(row.discount), row.description) for type_id, row in rows if not row.removed}

    @property
    def requests(self) -> int:
        return self.shop.log.count()

    def fail(self) -> None:
        self.shop.faults.script(status=500, times=None)


class WithKeys(OnBridge):
    def values(self, woo_customer_id: int) -> Values | None:
        metas = self.shop.store.users[woo_customer_id].meta.as_dict()
        if "tillsync_points_balance" not in metas:
            return None
        type_id = metas.get("tillsync_customer_type_id")
        return str(metas["tillsync_points_balance"]), str(metas["tillsync_credit_balance"]), int(str(type_id)) if type_id else None


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[SandboxShop]:
    async with SandboxShop() as running:
        for number in PEOPLE:
            running.add_customer(number)
        yield running


class TestFakeShop(BridgeContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory(has_bridge=True)


class TestBridgeClient(BridgeContract):
    @pytest_asyncio.fixture
    async def bench(self, sandbox: SandboxShop) -> AsyncIterator[Bench]:
        async with shop_world() as world:
            yield OnBridge(sandbox, world.with_bridge(sandbox))


class TestFakeShopWithoutBridge(KeysContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return InMemory(has_bridge=False)


class TestKeysClient(KeysContract):
    @pytest_asyncio.fixture
    async def bench(self, sandbox: SandboxShop) -> AsyncIterator[Bench]:
        async with shop_world() as world:
            yield WithKeys(sandbox, world.with_keys(sandbox))
