"""Order events for the shop: the outbox and the receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import pytest
import pytest_asyncio
from fakes.account_warnings import FakeAccountWarnings
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from fakes.events import FakeEventOutbox, FakeEventReceiver
from fakes.permit import FakePermit
from support.engine import EngineWorld
from tillsync_sandbox import SandboxShop
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.accounts.account_warnings import PostgresAccountWarnings
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.events.event_outbox import PostgresEvents
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.enums import EntryState, Outcome, Side, WarningReason
from tillsync_server.domain.errors import LeaseTooShort
from tillsync_server.domain.ids import AccountId, OrderId, TillId
from tillsync_server.ports.accounts import AccountWarnings
from tillsync_server.ports.events import (
    AcknowledgedEvent,
    EventOutbox,
    EventReceiver,
    EventResult,
    EventStatus,
    EventType,
    OrderEvent,
    RefusedEvent,
    WaitingEvents,
)

SHOP, OTHER, KEYS = AccountId("shop-a"), AccountId("shop-b"), AccountId("shop-keys")
BRIDGE = ShopSettings(base_url="https://shop.example.test", bridge_secret="x" * 43)
ACCOUNTS = [
    Account(account_id=SHOP, till_id=TillId(SHOP), shop=BRIDGE),
    Account(account_id=OTHER, till_id=TillId(OTHER), shop=BRIDGE),
    Account(account_id=KEYS, till_id=TillId(KEYS), shop=ShopSettings(base_url="https://shop.example.test", consumer_key="ck")),
]


def an_event(order_id: int, sequence: int = 1) -> OrderEvent:
    return OrderEvent(
        order_id=OrderId(order_id),
        sequence=sequence,
        type=EventType.ORDER_FINISHED,
        entry_id=None,
        state=EntryState.PROCESSED,
        outcome=Outcome.MATCHED_EMAIL,
    )


class Bench(Protocol):
    """Two accounts with a bridge, SHOP and OTHER, and KEYS without one."""

    @property
    def outbox(self) -> EventOutbox: ...

    @property
    def warnings(self) -> AccountWarnings:
        """Warnings of the accounts of these events."""
        ...

    async def put(self, account_id: AccountId, *events: OrderEvent) -> None:
        """Stores later events. A newer event replaces an older one of its order."""
        ...

    async def time_passes(self, seconds: float) -> None: ...


def _is_due(seconds: float | None) -> bool:
    return seconds is not None and seconds <= 0


class EventOutboxContract:
    async def test_only_accounts_with_a_bridge_and_waiting_events_are_claimed(self, bench: Bench) -> None:
        assert await bench.outbox.claim(limit=10, lease_seconds=60) == []
        await bench.put(SHOP, an_event(1))
        await bench.put(OTHER, an_event(1))
        await bench.put(KEYS, an_event(1))
        [first] = await bench.outbox.claim(limit=1, lease_seconds=60)
        [second] = await bench.outbox.claim(limit=10, lease_seconds=60)
        assert {first.account_id, second.account_id} == {SHOP, OTHER}
        assert (first.failures, second.failures) == (0, 0)

    async def test_one_sender_per_account_at_a_time(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1))
        [lease] = await bench.outbox.claim(limit=10, lease_seconds=60)
        await bench.outbox.release(replace(lease, token=lease.token + 1), failures=0, delay_seconds=0)  # a stale token changes nothing
        assert await bench.outbox.claim(limit=10, lease_seconds=60) == []
        await bench.outbox.release(lease, failures=0, delay_seconds=0)
        [again] = await bench.outbox.claim(limit=10, lease_seconds=0)
        assert again.token != lease.token
        assert len(await bench.outbox.claim(limit=10, lease_seconds=60)) == 1  # the lease expired

    async def test_next_try_waits_for_its_delay_and_has_the_failure_count(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1))
        [lease] = await bench.outbox.claim(limit=10, lease_seconds=60)
        await bench.outbox.release(lease, failures=3, delay_seconds=30)
        assert await bench.outbox.claim(limit=10, lease_seconds=60) == []
        await bench.time_passes(31)
        [again] = await bench.outbox.claim(limit=10, lease_seconds=60)
        assert again.failures == 3

    async def test_seconds_until_the_next_due_account_are_returned(self, bench: Bench) -> None:
        assert await bench.outbox.seconds_until_due() is None
        await bench.put(KEYS, an_event(1))
        assert await bench.outbox.seconds_until_due() is None, "without a bridge"
        await bench.put(SHOP, an_event(1))
        assert _is_due(await bench.outbox.seconds_until_due())
        [lease] = await bench.outbox.claim(limit=10, lease_seconds=60)
        assert 50 < (await bench.outbox.seconds_until_due() or 0) <= 60, "until the lease ends"
        await bench.outbox.release(lease, failures=3, delay_seconds=30)
        assert 20 < (await bench.outbox.seconds_until_due() or 0) <= 30, "until the next try"
        await bench.put(OTHER, an_event(1))
        assert _is_due(await bench.outbox.seconds_until_due())
        await bench.outbox.acknowledge(OTHER, [AcknowledgedEvent(OrderId(1), 1)])
        await bench.time_passes(31)
        assert _is_due(await bench.outbox.seconds_until_due())

    async def test_longest_waiting_events_come_first(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(3))
        await bench.put(SHOP, an_event(1))
        await bench.put(SHOP, an_event(2))
        waiting = await bench.outbox.waiting(SHOP, 2)
        assert (waiting.events, waiting.held_count) == ((an_event(3), an_event(1)), 0)

    async def test_acknowledged_event_is_not_sent_again(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1), an_event(2))
        await bench.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1), 1)])
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(2),)
        await bench.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(2), 1)])
        assert await bench.outbox.waiting(SHOP, 10) == WaitingEvents((), 0)
        assert await bench.outbox.claim(limit=10, lease_seconds=60) == []

    async def test_event_stored_during_a_send_is_kept(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1))
        await bench.put(SHOP, an_event(1, 2))
        await bench.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1), 1)])
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(1, 2),)

    async def test_refused_event_is_kept_resent_later_and_shown_as_a_warning(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1), an_event(2))
        await bench.put(OTHER, an_event(1))
        await bench.outbox.acknowledge(OTHER, [AcknowledgedEvent(OrderId(1), 1)])
        await bench.outbox.refuse(SHOP, [RefusedEvent(OrderId(1), 1, "type")])
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(2),), "the others go on"
        await bench.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(2), 1)])
        assert await bench.outbox.claim(limit=10, lease_seconds=60) == []
        found = await bench.warnings.of([OTHER, SHOP])
        assert set(found) == {SHOP}
        [warning] = found[SHOP]
        assert (warning.reason, warning.side, warning.count, warning.detail) == (WarningReason.EVENTS_REFUSED, Side.SHOP, 1, "type")
        assert await bench.outbox.resend(sent_before_seconds=3600, limit=10) == 0
        await bench.time_passes(3601)
        assert await bench.outbox.resend(sent_before_seconds=3600, limit=10) == 1
        assert await bench.outbox.resend(sent_before_seconds=3600, limit=10) == 0, "not over and over"
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(1),)
        assert set(await bench.warnings.of([SHOP])) == {SHOP}, "until it is taken"
        await bench.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1), 1)])
        assert await bench.warnings.of([SHOP]) == {}

    async def test_newer_event_of_an_order_does_not_wait_for_the_refused_one(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1))
        await bench.outbox.refuse(SHOP, [RefusedEvent(OrderId(1), 1, "type")])
        await bench.put(SHOP, an_event(1, 2))
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(1, 2),)
        await bench.time_passes(3601)
        assert await bench.outbox.resend(sent_before_seconds=3600, limit=10) == 1
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(1, 2),)
        await bench.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1), 2)])
        assert (await bench.outbox.waiting(SHOP, 10)).events == ()
        assert await bench.warnings.of([SHOP]) == {}

    async def test_event_stored_during_a_refusal_is_kept(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1))
        await bench.put(SHOP, an_event(1, 2))
        await bench.outbox.refuse(SHOP, [RefusedEvent(OrderId(1), 1, "type")])
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(1, 2),)

    async def test_event_is_resent_above_the_sequence_that_the_shop_holds(self, bench: Bench) -> None:
        await bench.put(SHOP, an_event(1))
        await bench.outbox.acknowledge(SHOP, [AcknowledgedEvent(OrderId(1), 1, held_sequence=40)])
        assert (await bench.outbox.waiting(SHOP, 10)).events == (an_event(1, 41),)


class ReceiverBench(Protocol):
    @property
    def receiver(self) -> EventReceiver: ...

    @property
    def held_count(self) -> int:
        """The number of held orders that the shop received last."""
        ...


async def send_events(bench: ReceiverBench, *events: OrderEvent, held_count: int = 3) -> list[EventResult]:
    return await bench.receiver.send(WaitingEvents(events, held_count), FakePermit())


class EventReceiverContract:
    async def test_results_are_by_position_and_sequences_order_the_events(self, bench: ReceiverBench) -> None:
        updated, unchanged = EventResult(status=EventStatus.UPDATED), EventResult(status=EventStatus.UNCHANGED)
        assert await send_events(bench, an_event(1, 5), an_event(2, 1)) == [updated, updated]
        assert await send_events(bench, an_event(1, 5), an_event(2, 2)) == [unchanged, updated]
        assert await send_events(bench, an_event(1, 4), an_event(2, 3)) == [EventResult(status=EventStatus.STALE, held_sequence=5), updated]
        assert bench.held_count == 3

    async def test_refused_permit_sends_no_events(self, bench: ReceiverBench) -> None:
        with pytest.raises(LeaseTooShort):
            await bench.receiver.send(WaitingEvents((an_event(1),), 3), FakePermit.of_seconds(3.0))
        assert await send_events(bench, an_event(1)) == [EventResult(status=EventStatus.UPDATED)]


class OutboxInMemory:
    def __init__(self) -> None:
        self._clock, accounts = FakeClock(), FakeAccounts()
        for account in ACCOUNTS:
            accounts.add(account)
        self.outbox = FakeEventOutbox(self._clock, accounts)
        self.warnings = FakeAccountWarnings(self.outbox)

    async def put(self, account_id: AccountId, *events: OrderEvent) -> None:
        self.outbox.add(account_id, *events)

    async def time_passes(self, seconds: float) -> None:
        self._clock.advance(seconds)


@dataclass
class OutboxOnPostgres:
    world: EngineWorld

    @property
    def outbox(self) -> PostgresEvents:
        return PostgresEvents(self.world.database)

    @property
    def warnings(self) -> PostgresAccountWarnings:
        return PostgresAccountWarnings(self.world.database)

    async def put(self, account_id: AccountId, *events: OrderEvent) -> None:
        for event in events:
            await self.world.fetch(
                "INSERT INTO order_event (account_id, order_id, sequence, type, state, outcome, event_time) "
                "VALUES ($1, $2, $3, 1, $4, $5, clock_timestamp()) ON CONFLICT (account_id, order_id) "
                "DO UPDATE SET sequence = excluded.sequence, event_time = excluded.event_time RETURNING 1",
                account_id,
                event.order_id,
                event.sequence,
                int(event.state),
                None if event.outcome is None else int(event.outcome),
            )

    async def time_passes(self, seconds: float) -> None:
        await self.world.fetch("UPDATE event_delivery SET next_try_at = next_try_at - make_interval(secs => $1) RETURNING 1", seconds)
        await self.world.fetch("UPDATE refused_event SET told_time = told_time - make_interval(secs => $1) RETURNING 1", seconds)


class ReceiverInMemory:
    def __init__(self) -> None:
        self._receiver = FakeEventReceiver()
        self.receiver = self._receiver.event_receiver(ACCOUNTS[0])

    @property
    def held_count(self) -> int:
        return self._receiver.held_count


@dataclass
class ReceiverOnBridge:
    receiver: EventReceiver
    shop: SandboxShop

    @property
    def held_count(self) -> int:
        events: Sequence[object] = self.shop.store.events
        assert events
        return self.shop.store.events[-1].held_count


class TestFakeEventOutbox(EventOutboxContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return OutboxInMemory()


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresEvents(EventOutboxContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> Bench:
        accounts = PostgresAccounts(world.database, SecretBox(["a test key of at least thirty-two characters"]), world.notifications)
        for account in ACCOUNTS:
            await accounts.create(account)
        return OutboxOnPostgres(world)


class TestFakeEventReceiver(EventReceiverContract):
    @pytest.fixture
    def bench(self) -> ReceiverBench:
        return ReceiverInMemory()


class TestBridgeEvents(EventReceiverContract):
    @pytest_asyncio.fixture
    async def bench(self) -> AsyncIterator[ReceiverBench]:
        http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
        gateway = WooGateway(http, WooAdapterSettings())
        async with SandboxShop() as shop:
            settings = ShopSettings(base_url=shop.origin, bridge_secret=shop.switches.bridge_secret)
            yield ReceiverOnBridge(gateway.event_receiver(replace(ACCOUNTS[0], shop=settings)), shop)
        await http.close()
