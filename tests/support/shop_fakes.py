"""Till, shop and stores in memory for the flows that go to the shop, on an event loop whose time jumps instead of passing."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.flow_services import FlowServices, FlowSettings
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.customer import CustomerWrite, TillCustomer, TillCustomerType
from tillsync_server.domain.errors import LeaseTooShort, Missing, UpstreamError
from tillsync_server.domain.ids import (
    AccountId,
    EntryId,
    EposCustomerId,
    EposCustomerTypeId,
    TillId,
    WooCustomerId,
    new_entry_id,
)
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.vocabulary import EntryKind, Priority, Side
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.links import ConfirmedWrite, Link, LinkOrigin, WriteBasis
from tillsync_server.ports.shop import ShopStatus, WriteResult, WriteStatus
from tillsync_server.ports.till import CustomerPage
from tillsync_server.ports.tills import TillKnowledge

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MISSING_IN_TILL = "not found in Epos Now: HTTP 404"


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Waits for nothing: where the loop would sleep, its time jumps."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits for something that never comes")
        self.loop.now += max(timeout, 0.0)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def on_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def moment() -> float:
    return asyncio.get_running_loop().time()


Fault = Callable[[str, Any], UpstreamError | None]


@dataclass
class Till:
    """ports.till.TillClient. ``calls``: (method, argument, when). ``fault`` decides before each answer; ``latency``: of each call."""

    customers: dict[int, TillCustomer] = field(default_factory=dict)
    types: dict[int, TillCustomerType] = field(default_factory=dict)
    page_size: int = 200
    latency: float = 0.01
    fault: Fault = lambda method, argument: None
    probe_error: UpstreamError | None = None
    calls: list[tuple[str, Any, float]] = field(default_factory=list)

    def add(self, *ids: int, points: int = 10, **more: Any) -> None:
        for each in ids:
            self.customers[each] = till_customer(each, points=points, **more)

    def count(self, *methods: str) -> int:
        return sum(method in methods for method, _, _ in self.calls)

    @property
    def requests(self) -> int:
        return len(self.calls)

    async def _called(self, method: str, argument: Any = None) -> None:
        self.calls.append((method, argument, moment()))
        await asyncio.sleep(self.latency)
        if (error := self.fault(method, argument)) is not None:
            raise error

    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        await self._called("read", customer_id)
        if customer_id not in self.customers:
            raise Missing(Side.TILL, MISSING_IN_TILL, status=404)
        return self.customers[customer_id]

    async def list_customers(self, page: int) -> CustomerPage:
        await self._called("list", page)
        rows = [self.customers[each] for each in sorted(self.customers)]
        return CustomerPage(rows=tuple(rows[(page - 1) * self.page_size : page * self.page_size]), number=page)

    async def read_customer_type(self, type_id: EposCustomerTypeId) -> TillCustomerType:
        await self._called("read_type", type_id)
        if type_id not in self.types:
            raise Missing(Side.TILL, MISSING_IN_TILL, status=404)
        return self.types[type_id]

    async def list_customer_types(self) -> Sequence[TillCustomerType]:
        await self._called("list_types")
        return list(self.types.values())

    async def probe(self) -> None:
        await self._called("probe")
        if self.probe_error is not None:
            raise self.probe_error

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"till.{name} was asked for")


Answer = Callable[[Sequence[CustomerWrite]], list[WriteResult] | None]


@dataclass
class Shop:
    """ports.shop.ShopClient with the bridge's rules. ``answer`` may raise, or give the results itself; None: the usual ones."""

    users: set[int] = field(default_factory=set)
    stored: dict[int, CustomerWrite] = field(default_factory=dict)
    types: dict[int, TillCustomerType] = field(default_factory=dict)
    max_batch: int = 500
    latency: float = 0.05
    answer: Answer = lambda writes: None
    type_answer: Callable[[str, int], WriteResult | None] = lambda method, version: None
    probe_error: UpstreamError | None = None
    batches: list[list[CustomerWrite]] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    type_calls: list[tuple[str, int, int]] = field(default_factory=list)
    probes: int = 0

    @property
    def requests(self) -> int:
        return len(self.batches)

    async def write_customers(self, writes: Sequence[CustomerWrite], permit: Any) -> list[WriteResult]:
        assert len(writes) <= self.max_batch
        assert len({write.woo_customer_id for write in writes}) == len(writes)
        permit.seconds_allowed(20.0)
        self.batches.append(list(writes))
        self.sent_at.append(moment())
        await asyncio.sleep(self.latency)
        answered = self.answer(writes)
        return [self._store(write) for write in writes] if answered is None else answered

    def _store(self, write: CustomerWrite) -> WriteResult:
        if write.woo_customer_id not in self.users:
            return WriteResult(status=WriteStatus.NOT_FOUND)
        held = self.stored.get(write.woo_customer_id)
        if held is not None and held.version >= write.version:
            return WriteResult(status=WriteStatus.STALE, version=held.version)
        self.stored[write.woo_customer_id] = write
        same = held is not None and held.values == write.values
        return WriteResult(status=WriteStatus.UNCHANGED if same else WriteStatus.UPDATED)

    async def put_customer_type(self, customer_type: TillCustomerType, version: int, permit: Any) -> WriteResult:
        permit.seconds_allowed(20.0)
        self.type_calls.append(("PUT", customer_type.epos_customer_type_id, version))
        if (answered := self.type_answer("PUT", version)) is not None:
            return answered
        self.types[customer_type.epos_customer_type_id] = customer_type
        return WriteResult(status=WriteStatus.UPDATED)

    async def delete_customer_type(self, type_id: EposCustomerTypeId, version: int, permit: Any) -> WriteResult:
        permit.seconds_allowed(20.0)
        self.type_calls.append(("DELETE", type_id, version))
        if (answered := self.type_answer("DELETE", version)) is not None:
            return answered
        known = self.types.pop(type_id, None)
        return WriteResult(status=WriteStatus.NOT_FOUND if known is None else WriteStatus.UPDATED)

    async def status(self) -> ShopStatus:
        raise AssertionError("no flow asks for the status")

    async def check_access(self) -> None:
        raise AssertionError("no flow checks the access")

    async def probe(self) -> None:
        self.probes += 1
        if self.probe_error is not None:
            raise self.probe_error


class Gateway:
    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, account: Account) -> Any:
        return self._client

    async def close(self) -> None:
        return None


@dataclass
class Knowledge:
    """ports.tills.TillKnowledgeStore; ``faults`` are raised by the next calls."""

    known: dict[tuple[str, str], TillKnowledge] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)

    async def get(self, till_id: TillId, configuration: str) -> TillKnowledge:
        if self.faults:
            raise self.faults.pop(0)
        return self.known.get((till_id, configuration), TillKnowledge())

    async def note_customers_read(self, till_id: TillId, configuration: str, *, last_page: int | None = None) -> None:
        known = await self.get(till_id, configuration)
        self.known[till_id, configuration] = replace(known, customers_read_at=present(), last_page=last_page or known.last_page)

    async def note_types_read(self, till_id: TillId, configuration: str) -> None:
        self.known[till_id, configuration] = replace(await self.get(till_id, configuration), types_read_at=present())

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"knowledge.{name} was asked for")


@dataclass
class ShopState:
    """ports.links.ShopStateStore and LinkReader over one set of links."""

    links: dict[int, Link] = field(default_factory=dict)
    removals: dict[int, tuple[WooCustomerId, ...]] = field(default_factory=dict)
    last_versions: dict[tuple[str, int], int] = field(default_factory=dict)
    type_hashes: dict[int, bytes | None] = field(default_factory=dict)
    gone_types: set[int] = field(default_factory=set)
    confirmed: list[ConfirmedWrite] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    gone_epos: list[int] = field(default_factory=list)
    gone_woo: list[int] = field(default_factory=list)
    lease_is_ours: bool = True
    faults: dict[str, list[Exception]] = field(default_factory=dict)
    look_ups: int = 0

    def _may_fail(self, method: str) -> None:
        if self.faults.get(method):
            raise self.faults[method].pop(0)

    async def by_epos(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, Link]:
        self._may_fail("by_epos")
        self.look_ups += 1
        return {each: self.links[each] for each in ids if each in self.links}

    async def pending_removals(
        self, account_id: AccountId, epos_ids: Sequence[EposCustomerId]
    ) -> dict[EposCustomerId, tuple[WooCustomerId, ...]]:
        return {each: self.removals[each] for each in epos_ids if each in self.removals}

    async def next_versions(
        self,
        lease: LaneLease,
        woo_customer_ids: Sequence[WooCustomerId],
        *,
        at_least: Mapping[WooCustomerId, int],
        basis: WriteBasis | None = None,
    ) -> dict[WooCustomerId, int]:
        self._may_fail("next_versions")
        if not self.lease_is_ours:
            return {}
        return {each: self._draw(("customer", each), at_least.get(each, 0)) for each in woo_customer_ids}

    async def next_type_version(
        self, lease: LaneLease, type_id: EposCustomerTypeId, *, at_least: int = 0, settings_of: datetime | None = None
    ) -> int | None:
        return self._draw(("type", type_id), at_least) if self.lease_is_ours else None

    def _draw(self, key: tuple[str, int], at_least: int) -> int:
        self.last_versions[key] = max(self.last_versions.get(key, 0) + 1, at_least + 1, int(moment() * 1_000_000))
        return self.last_versions[key]

    async def confirm(self, lease: LaneLease, writes: Sequence[ConfirmedWrite]) -> None:
        self._may_fail("confirm")
        self.confirmed += writes
        for write in writes:
            link = self.links.get(write.epos_customer_id)
            if link is not None and link.woo_customer_id == write.woo_customer_id:
                self.links[write.epos_customer_id] = replace(
                    link, content_hash=write.content_hash, hash_lapses=lease.lapses, as_of=write.as_of or link.as_of
                )

    async def confirm_type(self, lease: LaneLease, type_id: EposCustomerTypeId, content_hash: bytes | None, *, gone: bool) -> None:
        self.type_hashes[type_id] = content_hash
        if gone:
            self.gone_types.add(type_id)

    async def known_type_hash(self, lease: LaneLease, type_id: EposCustomerTypeId) -> bytes | None:
        return self.type_hashes.get(type_id)

    async def removal_done(self, lease: LaneLease, woo_customer_ids: Sequence[WooCustomerId]) -> None:
        self.removed += woo_customer_ids

    async def mark_gone(self, lease: LaneLease, *, epos: Sequence[EposCustomerId] = (), woo: Sequence[WooCustomerId] = ()) -> None:
        self.gone_epos += epos
        self.gone_woo += woo

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


class DatabaseAway(Exception):
    """Stands for the driver's errors."""


@dataclass
class Lane:
    """ports.handler.LaneRun."""

    account_now: Account
    lapses: int = 0
    lost: bool = False
    finished: dict[EntryId, Verdict] = field(default_factory=dict)
    order: list[EntryId] = field(default_factory=list)
    asked_for_settings: int = 0
    renewals: int = 0
    account_error: Exception | None = None

    @property
    def lease(self) -> LaneLease:
        return LaneLease(self.account_now.account_id, "worker-1", 1, lapses=self.lapses, problem_side=None, pause_count=0)

    @property
    def owner_tag(self) -> str:
        return f"worker-1:{self.account_now.account_id}:1"

    def seconds_allowed(self, setting_seconds: float) -> float:
        if self.lost:
            raise LeaseTooShort("the lane has another owner")
        return setting_seconds

    async def account(self, entry: ClaimedEntry) -> Account:
        self.asked_for_settings += 1
        if self.account_error is not None:
            raise self.account_error
        return replace(self.account_now, config_version=max(entry.config_version, self.account_now.config_version))

    async def renew_if_needed(self) -> None:
        self.renewals += 1
        if self.lost:
            raise LeaseTooShort("the lane has another owner")

    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        assert entry.entry_id not in self.finished
        self.finished[entry.entry_id] = verdict
        self.order.append(entry.entry_id)


def present() -> datetime:
    return START + timedelta(seconds=moment() - 1000.0)


class ShopWorld:
    """Everything the flows to the shop touch; made inside a virtual-time test."""

    def __init__(self, account: Account | None = None, *, settings: FlowSettings | None = None, **changed: Any) -> None:
        self.account = account or shop_account(**changed)
        self.till, self.shop, self.state, self.knowledge = Till(), Shop(), ShopState(), Knowledge()
        self.lane = Lane(self.account)
        self.services = FlowServices(
            tills=Gateway(self.till),
            shops=Gateway(self.shop),
            knowledge=self.knowledge,
            intents=None,  # type: ignore[arg-type]
            links=self.state,
            shop_state=self.state,
            order_linker=None,  # type: ignore[arg-type]
            settings=settings or FlowSettings(),
            database_gone=(DatabaseAway,),
            now=present,
            clock=moment,
        )

    def context(self) -> LaneContext:
        return LaneContext(self.services, self.lane, self.account)

    def link(self, epos: int, woo: int | None = None, **changed: Any) -> Link:
        """Usable, with both customers there."""
        woo = epos + 100_000 if woo is None else woo
        if epos not in self.till.customers:
            self.till.add(epos)
        self.shop.users.add(woo)
        usual = {
            "account_id": self.account.account_id,
            "epos_customer_id": EposCustomerId(epos),
            "woo_customer_id": WooCustomerId(woo),
            "origin": LinkOrigin.BY_HAND,
            "create_time": START,
        }
        self.state.links[epos] = Link(**{**usual, **changed})
        return self.state.links[epos]

    async def run(self, *entries: ClaimedEntry) -> list[Verdict]:
        """One call of a fresh lease's work, as the engine does it."""
        work = FlowHandler(self.services).open(self.lane)
        try:
            await work.run(entries)
        finally:
            await work.close()
        return [self.lane.finished[entry.entry_id] for entry in entries]

    async def sync(self, epos: int, **changed: Any) -> Verdict:
        [verdict] = await self.run(entry_of(epos, **changed))
        return verdict

    async def sync_type(self, type_id: int, **changed: Any) -> Verdict:
        [verdict] = await self.run(entry_of(type_id, kind=EntryKind.CUSTOMER_TYPE, **changed))
        return verdict


def shop_account(**changed: Any) -> Account:
    usual = {
        "account_id": AccountId("shop-1"),
        "till_id": TillId("till-1"),
        "default_epos_customer_id": EposCustomerId(7),
        "epos": EposSettings(base_url="https://till.example.test", api_key="key-0001", api_secret="secret"),
        "shop": ShopSettings(base_url="https://shop.example.test", bridge_secret="secret"),
    }
    return Account(**{**usual, **changed})


def till_customer(customer_id: int, *, points: int = 10, **more: Any) -> TillCustomer:
    usual = {"forename": "Ada", "surname": "Byron", "email": "ada@example.test", "balance": Decimal("3.5"), "phone": "01200000000"}
    return TillCustomer(epos_customer_id=EposCustomerId(customer_id), points=Decimal(points), **{**usual, **more})


def till_type(type_id: int = 4001, name: str = "Basic", discount: str = "10.0") -> TillCustomerType:
    return TillCustomerType(
        epos_customer_type_id=EposCustomerTypeId(type_id), name=name, discount=Decimal(discount), description="Basic customer"
    )


def entry_of(
    subject_id: int,
    *,
    kind: EntryKind = EntryKind.CUSTOMER,
    priority: Priority = Priority.LIVE,
    force: bool = False,
    config_version: int = 1,
    facts: OrderFacts | None = None,
) -> ClaimedEntry:
    return ClaimedEntry(
        account_id=AccountId("shop-1"),
        entry_id=new_entry_id(),
        kind=kind,
        subject_id=subject_id,
        priority=priority,
        entry_revision=1,
        config_version=config_version,
        attempt_count=0,
        coalesced_count=0,
        force=force,
        account_email="",
        billing_email="",
        woo_customer_id=None if facts is None else facts.woo_customer_id,
        epos_customer_id=None,
        facts=facts,
    )


def bulk(*subjects: int) -> list[ClaimedEntry]:
    return [entry_of(each, priority=Priority.BULK) for each in subjects]
