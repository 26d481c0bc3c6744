"""Once an account is paused, nothing of its lease asks the outside anything more: who is behind the failure does not meet it too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tillsync_server.domain.customer import CustomerWrite, NewTillCustomer, TillCustomer, TillCustomerType
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId, WooCustomerId
from tillsync_server.domain.shop_users import ShopUser
from tillsync_server.ports.shop import ShopClient, ShopStatus, WriteResult
from tillsync_server.ports.till import CustomerPage, EmailSearch, NameSearch, TillClient, WritePermit


class LaneHalt:
    """One per lease, shared by its contexts."""

    def __init__(self) -> None:
        self.is_halted = False

    def halt(self) -> None:
        self.is_halted = True

    def check(self) -> None:
        """Raises RunInterrupted once halted: the entry stays as it is and runs again after the pause."""
        if self.is_halted:
            raise RunInterrupted("the account is paused")


class HaltingTill:
    """Implements ports.till.TillClient: asks :class:`LaneHalt` before each request. ``page_read`` hears of each list page."""

    def __init__(self, till: TillClient, halt: LaneHalt, page_read: Callable[[CustomerPage], Awaitable[None]]) -> None:
        self._till = till
        self._halt = halt
        self._page_read = page_read

    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        self._halt.check()
        return await self._till.read_customer(customer_id)

    async def list_customers(self, page: int) -> CustomerPage:
        self._halt.check()
        read = await self._till.list_customers(page)
        await self._page_read(read)
        return read

    async def search_by_email(self, text: str) -> EmailSearch:
        self._halt.check()
        return await self._till.search_by_email(text)

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        self._halt.check()
        return await self._till.search_by_name(text, limit=limit)

    async def create_customer(self, customer: NewTillCustomer, permit: WritePermit) -> EposCustomerId:
        self._halt.check()
        return await self._till.create_customer(customer, permit)

    async def read_customer_type(self, type_id: EposCustomerTypeId) -> TillCustomerType:
        self._halt.check()
        return await self._till.read_customer_type(type_id)

    async def list_customer_types(self) -> Sequence[TillCustomerType]:
        self._halt.check()
        return await self._till.list_customer_types()

    async def read_buyer(self, transaction_id: int) -> EposCustomerId | None:
        self._halt.check()
        return await self._till.read_buyer(transaction_id)

    async def probe(self) -> None:
        self._halt.check()
        await self._till.probe()


class HaltingShop:
    """Implements ports.shop.ShopClient: asks :class:`LaneHalt` before each request."""

    def __init__(self, shop: ShopClient, halt: LaneHalt) -> None:
        self._shop = shop
        self._halt = halt

    @property
    def max_batch(self) -> int:
        return self._shop.max_batch

    async def write_customers(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        self._halt.check()
        return await self._shop.write_customers(writes, permit)

    async def put_customer_type(self, customer_type: TillCustomerType, version: int, permit: WritePermit) -> WriteResult:
        self._halt.check()
        return await self._shop.put_customer_type(customer_type, version, permit)

    async def delete_customer_type(self, type_id: EposCustomerTypeId, version: int, permit: WritePermit) -> WriteResult:
        self._halt.check()
        return await self._shop.delete_customer_type(type_id, version, permit)

    async def read_users(self, ids: Sequence[WooCustomerId]) -> dict[WooCustomerId, ShopUser]:
        self._halt.check()
        return await self._shop.read_users(ids)

    async def status(self) -> ShopStatus:
        self._halt.check()
        return await self._shop.status()

    async def check_access(self) -> None:
        self._halt.check()
        await self._shop.check_access()

    async def probe(self) -> None:
        self._halt.check()
        await self._shop.probe()
