"""The commit of a hint or an order also leases the sleeping lane for a worker of the same process. The entry starts without another
statement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from support.engine import EngineWorld, RecordingHandler, engine_world
from support.queues import order_facts, take_order
from support.waiting import NEVER_SECONDS, until
from tillsync_server.adapters.postgres.engine.hints import PostgresHintStore
from tillsync_server.adapters.postgres.orders.order_intake import PostgresOrderIntake
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.engine.worker import Worker
from tillsync_server.domain.enums import EntryKind, Priority, Side
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, LaneLease, LaneOffer, NewHint

pytestmark = pytest.mark.integration
PATIENT = EngineSettings(poll_floor_seconds=NEVER_SECONDS, stop_grace_seconds=NEVER_SECONDS)


@asynccontextmanager
async def offering(world: EngineWorld, handler: RecordingHandler, settings: EngineSettings = PATIENT) -> AsyncIterator[Worker]:
    """A worker. The stores of hints and orders of ``world`` lease the lanes that they wake for it."""
    async with world.running(handler, settings) as worker:
        await until(lambda: worker.offer(1), world.work)
        world.hints = PostgresHintStore(world.database, world.notifications, worker.offer)
        world.orders = PostgresOrderIntake(world.database, world.notifications, worker.offer)
        yield worker


class OfferRecorder:
    """Stands in for a worker, and records the lanes that the stores lease for it."""

    def __init__(self, world: EngineWorld) -> None:
        self.leased: list[tuple[LaneLease, Sequence[ClaimedEntry]]] = []
        self.unanswered: list[AccountId] = []
        world.hints = PostgresHintStore(world.database, world.notifications, self.offer)
        world.orders = PostgresOrderIntake(world.database, world.notifications, self.offer)

    def offer(self, _most: int) -> LaneOffer:
        return LaneOffer("this-process", 30.0, lambda lease, entries: self.leased.append((lease, entries)), self.unanswered.extend)


async def lease_holder(world: EngineWorld) -> tuple[str | None, int]:
    [row] = await world.fetch("SELECT lease_owner, lease_token FROM lane")
    return row["lease_owner"], row["lease_token"]


async def test_hint_starts_without_a_claim(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    async with offering(world, handler) as worker:

        async def claim(_requests: Sequence[ClaimRequest]) -> None:
            pytest.fail("a claim ran, but the lease already brought the entries")

        monkeypatch.setattr(world.lanes, "claim", claim)
        for number in range(1, 11):
            hints = [NewHint(AccountId(shop), EntryKind.CUSTOMER, number, Priority.LIVE) for shop in ("shop-a", "shop-a", "shop-b")]
            await world.hints.enqueue(hints)
            await world.until_idle()
        assert len(handler.runs) == 20
        assert worker.counters.leases == 20
        assert {entry.coalesced_count for entry in handler.runs if entry.account_id == "shop-a"} == {1}
    [row] = await world.fetch("SELECT count(*) AS finished, max(attempt_count) AS attempts FROM entry_history WHERE state = 2")
    assert tuple(row) == (20, 1)


async def test_leased_entry_equals_the_claimed_entry(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.fetch("UPDATE lane SET config_version = 7, lapses = 1 RETURNING 1")
    recorder = OfferRecorder(world)
    hint = NewHint(AccountId("shop-a"), EntryKind.CUSTOMER_TYPE, 4001, Priority.LIVE, force=True)
    await world.hints.enqueue([hint, hint])
    [(lease, [entry])] = recorder.leased
    assert (lease.owner, lease.token) == await lease_holder(world)
    assert lease.lapses == 1
    [claimed] = await world.lanes.claim([ClaimRequest(lease, {entry.work_class: 10})])
    assert claimed.entries == [entry]


@pytest.mark.catches("hints-lease-no-leased-lane")
async def test_hint_does_not_lease_a_lane_of_another_process(world: EngineWorld) -> None:
    """The hint is due before the due bound of the lane, and lowers it."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    [other_lease] = (await world.lanes.lease("other", limit=1, bulk_limit=1, probe_limit=0, lease_seconds=30.0)).leases
    await world.fetch("UPDATE lane SET due_from = now() + interval '1 hour', next_run_at = 'infinity' RETURNING 1")
    recorder = OfferRecorder(world)
    await world.hint("shop-a", 2)
    assert recorder.leased == []
    assert await lease_holder(world) == ("other", other_lease.token)


@pytest.mark.catches("orders-lease-no-leased-lane")
async def test_order_does_not_lease_a_lane_of_another_process(world: EngineWorld) -> None:
    """The order is due before the due bound of the lane, and lowers it."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    [other_lease] = (await world.lanes.lease("other", limit=1, bulk_limit=1, probe_limit=0, lease_seconds=30.0)).leases
    sleeping = "next_run_at = 'infinity', next_live_at = 'infinity', due_from = now() + interval '1 hour'"
    await world.fetch(f"UPDATE lane SET {sleeping} RETURNING 1")
    recorder = OfferRecorder(world)
    await take_order(world, "shop-a", order_facts(1042))
    assert recorder.leased == []
    assert await lease_holder(world) == ("other", other_lease.token)


async def test_order_starts_without_a_separate_lease(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with offering(world, handler) as worker:

        async def lease(*_args: object, **_named: object) -> None:
            pytest.fail("a lease statement ran, but the order's commit already leased the lane")

        monkeypatch.setattr(world.lanes, "lease", lease)
        for number in range(1, 6):
            await take_order(world, "shop-a", order_facts(number))
            await world.until_idle()
        assert [entry.subject_id for entry in handler.runs] == [1, 2, 3, 4, 5]
        assert worker.counters.leases == 5


async def test_repeated_order_leases_no_lane(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await take_order(world, "shop-a", order_facts(1042))
    recorder = OfferRecorder(world)
    await take_order(world, "shop-a", order_facts(1042))
    assert recorder.leased == []


@pytest.mark.parametrize(
    ("work", "obstacle"),
    [
        ("hint", "bulk"),
        ("hint", "paused side"),
        ("hint", "postponed"),
        ("hint", "lane awake"),
        ("order", "paused side"),
        ("order", "lane awake"),
    ],
)
async def test_no_lane_is_leased_for_work_that_must_wait(world: EngineWorld, work: str, obstacle: str) -> None:
    await world.add_accounts("shop-a")
    if obstacle == "paused side":
        await world.open_problem("shop-a", Side.SHOP, probe_in=timedelta(hours=1))
    if obstacle == "postponed":
        await world.hint("shop-a", 1)
        await world.fetch("UPDATE entry SET due_at = now() + interval '1 hour', not_before = now() + interval '1 hour' RETURNING 1")
        await world.fetch("UPDATE lane SET next_run_at = now() + interval '1 hour', next_live_at = 'infinity' RETURNING 1")
    if obstacle == "lane awake":  # an awake lane waits for its turn
        await world.hint("shop-a", 2)
    recorder = OfferRecorder(world)
    if work == "order":
        await take_order(world, "shop-a", order_facts(1042))
    else:
        await world.hint("shop-a", 1, priority=Priority.BULK if obstacle == "bulk" else Priority.LIVE)
    assert recorder.leased == []
    assert (await lease_holder(world))[0] is None


@pytest.mark.catches("early-wake-ups-are-kept")
async def test_notification_before_the_answer_to_the_lease_is_kept(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    handler.gate(1)
    async with world.running(handler, PATIENT) as worker, engine_world(world.database.dsn) as other:
        await until(lambda: worker.offer(1), world.work)
        offer = worker.offer(1)
        assert offer is not None
        delayed: list[tuple[LaneLease, Sequence[ClaimedEntry]]] = []
        delaying_offer = replace(offer, leased=lambda lease, entries: delayed.append((lease, entries)))
        await PostgresHintStore(world.database, world.notifications, lambda _most: delaying_offer).enqueue(
            [NewHint(AccountId("shop-a"), EntryKind.CUSTOMER, 1, Priority.LIVE)]
        )
        notified = asyncio.Event()
        world.notifications.on_live_work(lambda _account: notified.set())
        await other.hint("shop-a", 2)
        await notified.wait()
        offer.leased(*delayed[0])
        await handler.wait_for(lambda: handler.count(2) == 1)
        handler.gate(1).set()


async def test_stop_releases_a_lane_that_is_leased_meanwhile(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    handler.gate(900)
    async with offering(world, handler) as worker:
        await world.hint("shop-a", 900)
        await handler.wait_for(lambda: handler.count(900) == 1)
        await world.add_accounts("shop-b")
        offer = worker.offer(1)
        world.hints = PostgresHintStore(world.database, world.notifications, lambda _most: offer)
        stopping = asyncio.create_task(worker.stop())
        await asyncio.sleep(0)
        await world.hint("shop-b", 1)
        assert worker.offer(1) is None
        handler.open_gates()
        await stopping
    assert handler.count(1) == 0
    assert not await world.fetch("SELECT 1 FROM lane WHERE lease_owner IS NOT NULL")


async def test_worker_without_a_free_slot_offers_no_lease(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    handler.gate(1)
    async with offering(world, handler, replace(PATIENT, lane_slots=1, live_reserved_slots=0)) as worker:
        await world.hint("shop-a", 1)
        assert worker.offer(1) is None
        await world.hint("shop-b", 2)
        handler.open_gates()
        await handler.wait_for(lambda: handler.count(2) == 1)


async def test_hint_during_the_run_is_claimed_under_the_same_lease(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    handler.gate(1)
    async with offering(world, handler) as worker:
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        await world.hint("shop-a", 1)
        handler.open_gates()
        await world.until_finished("shop-a", 1)
        assert handler.count(1) == 2
        assert worker.counters.leases == 1
