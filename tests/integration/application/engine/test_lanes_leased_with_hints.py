"""A worker of the process that stores a hint or an order leases the sleeping lane in the same commit; a hint starts without another
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
    """A worker to which the world's hints and orders offer the lanes that they wake."""
    async with world.running(handler, settings) as worker:
        await until(lambda: worker.offer(1), world.work)
        world.hints = PostgresHintStore(world.database, world.notifications, worker.offer)
        world.orders = PostgresOrderIntake(world.database, world.notifications, worker.offer)
        yield worker


class Offers:
    """A worker that only notes the lanes it is given."""

    def __init__(self, world: EngineWorld) -> None:
        self.leased: list[tuple[LaneLease, Sequence[ClaimedEntry]]] = []
        self.unanswered: list[AccountId] = []
        world.hints = PostgresHintStore(world.database, world.notifications, self.offer)
        world.orders = PostgresOrderIntake(world.database, world.notifications, self.offer)

    def offer(self, _most: int) -> LaneOffer:
        return LaneOffer("this-process", 30.0, lambda lease, entries: self.leased.append((lease, entries)), self.unanswered.extend)


async def lane(world: EngineWorld) -> tuple[str | None, int]:
    [row] = await world.fetch("SELECT lease_owner, lease_token FROM lane")
    return row["lease_owner"], row["lease_token"]


async def test_a_hint_starts_with_no_statement_but_its_own(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    async with offering(world, handler) as worker:

        async def claim(_requests: Sequence[ClaimRequest]) -> None:
            pytest.fail("the entries came with the lease")

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


async def test_the_entry_is_as_a_claim_would_bring_it(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.fetch("UPDATE lane SET config_version = 7, lapses = 1 RETURNING 1")
    offers = Offers(world)
    hint = NewHint(AccountId("shop-a"), EntryKind.CUSTOMER_TYPE, 4001, Priority.LIVE, force=True)
    await world.hints.enqueue([hint, hint])
    [(lease, [entry])] = offers.leased
    assert (lease.owner, lease.token) == await lane(world)
    assert lease.lapses == 1
    [claimed] = await world.lanes.claim([ClaimRequest(lease, {entry.work_class: 10})])
    assert claimed.entries == [entry]


@pytest.mark.catches("hints-lease-no-leased-lane")
async def test_a_lane_that_another_process_has_is_left_to_it(world: EngineWorld) -> None:
    """Also where the hint is due before the lane's bound, which it lowers."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    [theirs] = (await world.lanes.lease("other", limit=1, bulk_limit=1, probe_limit=0, lease_seconds=30.0)).leases
    await world.fetch("UPDATE lane SET due_from = now() + interval '1 hour', next_run_at = 'infinity' RETURNING 1")
    offers = Offers(world)
    await world.hint("shop-a", 2)
    assert offers.leased == []
    assert await lane(world) == ("other", theirs.token)


@pytest.mark.catches("orders-lease-no-leased-lane")
async def test_an_order_leaves_a_lane_to_the_process_that_has_it(world: EngineWorld) -> None:
    """Also where the order is due before the lane's bound, which it lowers."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    [theirs] = (await world.lanes.lease("other", limit=1, bulk_limit=1, probe_limit=0, lease_seconds=30.0)).leases
    later = "next_run_at = 'infinity', next_live_at = 'infinity', due_from = now() + interval '1 hour'"
    await world.fetch(f"UPDATE lane SET {later} RETURNING 1")
    offers = Offers(world)
    await take_order(world, "shop-a", order_facts(1042))
    assert offers.leased == []
    assert await lane(world) == ("other", theirs.token)


async def test_an_order_starts_without_a_lease_of_its_own(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    async with offering(world, handler) as worker:

        async def lease(*_args: object, **_named: object) -> None:
            pytest.fail("the lane was leased with the order")

        monkeypatch.setattr(world.lanes, "lease", lease)
        for number in range(1, 6):
            await take_order(world, "shop-a", order_facts(number))
            await world.until_idle()
        assert [entry.subject_id for entry in handler.runs] == [1, 2, 3, 4, 5]
        assert worker.counters.leases == 5


async def test_an_order_that_is_answered_already_leases_nothing(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await take_order(world, "shop-a", order_facts(1042))
    offers = Offers(world)
    await take_order(world, "shop-a", order_facts(1042))
    assert offers.leased == []


@pytest.mark.parametrize(
    ("what", "why"), [("hint", "bulk"), ("hint", "ill"), ("hint", "put off"), ("hint", "ready"), ("order", "ill"), ("order", "ready")]
)
async def test_no_lane_is_leased_for_work_that_cannot_start(world: EngineWorld, what: str, why: str) -> None:
    await world.add_accounts("shop-a")
    if why == "ill":
        await world.open_problem("shop-a", Side.SHOP, probe_in=timedelta(hours=1))
    if why == "put off":
        await world.hint("shop-a", 1)
        await world.fetch("UPDATE entry SET due_at = now() + interval '1 hour', not_before = now() + interval '1 hour' RETURNING 1")
        await world.fetch("UPDATE lane SET next_run_at = now() + interval '1 hour', next_live_at = 'infinity' RETURNING 1")
    if why == "ready":  # whoever waits for a slot for it goes first
        await world.hint("shop-a", 2)
    offers = Offers(world)
    if what == "order":
        await take_order(world, "shop-a", order_facts(1042))
    else:
        await world.hint("shop-a", 1, priority=Priority.BULK if why == "bulk" else Priority.LIVE)
    assert offers.leased == []
    assert (await lane(world))[0] is None


@pytest.mark.catches("early-wake-ups-are-kept")
async def test_a_hint_that_is_told_before_the_lease_is_answered_is_not_forgotten(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler()
    handler.gate(1)
    async with world.running(handler, PATIENT) as worker, engine_world(world.database.dsn) as other:
        await until(lambda: worker.offer(1), world.work)
        offer = worker.offer(1)
        assert offer is not None
        late: list[tuple[LaneLease, Sequence[ClaimedEntry]]] = []
        held = replace(offer, leased=lambda lease, entries: late.append((lease, entries)))
        await PostgresHintStore(world.database, world.notifications, lambda _most: held).enqueue(
            [NewHint(AccountId("shop-a"), EntryKind.CUSTOMER, 1, Priority.LIVE)]
        )
        told = asyncio.Event()
        world.notifications.on_live_work(lambda _account: told.set())
        await other.hint("shop-a", 2)
        await told.wait()
        offer.leased(*late[0])
        await handler.wait_for(lambda: handler.count(2) == 1)
        handler.gate(1).set()


async def test_a_lane_that_is_leased_during_the_stop_is_given_back(world: EngineWorld) -> None:
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


async def test_lanes_are_left_to_others_without_room(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    handler = RecordingHandler()
    handler.gate(1)
    async with offering(world, handler, replace(PATIENT, lane_slots=1, live_reserved_slots=0)) as worker:
        await world.hint("shop-a", 1)
        assert worker.offer(1) is None
        await world.hint("shop-b", 2)
        handler.open_gates()
        await handler.wait_for(lambda: handler.count(2) == 1)


async def test_a_hint_during_the_run_is_claimed_by_the_same_lease(world: EngineWorld) -> None:
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
