"""The link bench on the fakes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from contracts.link_bench import AN_HOUR, OTHER, Refresh
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from fakes.links import FakeLinks
from fakes.orders import FakeOrders
from fakes.queues import SHOP, FakeQueues
from fakes.shop_state import FakeShopState
from support.links import (
    facts_of,
)
from tillsync_server.domain.account import Account
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, TillId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.orders import NewOrder, OrderEnqueued


class InMemory:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self._accounts, self._queues = FakeAccounts(self._clock), FakeQueues(accounts={SHOP, OTHER})
        for account_id in (SHOP, OTHER):
            now = self._clock.database_now()
            self._accounts.add(Account(account_id=account_id, till_id=TillId(account_id), update_time=now))
        self._links = FakeLinks(self._clock, queues=self._queues, accounts=self._accounts)
        self._orders = FakeOrders(self._queues)
        self._lease: LaneLease | None = None
        self.reader = self.linker = self.writer = self._links
        self.shop = FakeShopState(self._clock, self._links)
        self.shop.settings_of[SHOP] = self._clock.database_now()

    async def put_link(self, epos: int, woo: int, *, account_id: AccountId = SHOP, epos_gone: bool = False, woo_gone: bool = False) -> None:
        self._links.add(account_id, epos, woo, gone=epos_gone, woo_gone=woo_gone)

    async def break_link(self, epos: int) -> None:
        self._links.put(replace(self._links.of_epos(epos), epos_gone_at=self._clock.database_now()))

    async def renew_link(self, epos: int) -> None:
        link = self._links.of_epos(epos)
        self._links.put(replace(link, epos_gone_at=None, create_time=link.create_time + AN_HOUR))

    async def mark(self, woo: int) -> None:
        self._links.marks.add((SHOP, WooCustomerId(woo)))

    async def want_removal(self, epos: int, woo: int) -> None:
        self._links.want_removal(SHOP, epos, woo)

    async def set_default_customer(self, epos: int) -> None:
        self._accounts.add(replace(self._accounts.accounts[SHOP], default_epos_customer_id=EposCustomerId(epos)))

    async def config_version(self) -> int:
        return self._accounts.accounts[SHOP].config_version

    async def change_settings(self) -> None:
        self._clock.advance(1)
        self._accounts.raise_config_version(SHOP)
        self.shop.settings_of[SHOP] = self._clock.database_now()

    async def settings_time(self) -> datetime:
        return self.shop.settings_of[SHOP]

    async def database_now(self) -> datetime:
        return self._clock.database_now()

    async def lease(self) -> LaneLease:
        if self._lease is None:
            self._lease = LaneLease(SHOP, "one", 1, lapses=0)
            self._links.give_lane_to(self._lease)
        return self._lease

    async def take_over(self) -> LaneLease:
        before = await self.lease()
        self._lease = replace(before, owner="two", token=before.token + 1, lapses=before.lapses + 1)
        self._links.give_lane_to(self._lease)
        return self._lease

    async def order(self, order_id: int, *, woo: int | None = 12, email: str = "ada@example.test", epos: int | None = None) -> EntryId:
        entry_id = await self._take(facts_of(order_id, woo_customer_id=woo, email=email))
        self._change(entry_id, epos_customer_id=None if epos is None else EposCustomerId(epos))
        return entry_id

    async def _take(self, facts: OrderFacts) -> EntryId:
        [taken] = await self._orders.enqueue([NewOrder(account_id=SHOP, facts=facts)])
        assert isinstance(taken, OrderEnqueued)
        return taken.entry_id

    async def ended(self, order_id: int, verdict: Verdict, *, woo: int | None = 12, email: str = "ada@example.test") -> EntryId:
        entry_id = await self.order(order_id, woo=woo, email=email)
        self._change(entry_id, state=verdict.state, outcome=verdict.outcome, candidate_ids=verdict.candidate_ids)
        return entry_id

    def _change(self, entry_id: EntryId, **changes: object) -> None:
        self._queues.add(replace(self._queues.entries[entry_id], **changes))  # type: ignore[arg-type]

    async def claim(self, order_id: int) -> ClaimedEntry:
        entry = self._queues.live_of(SHOP, EntryKind.ORDER_CUSTOMER, order_id)
        assert entry is not None
        return ClaimedEntry(
            account_id=SHOP,
            entry_id=entry.entry_id,
            kind=entry.kind,
            subject_id=order_id,
            priority=entry.priority,
            entry_revision=entry.entry_revision,
            config_version=await self.config_version(),
            attempt_count=0,
            coalesced_count=0,
            force=False,
            account_email=entry.account_email,
            billing_email=entry.billing_email,
            woo_customer_id=entry.woo_customer_id,
            epos_customer_id=entry.epos_customer_id,
            facts=entry.facts,
        )

    async def new_facts(self, order_id: int, *, woo: int | None = 12) -> None:
        await self._take(facts_of(order_id, woo_customer_id=woo, email="other@example.test"))

    async def dismiss(self, entry_id: EntryId) -> None:
        await self._queues.dismiss(SHOP, [entry_id], "asked twice")

    async def states(self, entry_ids: list[EntryId]) -> list[EntryState]:
        return [self._queues.entries[entry_id].state for entry_id in entry_ids]

    async def revision(self, entry_id: EntryId) -> int:
        return self._queues.entries[entry_id].entry_revision

    async def chosen(self, entry_id: EntryId) -> int | None:
        return self._links.chosen.get(entry_id)

    async def retried_from(self, entry_id: EntryId) -> EntryId | None:
        return self._queues.entries[entry_id].retried_from

    async def refresh(self, epos: int) -> Refresh | None:
        entry: Entry | None = self._queues.live_of(SHOP, EntryKind.CUSTOMER, epos)
        return None if entry is None else Refresh(entry.entry_id, entry.entry_revision, entry.state is EntryState.PENDING)

    async def is_queued(self, epos: int) -> bool:
        return self._queues.live_of(SHOP, EntryKind.CUSTOMER, epos) is not None

    async def hint(self, epos: int) -> EntryId:
        return self._queues.hint(SHOP, EntryKind.CUSTOMER, epos)
