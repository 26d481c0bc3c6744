"""Accounts, links and orders for tests of the data stored per customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from support.engine import EngineWorld, claim_limits, entries_of
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.entry_decision import decide_entry
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, LaneLease
from tillsync_server.ports.links import LinkReader
from tillsync_server.ports.orders import NewOrder, OrderEnqueued, OrderMatch

SHOP = AccountId("shop-a")
HELD_DUPLICATE = Verdict.held(Outcome.DUPLICATE_EMAIL, "two customers", candidate_ids=(EposCustomerId(1), EposCustomerId(2)))


def epos(number: int) -> EposCustomerId:
    return EposCustomerId(number)


def woo(number: int) -> WooCustomerId:
    return WooCustomerId(number)


def facts_of(order_id: int, *, woo_customer_id: int | None = None, email: str = "ada@example.test", account_email: str = "") -> OrderFacts:
    return OrderFacts(
        order_id=OrderId(order_id),
        order_key=f"{order_id:064d}",
        create_time=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        woo_customer_id=None if woo_customer_id is None else WooCustomerId(woo_customer_id),
        account_email=account_email,
        billing_email=email,
        first_name="Ada",
        last_name="Byron",
    )


async def pending_removals(links: LinkReader, *epos_ids: int) -> dict[int, tuple[int, ...]]:
    """Shop customers with pending removals of values, by the till customer of shop-a."""
    stored = await links.stored_customers(SHOP, [EposCustomerId(each) for each in epos_ids])
    return {each: found.removals for each, found in stored.items() if found.removals}


async def put_order(world: EngineWorld, facts: OrderFacts, account: str = SHOP) -> EntryId:
    [taken] = await world.orders.enqueue([NewOrder(account_id=AccountId(account), facts=facts)])
    assert isinstance(taken, OrderEnqueued), taken
    return taken.entry_id


async def lease_of(world: EngineWorld, account: str = SHOP, owner: str = "one") -> LaneLease:
    leases = (await world.lanes.lease(owner, limit=10, bulk_limit=10, probe_limit=10, lease_seconds=600)).leases
    [lease] = [lease for lease in leases if lease.account_id == account]
    return lease


async def claim(world: EngineWorld, lease: LaneLease, *, limit: int = 1000) -> list[ClaimedEntry]:
    [claimed] = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(limit))]))
    return claimed


def completion(lease: LaneLease, entry: ClaimedEntry, verdict: Verdict) -> Completion:
    decision = decide_entry(verdict, attempts_before=entry.attempt_count, policy=EngineSettings().retry)
    return Completion(lease, entry, decision, 0.0)


async def complete_all(world: EngineWorld, verdict: Verdict, account: str = SHOP) -> list[ClaimedEntry]:
    """Leases the lane, claims all due entries, completes them with one verdict, and ends the lease."""
    lease = await lease_of(world, account)
    claimed = await claim(world, lease)
    assert all(await world.lanes.complete([completion(lease, entry, verdict) for entry in claimed]))
    await world.lanes.release([lease], clean=[True])
    return claimed


async def held_orders(world: EngineWorld, orders: Sequence[OrderFacts], verdict: Verdict = HELD_DUPLICATE) -> list[EntryId]:
    """Orders that wait for a person, in order of arrival."""
    ids = [await put_order(world, facts) for facts in orders]
    await complete_all(world, verdict)
    return ids


async def entry_row(world: EngineWorld, entry_id: UUID) -> dict[str, object]:
    [row] = await world.fetch("SELECT *, due_at <= now() AS due FROM entry WHERE entry_id = $1", entry_id)
    return dict(row)


async def states(world: EngineWorld, entry_ids: Sequence[UUID]) -> list[EntryState]:
    rows = {row["entry_id"]: EntryState(row["state"]) for row in await world.fetch("SELECT entry_id, state FROM entry")}
    return [rows[entry_id] for entry_id in entry_ids]


async def match_of(world: EngineWorld, order_id: int, account: str = SHOP) -> OrderMatch:
    return (await world.orders.get(AccountId(account), [OrderId(order_id)]))[OrderId(order_id)]


async def config_version(world: EngineWorld, account: str = SHOP) -> int:
    [row] = await world.fetch("SELECT config_version FROM lane WHERE account_id = $1", account)
    version: int = row["config_version"]
    return version
