"""The ports of the flows in memory: the till of ``fake_till``, and the stores.

Every method of every fake first awaits ``FlowWorld.step``: a test that replaces it decides which one goes on next, or never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from support.fake_till import FakeClock, FakeTill, Step
from tillsync_server.application.flows.flow_services import FlowServices, FlowSettings
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.errors import LeaseTooShort
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, TillId, WooCustomerId, new_entry_id
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.vocabulary import EntryKind, Priority
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.links import Link, LinkFilter, LinkOrigin, OrderLinkOutcome
from tillsync_server.ports.shop import ShopClient
from tillsync_server.ports.tills import Intent, IntentState, TillKnowledge

DEFAULT_CUSTOMER = EposCustomerId(7)
TILL = TillId("till-1")


async def _just_go(_step: str) -> None:
    await asyncio.sleep(0)


@dataclass
class FakeTillGateway:
    till: FakeTill

    def client(self, account: Account) -> FakeTill:
        return self.till

    async def close(self) -> None:
        return None


class NoShopGateway:
    """For flows that have no business with the shop."""

    def client(self, account: Account) -> ShopClient:
        raise AssertionError("the shop was asked for")

    async def close(self) -> None:
        return None


class FakeKnowledge:
    """ports.tills.TillKnowledgeStore."""

    def __init__(self, clock: FakeClock, step: Callable[[], Step]) -> None:
        self._clock = clock
        self._step = step
        self.known: dict[tuple[TillId, str], TillKnowledge] = {}

    def of(self, till_id: TillId, configuration: str) -> TillKnowledge:
        return self.known.get((till_id, configuration), TillKnowledge())

    async def get(self, till_id: TillId, configuration: str) -> TillKnowledge:
        await self._step()("knowledge.get")
        return self.of(till_id, configuration)

    async def note_search_proven(self, till_id: TillId, configuration: str) -> None:
        await self._step()("knowledge.note")
        self.known[till_id, configuration] = replace(self.of(till_id, configuration), search_proven_at=self._clock.database_now())

    async def note_search_unproven(self, till_id: TillId, configuration: str) -> None:
        await self._step()("knowledge.note")
        self.known[till_id, configuration] = replace(self.of(till_id, configuration), search_proven_at=None)

    async def note_customers_read(self, till_id: TillId, configuration: str, *, last_page: int | None = None) -> None:
        await self._step()("knowledge.note")
        before = self.of(till_id, configuration)
        self.known[till_id, configuration] = replace(
            before, customers_read_at=self._clock.database_now(), last_page=before.last_page if last_page is None else last_page
        )

    async def note_types_read(self, till_id: TillId, configuration: str) -> None:
        await self._step()("knowledge.note")
        self.known[till_id, configuration] = replace(self.of(till_id, configuration), types_read_at=self._clock.database_now())


class FakeIntents:
    """ports.tills.IntentStore. A step before and one after each change: a caller may be stopped on either side of the commit."""

    def __init__(self, clock: FakeClock, step: Callable[[], Step]) -> None:
        self._clock = clock
        self._step = step
        self.rows: dict[tuple[TillId, str], tuple[Intent, str]] = {}
        """With the owner."""
        self.faults: dict[str, list[Exception]] = {}

    def of(self, email: str, till_id: TillId = TILL) -> Intent | None:
        row = self.rows.get((till_id, normalise_email(email)))
        return None if row is None else row[0]

    async def _before(self, method: str) -> None:
        await self._step()(f"intents.{method}")
        if self.faults.get(method):
            raise self.faults[method].pop(0)

    async def get(self, till_id: TillId, email: str) -> Intent | None:
        await self._before("get")
        row = self.rows.get((till_id, email))
        return None if row is None else replace(row[0], read_at=self._clock.database_now())

    async def open(
        self,
        till_id: TillId,
        email: str,
        account_id: AccountId,
        owner: str,
        *,
        settle_seconds: float,
        replaces: Intent | None = None,
    ) -> Intent | None:
        await self._before("open")
        now, row = self._clock.database_now(), self.rows.get((till_id, email))
        standing = None
        if row is not None and (replaces is None or replace(row[0], read_at=replaces.read_at) != replaces):
            standing = replace(row[0], read_at=now)
        else:
            opened = Intent(
                till_id=till_id,
                email=email,
                state=IntentState.OPEN,
                account_id=account_id,
                epos_customer_id=None,
                settled_at=now + timedelta(seconds=settle_seconds),
                create_time=now,
                read_at=now,
            )
            self.rows[till_id, email] = (opened, owner)
        await self._step()("intents.opened")
        return standing

    async def mark_unknown(self, till_id: TillId, email: str, owner: str) -> None:
        await self._before("mark_unknown")
        self._change(till_id, email, owner, state=IntentState.UNKNOWN)
        await self._step()("intents.marked")

    async def complete(self, till_id: TillId, email: str, owner: str, customer_id: EposCustomerId) -> None:
        await self._before("complete")
        self._change(till_id, email, owner, state=IntentState.DONE, epos_customer_id=customer_id)
        await self._step()("intents.completed")

    async def clear(self, till_id: TillId, email: str, owner: str) -> None:
        await self._before("clear")
        if (till_id, email) in self.rows and self.rows[till_id, email][1] == owner:
            del self.rows[till_id, email]
        await self._step()("intents.cleared")

    def _change(
        self, till_id: TillId, email: str, owner: str, *, state: IntentState, epos_customer_id: EposCustomerId | None = None
    ) -> None:
        row = self.rows.get((till_id, email))
        if row is not None and row[1] == owner:
            self.rows[till_id, email] = (replace(row[0], state=state, epos_customer_id=epos_customer_id), owner)


class FakeLinks:
    """ports.links.LinkReader and OrderLinker over one set of links."""

    def __init__(self, clock: FakeClock, step: Callable[[], Step]) -> None:
        self._clock = clock
        self._step = step
        self.links: list[Link] = []
        self.marks: set[tuple[AccountId, WooCustomerId]] = set()
        self.released: list[str] = []
        """Normalised emails of guests whose held orders were let go."""
        self.refreshed: list[EposCustomerId] = []
        """The LIVE customer entries that new links queued."""
        self.next_outcomes: list[OrderLinkOutcome] = []
        self.before_link: list[Callable[[], None]] = []
        """Done, in order, right before the next links are made."""

    def add(self, account_id: AccountId, epos: int, woo: int, *, gone: bool = False, woo_gone: bool = False) -> Link:
        link = Link(
            account_id=account_id,
            epos_customer_id=EposCustomerId(epos),
            woo_customer_id=WooCustomerId(woo),
            origin=LinkOrigin.BY_HAND,
            create_time=self._clock.database_now(),
            epos_gone_at=self._clock.database_now() if gone else None,
            woo_gone_at=self._clock.database_now() if woo_gone else None,
        )
        self.links.append(link)
        return link

    def pairs(self) -> set[tuple[int, int]]:
        return {(each.epos_customer_id, each.woo_customer_id) for each in self.links}

    async def by_epos(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, Link]:
        await self._step()("links.by_epos")
        return {each.epos_customer_id: each for each in self.links if each.account_id == account_id and each.epos_customer_id in ids}

    async def by_woo(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> Link | None:
        await self._step()("links.by_woo")
        found = [each for each in self.links if each.account_id == account_id and each.woo_customer_id == woo_customer_id]
        return found[0] if found else None

    async def list_links(self, account_id: AccountId, wanted: LinkFilter, *, after: EposCustomerId | None, limit: int) -> list[Link]:
        raise AssertionError("no flow lists links")

    async def is_marked_do_not_auto_link(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> bool:
        await self._step()("links.is_marked")
        return (account_id, woo_customer_id) in self.marks

    async def still_stands(self, lease: LaneLease, entry: ClaimedEntry) -> bool:
        await self._step()("links.still_stands")
        return True

    async def link(
        self,
        lease: LaneLease,
        entry: ClaimedEntry,
        *,
        epos_customer_id: EposCustomerId,
        woo_customer_id: WooCustomerId,
        origin: LinkOrigin,
        replaces: Link | None,
    ) -> OrderLinkOutcome:
        await self._step()("links.link")
        if self.before_link:
            self.before_link.pop(0)()
        if self.next_outcomes and (outcome := self.next_outcomes.pop(0)) is not OrderLinkOutcome.LINKED:
            return outcome
        standing = [
            each
            for each in self.links
            if each.account_id == lease.account_id
            and (each.epos_customer_id == epos_customer_id or each.woo_customer_id == woo_customer_id)
        ]
        in_the_way = [each for each in standing if each.is_usable and each != replaces]
        if any((each.epos_customer_id, each.woo_customer_id) == (epos_customer_id, woo_customer_id) for each in in_the_way):
            return OrderLinkOutcome.LINKED
        if in_the_way:
            return OrderLinkOutcome.CONFLICT
        self.links = [each for each in self.links if each not in standing]
        made = self.add(lease.account_id, epos_customer_id, woo_customer_id)
        self.links[-1] = replace(made, origin=origin)
        self.refreshed.append(epos_customer_id)
        return OrderLinkOutcome.LINKED

    async def release_held_of_guest(self, lease: LaneLease, entry: ClaimedEntry, *, email: str) -> int:
        await self._step()("links.release_held_of_guest")
        self.released.append(email)
        return 0


class FakeLane:
    """ports.handler.LaneRun with a lease that tests shorten. ``finished`` collects what was handed over."""

    def __init__(self, clock: FakeClock, step: Callable[[], Step], account: Account, *, owner: str = "worker-1", token: int = 1) -> None:
        self._clock = clock
        self._step = step
        self._account = account
        self._lease = LaneLease(account.account_id, owner, token, lapses=0, problem_side=None, pause_count=0)
        self.lease_ends_at = clock() + 30.0
        self.lost = False
        """The process knows it."""
        self.taken_over = False
        """The database knows it: the lease ran out, and another process has the lane."""
        self.finished: dict[EntryId, Verdict] = {}

    @property
    def lease(self) -> LaneLease:
        return self._lease

    @property
    def owner_tag(self) -> str:
        return f"{self._lease.owner}:{self._lease.account_id}:{self._lease.token}"

    def seconds_allowed(self, setting_seconds: float) -> float:
        left = self.lease_ends_at - self._clock()
        if self.lost or left < 5.0:
            raise LeaseTooShort(f"{left:.1f} s of the lease are left")
        return min(setting_seconds, left - 2.0)

    async def account(self, entry: ClaimedEntry) -> Account:
        return self._account

    async def renew_if_needed(self) -> None:
        await self._step()("lane.renew")
        if self.lost:
            raise LeaseTooShort("the lane has another owner")
        if self.lease_ends_at - self._clock() < 15.0:
            if self.taken_over:
                self.lost = True
                raise LeaseTooShort("the lane has another owner")
            # as in the database: also a lease that ran out, when nobody took it
            self.lease_ends_at = self._clock() + 30.0

    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        if entry.entry_id in self.finished:
            raise ValueError(f"entry {entry.entry_id} has its verdict already")
        self.finished[entry.entry_id] = verdict


class NoShopState:
    """ports.links.ShopStateStore for flows that write nothing to the shop."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"shop_state.{name} was asked for")


@dataclass
class FlowWorld:
    """Everything the order flow touches. ``step`` is awaited before every answer of every fake."""

    settings: FlowSettings = field(default_factory=FlowSettings)
    step: Step = _just_go

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.till = FakeTill(self.clock, self._current_step)
        self.knowledge = FakeKnowledge(self.clock, self._current_step)
        self.intents = FakeIntents(self.clock, self._current_step)
        self.links = FakeLinks(self.clock, self._current_step)
        self.services = FlowServices(
            tills=FakeTillGateway(self.till),
            shops=NoShopGateway(),
            knowledge=self.knowledge,
            intents=self.intents,
            links=self.links,
            shop_state=NoShopState(),  # type: ignore[arg-type]
            order_linker=self.links,
            settings=self.settings,
            now=self.clock.now,
            clock=self.clock,
        )

    def _current_step(self) -> Step:
        return self.step

    def context(self, account: Account, lane: FakeLane | None = None) -> LaneContext:
        return LaneContext(self.services, lane or self.lane(account), account)

    def lane(self, account: Account, *, owner: str = "worker-1", token: int = 1) -> FakeLane:
        return FakeLane(self.clock, self._current_step, account, owner=owner, token=token)


def till_account(name: str = "shop-1", **settings: object) -> Account:
    """An account whose till can be asked; it and its like share the till ``TILL``."""
    usual = {
        "account_id": AccountId(name),
        "till_id": TILL,
        "default_epos_customer_id": DEFAULT_CUSTOMER,
        "epos": EposSettings(base_url="https://till.example.test", api_key="key-0001", api_secret="secret"),
        "shop": ShopSettings(base_url="https://shop.example.test", bridge_secret="secret"),
    }
    return Account(**{**usual, **settings})  # type: ignore[arg-type]


def order_facts(order_id: int = 1042, *, email: str = "ada@example.test", **changed: object) -> OrderFacts:
    """Of shop customer 12, the billing email as the account email."""
    usual = {
        "order_id": OrderId(order_id),
        "order_key": "ab" * 32,
        "order_number": str(order_id),
        "create_time": datetime(2026, 2, 27, 9, 30, 15, tzinfo=UTC),
        "woo_customer_id": WooCustomerId(12),
        "account_email": email,
        "billing_email": email,
        "first_name": "Ada",
        "last_name": "Byron",
        "phone": "01200000000",
    }
    return OrderFacts(**{**usual, **changed})  # type: ignore[arg-type]


def guest_facts(order_id: int = 1042, *, email: str = "ada@example.test", **changed: object) -> OrderFacts:
    return order_facts(order_id, email=email, **{"woo_customer_id": None, "account_email": "", **changed})


def order_entry(account: Account, facts: OrderFacts, *, chosen: int | None = None, revision: int = 1) -> ClaimedEntry:
    return ClaimedEntry(
        account_id=account.account_id,
        entry_id=new_entry_id(),
        kind=EntryKind.ORDER_CUSTOMER,
        subject_id=facts.order_id,
        priority=Priority.LIVE,
        entry_revision=revision,
        config_version=account.config_version,
        attempt_count=0,
        coalesced_count=0,
        force=False,
        account_email=facts.account_email_normalised,
        billing_email=facts.billing_email_normalised,
        woo_customer_id=facts.woo_customer_id,
        epos_customer_id=None,
        facts=facts,
        chosen_epos_customer_id=None if chosen is None else EposCustomerId(chosen),
    )
