"""A webhook delivery hints every linked account of the till, within the sender's caps. A busy account delays no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from fakes.queues import FakeQueues, an_entry
from fakes.sales import FakeSales
from fakes.subject_accounts import FakeSubjectAccounts
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.use_cases.admission import Admission, AdmissionSettings
from tillsync_server.application.use_cases.till_hints import Sender, TillHints
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.enums import EntryKind, EntryState, Priority
from tillsync_server.domain.errors import ResourceExhausted, Unavailable
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.lanes import EnqueueResult, NewHint

TILL = TillId("company")
A, B, C = AccountId("shop-a"), AccountId("shop-b"), AccountId("shop-c")
AT_A = Sender(account_id=A, till_id=TILL, is_addressed=True)
AT_TILL = Sender(account_id=A, till_id=TILL, is_addressed=False)


class DatabaseAway(Exception):
    pass


@dataclass
class Lanes:
    """Stores hints. An account in ``failures`` gets its error instead."""

    taken: list[NewHint] = field(default_factory=list)
    failures: dict[AccountId, Exception] = field(default_factory=dict)

    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        results: list[EnqueueResult | Exception] = []
        for hint in hints:
            failure = self.failures.get(hint.account_id)
            if failure is None:
                self.taken.append(hint)
            entry = an_entry(state=EntryState.PENDING, kind=hint.kind, subject_id=hint.subject_id, account_id=hint.account_id)
            results.append(failure or EnqueueResult(entry, coalesced=False))
        return results

    @property
    def pairs(self) -> list[tuple[str, int]]:
        return sorted((hint.account_id, hint.subject_id) for hint in self.taken)


@dataclass
class World:
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    lanes: Lanes = field(default_factory=Lanes)
    settings: AdmissionSettings = field(default_factory=AdmissionSettings)

    def __post_init__(self) -> None:
        for account_id in (A, B, C):
            self.accounts.add(Account(account_id=account_id, till_id=TILL, shared_till=True))
        self.subjects = FakeSubjectAccounts(self.accounts)
        admission = Admission(FakeQueues(), self.settings, clock=FakeClock())
        self.sales = FakeSales()
        self.hints = TillHints(self.subjects, self.sales, Enqueuer(self.lanes), admission)


@pytest.mark.catches("webhooks-wake-every-account-of-the-till")
async def test_exactly_the_linked_accounts_get_a_live_hint() -> None:
    world = World()
    world.subjects.linked = {(A, 501), (B, 501), (C, 502)}
    assert await world.hints.customers(AT_A, [501]) == 2
    assert world.lanes.pairs == [(A, 501), (B, 501)]
    assert {(hint.kind, hint.priority, hint.force) for hint in world.lanes.taken} == {(EntryKind.CUSTOMER, Priority.LIVE, False)}


async def test_addressed_account_is_hinted_without_a_link() -> None:
    world = World()
    world.subjects.linked = {(B, 501)}
    assert await world.hints.customers(AT_A, [501]) == 2
    assert world.lanes.pairs == [(A, 501), (B, 501)]


async def test_sender_at_the_till_address_needs_a_link() -> None:
    world = World()
    world.subjects.linked = {(B, 501), (C, 501)}
    assert await world.hints.customers(AT_TILL, [501]) == 2
    assert world.lanes.pairs == [(B, 501), (C, 501)]
    assert await world.hints.customers(AT_TILL, [777]) == 0


async def test_each_account_gets_hints_only_for_its_own_customers() -> None:
    world = World()
    world.subjects.linked = {(A, 1), (B, 1), (B, 2), (C, 3)}
    assert await world.hints.customers(AT_TILL, [1, 2, 3, 4]) == 3
    assert world.lanes.pairs == [(A, 1), (B, 1), (B, 2), (C, 3)]


async def test_hints_are_stored_in_statements_of_five_hundred() -> None:
    world = World()
    world.subjects.linked = {(account_id, number) for account_id in (A, B, C) for number in range(1, 501)}
    assert await world.hints.customers(AT_A, range(1, 501)) == 3
    assert len(world.lanes.pairs) == len(set(world.lanes.pairs)) == 1_500


async def test_type_hints_go_to_accounts_with_a_bridge_or_a_stored_type() -> None:
    world = World()
    world.accounts.add(Account(account_id=B, till_id=TILL, shared_till=True, shop=ShopSettings(bridge_secret="b" * 43)))
    world.subjects.known_types = {(C, 4001)}
    assert await world.hints.customer_types(AT_TILL, [4001]) == 2
    assert world.lanes.pairs == [(B, 4001), (C, 4001)]
    assert {hint.kind for hint in world.lanes.taken} == {EntryKind.CUSTOMER_TYPE}


@pytest.mark.parametrize("sender", [AT_A, AT_TILL])
async def test_delivery_without_linked_accounts_counts_against_the_sender_caps(sender: Sender) -> None:
    world = World(settings=AdmissionSettings(entries_per_second=1, burst_entries=3))
    for _ in range(3):
        await world.hints.customers(sender, [777])
    with pytest.raises(ResourceExhausted):
        await world.hints.customers(sender, [777])


async def test_account_over_its_caps_delays_no_other() -> None:
    world = World(settings=AdmissionSettings(entries_per_second=1, burst_entries=2))
    world.subjects.linked = {(B, 1), (B, 2), (B, 3), (C, 1)}
    first, second = (Sender(account_id=AccountId(name), till_id=TILL, is_addressed=False) for name in ("first", "second"))
    assert await world.hints.customers(first, [1, 2]) == 2
    with pytest.raises(ResourceExhausted):
        await world.hints.customers(second, [1, 3])
    assert world.lanes.pairs == [(B, 1), (B, 2), (C, 1), (C, 1)]


async def test_locked_lane_raises_after_all_other_hints_are_committed() -> None:
    world = World()
    world.subjects.linked = {(B, 501), (C, 501)}
    world.lanes.failures = {B: Unavailable("busy")}
    with pytest.raises(Unavailable):
        await world.hints.customers(AT_A, [501])
    assert world.lanes.pairs == [(A, 501), (C, 501)]


async def test_database_failure_is_raised_before_other_errors() -> None:
    world = World()
    world.subjects.linked = {(B, 501)}
    world.lanes.failures = {A: Unavailable("busy"), B: DatabaseAway()}
    with pytest.raises(DatabaseAway):
        await world.hints.customers(AT_A, [501])


async def test_sales_without_a_customer_are_stored_for_reading() -> None:
    world = World()
    await world.hints.sales(AT_A, [7, 8, 7])
    assert sorted(world.sales.rows) == [(TILL, 7), (TILL, 8)]
    assert {row.sale.account_id for row in world.sales.rows.values()} == {A}
    assert world.lanes.taken == []


async def test_sales_count_against_the_sender_caps() -> None:
    world = World(settings=AdmissionSettings(entries_per_second=1, burst_entries=3))
    await world.hints.sales(AT_A, [1, 2, 3])
    with pytest.raises(ResourceExhausted):
        await world.hints.sales(AT_A, [4])
    assert len(world.sales.rows) == 3
