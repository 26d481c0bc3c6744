"""Shop in memory, with the bridge's version rules, or without a bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from fakes.clock import FakeClock
from fakes.gated import gated
from fakes.script import Faults, raise_fault
from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import CustomerWrite, TillCustomerType
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Refused
from tillsync_server.domain.ids import EposCustomerTypeId, WooCustomerId
from tillsync_server.domain.shop_users import ShopUser
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.shop import ShopStatus, WriteResult, WriteStatus
from tillsync_server.ports.till import WritePermit

SHOP_TIMEOUT_SECONDS = 20.0
KEYS_MAX_BATCH = 100
TypeRow = tuple[int, TillCustomerType | None]
"""Version and type. None means deleted."""
Answer = Callable[[Sequence[CustomerWrite]], list[WriteResult] | None]


def _fill_gaps(write: CustomerWrite, held: CustomerWrite | None) -> CustomerWrite:
    """Returns ``write`` with the stored values in place of the omitted ones."""
    if write.values is None or not write.values.gaps or held is None or held.values is None:
        return write
    own, stored = write.values, held.values
    values = replace(
        own,
        points=stored.points if own.points is None else own.points,
        credit=stored.credit if own.credit is None else own.credit,
        type_id=stored.type_id if own.keeps_type else own.type_id,
        keeps_type=False,
    )
    return replace(write, values=values)


@dataclass
class FakeShop:
    """Implements ports.shop.ShopClient.

    Tests script it. ``answer`` and ``type_answer`` may raise, or return the results; None means the usual results. ``faults`` are raised by
    method, after the permit. ``before_write`` gets each batch before it is sent. ``latency``: seconds of the event loop that a batch takes.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    has_bridge: bool = True
    users: set[int] = field(default_factory=set)
    registered: dict[int, datetime | None] | None = None
    """Registration times by shop customer. None: the shop cannot return its users, like an older bridge."""
    stored: dict[int, CustomerWrite] = field(default_factory=dict)
    """Newest write by shop customer. A write without values is a tombstone."""
    type_rows: dict[int, TypeRow] = field(default_factory=dict)
    max_batch: int = 500
    latency: float = 0.0
    home_url: str = "https://shop.example.test"
    answer: Answer = lambda writes: None
    type_answer: Callable[[str, int], WriteResult | None] = lambda method, version: None
    before_write: Callable[[Sequence[CustomerWrite]], None] = lambda writes: None
    faults: Faults = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    batches: list[list[CustomerWrite]] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    type_calls: list[tuple[str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.has_bridge:
            self.max_batch = min(self.max_batch, KEYS_MAX_BATCH)

    # for tests

    @property
    def requests(self) -> int:
        """Number of batches sent."""
        return len(self.batches)

    @property
    def types(self) -> dict[int, TillCustomerType]:
        return {type_id: row for type_id, (_, row) in self.type_rows.items() if row is not None}

    def count(self, method: str) -> int:
        return self.calls.count(method)

    # the port

    async def write_customers(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        if len(writes) > self.max_batch:
            raise ValueError(f"writes: at most {self.max_batch}, not {len(writes)}")
        self.before_write(writes)
        permit.seconds_allowed(SHOP_TIMEOUT_SECONDS)
        self.calls.append("write_customers")
        self.batches.append(list(writes))
        self.sent_at.append(self.clock())
        if self.latency:
            await asyncio.sleep(self.latency)
        raise_fault(self.faults, "write_customers")
        answered = self.answer(writes)
        return [self.store(write) for write in writes] if answered is None else answered

    def store(self, write: CustomerWrite) -> WriteResult:
        """Stores one write. Without a bridge the shop compares no versions, and every write counts as a change."""
        if write.woo_customer_id not in self.users or not self._is_for_this_user(write):
            return WriteResult(status=WriteStatus.NOT_FOUND)
        held = self.stored.get(write.woo_customer_id)
        write = _fill_gaps(write, held)
        if not self.has_bridge:
            self.stored[write.woo_customer_id] = write
            return WriteResult(status=WriteStatus.UPDATED)
        same = (None if held is None else held.values) == write.values
        if held is not None and held.version >= write.version:
            repeated = same and held.version == write.version
            return WriteResult(status=WriteStatus.UNCHANGED) if repeated else WriteResult(status=WriteStatus.STALE, version=held.version)
        # equal values keep the time of the read that brought them
        self.stored[write.woo_customer_id] = replace(held, version=write.version) if same and held is not None else write
        return WriteResult(status=WriteStatus.UNCHANGED if same else WriteStatus.UPDATED)

    def _is_for_this_user(self, write: CustomerWrite) -> bool:
        """Whether the present user of this id is the person of the write."""
        registered_at = (self.registered or {}).get(write.woo_customer_id)
        if registered_at is None or write.values is None:
            return True
        if write.registered_at is not None:
            return registered_at == write.registered_at
        return write.registered_before is None or registered_at <= write.registered_before

    async def put_customer_type(self, customer_type: TillCustomerType, version: int, permit: WritePermit) -> WriteResult:
        return self._write_type("PUT", customer_type.epos_customer_type_id, version, customer_type, permit)

    async def delete_customer_type(self, type_id: EposCustomerTypeId, version: int, permit: WritePermit) -> WriteResult:
        return self._write_type("DELETE", type_id, version, None, permit)

    def _write_type(
        self, method: str, type_id: EposCustomerTypeId, version: int, row: TillCustomerType | None, permit: WritePermit
    ) -> WriteResult:
        self._needs_bridge()
        permit.seconds_allowed(SHOP_TIMEOUT_SECONDS)
        self.type_calls.append((method, type_id, version))
        if (answered := self.type_answer(method, version)) is not None:
            return answered
        stored_version, stored = self.type_rows.get(type_id, (0, None))
        if version <= stored_version:
            repeated = version == stored_version and stored == row
            return WriteResult(status=WriteStatus.UNCHANGED) if repeated else WriteResult(status=WriteStatus.STALE, version=stored_version)
        self.type_rows[type_id] = (version, row)
        return WriteResult(status=WriteStatus.UNCHANGED if stored == row else WriteStatus.UPDATED)

    async def read_users(self, ids: Sequence[WooCustomerId]) -> dict[WooCustomerId, ShopUser]:
        self._called("read_users")
        if self.registered is None:
            raise Refused(Side.SHOP, "the tillsync bridge plugin in the shop cannot say who its users are: update it")
        return {each: ShopUser(each, self.registered[each]) for each in ids if each in self.registered}

    async def status(self) -> ShopStatus:
        self._needs_bridge()
        self._called("status")
        return ShopStatus(
            bridge_version="1.0.0", home_url=self.home_url, wordpress="6.9", woocommerce="10.5", api=2, max_batch=self.max_batch
        )

    async def check_access(self) -> None:
        self._called("check_access")

    async def probe(self) -> None:
        self._called("probe")

    def _called(self, method: str) -> None:
        self.calls.append(method)
        raise_fault(self.faults, method)

    def _needs_bridge(self) -> None:
        if not self.has_bridge:
            raise Refused(Side.SHOP, "this needs the tillsync bridge plugin: install it in the shop and connect it")


@dataclass
class FakeShopGateway:
    """Implements ports.shop.ShopGateway. Every account has this shop. With None the test fails if anything requests a shop."""

    shop: FakeShop | None

    def client(self, account: Account, gate: RequestGate | None = None) -> FakeShop:
        if self.shop is None:
            raise AssertionError("a shop was requested")
        return gated(self.shop, gate)
