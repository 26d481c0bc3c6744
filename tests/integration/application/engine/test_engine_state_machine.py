"""Compares queue and links on PostgreSQL with a plain model, for two owners in random order (Hypothesis state machine).

A run decides by the settings and links at its claim, as a flow does. A stored decision must be right by the settings and links at the
time of storing.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from support.engine import UPDATED, EngineWorld, claim_limits, engine_world, entries_of
from support.postgres import Cluster
from support.soak import rounds
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.entry_decision import decide_entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority
from tillsync_server.domain.errors import AlreadyExists, NotFound
from tillsync_server.domain.ids import AccountId, EposCustomerId, OrderId, WooCustomerId
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, LaneLease
from tillsync_server.ports.links import LinkedByHand
from tillsync_server.ports.orders import NewOrder, OrderEnqueued

pytestmark = pytest.mark.integration

POLICY = RetryPolicy(max_attempts=3, base_seconds=3600)
ACCOUNTS = ("shop-a", "shop-b")
OWNERS = ("one", "two")
CUSTOMERS = st.integers(min_value=1, max_value=3)
SHOP_CUSTOMERS = st.integers(min_value=1, max_value=2)
ORDERS = st.integers(min_value=101, max_value=103)
CUSTOMER, ORDER = int(EntryKind.CUSTOMER), int(EntryKind.ORDER_CUSTOMER)
RETRY = Verdict.retry(Outcome.WOO_NOT_UPDATED, "the shop answered 502")
FAILED = Verdict.failed(Outcome.WOO_NOT_UPDATED, "refused field: phone")
DISABLED = Verdict.skipped(Outcome.SYNC_DISABLED)
NOT_LINKED = Verdict.skipped(Outcome.CUSTOMER_NOT_LINKED)
MATCHED_LINK = Verdict.finished(Outcome.MATCHED_LINK)
HELD = Verdict.held(Outcome.DUPLICATE_EMAIL, "two customers")

Key = tuple[str, int, int]
"""Account, kind, subject."""


@dataclass
class ModelEntry:
    revision: int = 1
    attempts: int = 0
    due: bool = True
    held: bool = False

    def requeue(self) -> None:
        self.revision, self.attempts, self.due, self.held = self.revision + 1, 0, True, False


@dataclass
class ModelAccount:
    config_version: int = 1
    enabled: bool = True
    links: dict[int, int] = field(default_factory=dict)
    """Shop customer by till customer."""
    marks: set[int] = field(default_factory=set)
    removals: dict[int, int] = field(default_factory=dict)
    """Till customer by shop customer."""


class Claim(NamedTuple):
    entry: ClaimedEntry
    decision: Verdict


def shop_customer_of(order_id: int) -> int:
    """Shop customer 1 has one of the orders, shop customer 2 the others."""
    return 1 + order_id % 2


def order_facts(order_id: int) -> OrderFacts:
    return OrderFacts(
        order_id=OrderId(order_id),
        order_key=f"{order_id:064d}",
        create_time=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        woo_customer_id=WooCustomerId(shop_customer_of(order_id)),
        account_email=f"{shop_customer_of(order_id)}@example.test",
    )


class QueueMachine(RuleBasedStateMachine):
    """The model holds at most one live entry for each subject, counts of finished entries, settings, links, and the lease of each lane."""

    cluster: Cluster

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.world: EngineWorld
        self.writer: PostgresLinkWriter
        self.live: dict[Key, ModelEntry] = {}
        self.finished: dict[Key, int] = {}
        self.accepted: set[Key] = set()
        self.accounts = {account: ModelAccount() for account in ACCOUNTS}
        self.leases: dict[str, LaneLease] = {}
        self.known_leases: dict[tuple[str, str], LaneLease] = {}
        self.claims: dict[tuple[str, str], tuple[LaneLease, list[Claim]]] = {}

    @initialize()
    def set_up(self) -> None:
        async def create_world() -> EngineWorld:
            database = await self.stack.enter_async_context(self.cluster.database())
            world = await self.stack.enter_async_context(engine_world(database.dsn))
            await world.add_accounts(*ACCOUNTS)
            return world

        self.world = self.runner.run(create_world())
        self.writer = PostgresLinkWriter(self.world.database, self.world.notifications)

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    # the model

    def record_hint(self, key: Key) -> bool:
        """Records a committed hint as a new entry or as a revision of the live entry. Returns whether an entry was live."""
        entry = self.live.get(key)
        if entry is None:
            self.live[key] = ModelEntry()
        else:
            entry.requeue()
        self.accepted.add(key)
        return entry is not None

    def decide(self, key: Key) -> Verdict:
        """The right verdict for this subject by the current settings and links."""
        account, kind, subject = key
        model = self.accounts[account]
        if kind == ORDER:
            return MATCHED_LINK if shop_customer_of(subject) in model.links.values() else HELD
        if not model.enabled:
            return DISABLED
        return UPDATED if subject in model.links else NOT_LINKED

    def orders_of(self, account: str, shop_customer: int) -> list[ModelEntry]:
        return [
            entry
            for (of, kind, order_id), entry in self.live.items()
            if of == account and kind == ORDER and shop_customer_of(order_id) == shop_customer
        ]

    # rules

    @rule(account=st.sampled_from(ACCOUNTS), subject=CUSTOMERS, priority=st.sampled_from(Priority))
    def enqueue(self, account: str, subject: int, priority: Priority) -> None:
        """A hint. A live entry gets a new revision and fresh attempts. A finished subject gets a new entry."""
        result = self.runner.run(self.world.hint(account, subject, priority=priority))
        assert result.coalesced == self.record_hint((account, CUSTOMER, subject))

    @rule(account=st.sampled_from(ACCOUNTS), order_id=ORDERS, rerun=st.booleans())
    def match_order(self, account: str, order_id: int, rerun: bool) -> None:
        [enqueued] = self.runner.run(
            self.world.orders.enqueue([NewOrder(account_id=AccountId(account), facts=order_facts(order_id), rerun=rerun)])
        )
        assert isinstance(enqueued, OrderEnqueued)
        key = (account, ORDER, order_id)
        assert enqueued.queued == (rerun or key not in self.accepted), "a call with unchanged facts enqueues nothing"
        if enqueued.queued:
            self.record_hint(key)

    @rule(owner=st.sampled_from(OWNERS))
    def lease(self, owner: str) -> None:
        self.lease_for(owner)

    @rule(owner=st.sampled_from(OWNERS))
    def work(self, owner: str) -> None:
        """One undisturbed turn: leases the ready lanes, completes their entries as decided, and releases the lanes."""
        for lease in self.lease_for(owner):
            key = (owner, lease.account_id)
            self.claim_for(key)
            self.complete_for(key, "as decided")
            self.release_for(key)

    def lease_for(self, owner: str) -> list[LaneLease]:
        ready = {key[0] for key, entry in self.live.items() if entry.due} - set(self.leases)
        leases = self.runner.run(self.world.lanes.lease(owner, limit=5, bulk_limit=5, probe_limit=5, lease_seconds=600)).leases
        assert {lease.account_id for lease in leases} == ready
        for lease in leases:
            self.leases[lease.account_id] = lease
            self.known_leases[owner, lease.account_id] = lease
        return leases

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def lapse(self, data: st.DataObject) -> None:
        """A lease expires, and an owner takes the lane over. The earlier lease is stale from then on."""
        account = data.draw(st.sampled_from(sorted(self.leases)))
        sql = "UPDATE lane SET lease_expires_at = now() - interval '1 second' WHERE account_id = $1 RETURNING 1"
        self.runner.run(self.world.fetch(sql, account))
        new_owner = data.draw(st.sampled_from(OWNERS))
        leases = self.runner.run(self.world.lanes.lease(new_owner, limit=5, bulk_limit=5, probe_limit=5, lease_seconds=600)).leases
        for lease in leases:
            if lease.account_id == account:
                assert lease.token > self.leases[account].token
                assert lease.lapses >= 1
            self.leases[lease.account_id] = lease
            self.known_leases[new_owner, lease.account_id] = lease
        assert account in {lease.account_id for lease in leases}

    @precondition(lambda self: self.known_leases)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        self.claim_for(data.draw(st.sampled_from(sorted(self.known_leases))))

    def claim_for(self, key: tuple[str, str]) -> None:
        lease = self.known_leases[key]
        [claimed] = entries_of(self.runner.run(self.world.lanes.claim([ClaimRequest(lease, claim_limits(20))])))
        due = {entry_key for entry_key, entry in self.live.items() if entry_key[0] == lease.account_id and entry.due}
        assert {_key(entry) for entry in claimed} == (due if self.leases.get(lease.account_id) == lease else set()), "the fence of claims"
        self.claims[key] = (lease, [Claim(entry, self.decide(_key(entry))) for entry in claimed])

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), ending=st.sampled_from(["as decided", "as decided", "retry", "fail"]))
    def complete(self, data: st.DataObject, ending: str) -> None:
        self.complete_for(data.draw(st.sampled_from(sorted(self.claims))), ending)

    def complete_for(self, owner_key: tuple[str, str], ending: str) -> None:
        lease, claimed = self.claims.pop(owner_key)
        if not claimed:
            return
        verdicts = {"retry": RETRY, "fail": FAILED}
        completions = [
            Completion(
                lease,
                entry,
                decide_entry(verdicts.get(ending, decision), attempts_before=entry.attempt_count, policy=POLICY),
                run_seconds=0.0,
            )
            for entry, decision in claimed
        ]
        written = self.runner.run(self.world.lanes.complete(completions))
        for (entry, decision), completion, was_written in zip(claimed, completions, written, strict=True):
            key = _key(entry)
            is_accepted = self.leases.get(key[0]) == lease and self.accounts[key[0]].config_version == entry.config_version
            assert bool(was_written) == is_accepted, "the fence of completions"
            model = self.live.get(key)
            if not is_accepted or model is None or model.revision != entry.entry_revision:
                continue  # The completion was dropped, or a hint raised the revision. The entry stays PENDING and due.
            if ending == "as decided":
                assert decision == self.decide(key), "the stored decision rests on outdated settings or links"
            if completion.decision.state is EntryState.PENDING:
                model.attempts, model.due = model.attempts + 1, False
            elif completion.decision.state is EntryState.HELD:
                model.attempts, model.due, model.held = model.attempts + 1, False, True
            else:
                del self.live[key]
                self.finished[key] = self.finished.get(key, 0) + 1

    @precondition(lambda self: self.known_leases)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        lease = self.known_leases[data.draw(st.sampled_from(sorted(self.known_leases)))]
        [renewed] = self.runner.run(self.world.lanes.renew([lease], lease_seconds=600))
        assert renewed == (self.leases.get(lease.account_id) == lease)

    @precondition(lambda self: self.known_leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.release_for(data.draw(st.sampled_from(sorted(self.known_leases))))

    def release_for(self, key: tuple[str, str]) -> None:
        lease = self.known_leases.pop(key)
        self.claims.pop(key, None)
        self.runner.run(self.world.lanes.release([lease], clean=[True]))
        if self.leases.get(lease.account_id) == lease:
            del self.leases[lease.account_id]

    @rule(account=st.sampled_from(ACCOUNTS))
    def switch_sync(self, account: str) -> None:
        """Switches customer sync as UpdateAccount does, under the lane's lock and with a new config_version."""
        model = self.accounts[account]
        model.enabled, model.config_version = not model.enabled, model.config_version + 1

        async def update_account() -> None:
            async with self.world.database.acquire() as connection, connection.transaction():
                await connection.execute("SELECT 1 FROM lane WHERE account_id = $1 FOR NO KEY UPDATE", account)
                await connection.execute("UPDATE account SET customer_sync_enabled = $2 WHERE account_id = $1", account, model.enabled)
                await connection.execute("UPDATE lane SET config_version = config_version + 1 WHERE account_id = $1", account)

        self.runner.run(update_account())

    @rule(account=st.sampled_from(ACCOUNTS), customer=CUSTOMERS, shop_customer=SHOP_CUSTOMERS)
    def link(self, account: str, customer: int, shop_customer: int) -> None:
        model = self.accounts[account]
        linked_shop_customer = model.links.get(customer)
        is_refused = linked_shop_customer not in (None, shop_customer) or (
            linked_shop_customer is None and shop_customer in model.links.values()
        )
        try:
            made: LinkedByHand | None = self.runner.run(
                self.writer.create(AccountId(account), EposCustomerId(customer), WooCustomerId(shop_customer))
            )
        except AlreadyExists:
            made = None
        assert (made is None) == is_refused, "links are one to one in both directions"
        if made is None:
            return
        if linked_shop_customer is None:
            model.links[customer] = shop_customer
            model.config_version += 1
            model.removals.pop(shop_customer, None)
            for order in self.orders_of(account, shop_customer):
                order.revision += order.due
        model.marks.discard(shop_customer)
        held = [order for order in self.orders_of(account, shop_customer) if order.held]
        assert made.requeued_order_entries == len(held)
        for order in held:
            order.requeue()
        self.record_hint((account, CUSTOMER, customer))

    @rule(account=st.sampled_from(ACCOUNTS), customer=CUSTOMERS)
    def unlink(self, account: str, customer: int) -> None:
        model = self.accounts[account]
        shop_customer = model.links.pop(customer, None)
        try:
            self.runner.run(self.writer.delete(AccountId(account), epos_customer_id=EposCustomerId(customer)))
        except NotFound:
            assert shop_customer is None
            return
        assert shop_customer is not None
        model.config_version += 1
        model.marks.add(shop_customer)
        model.removals[shop_customer] = customer
        for order in self.orders_of(account, shop_customer):
            order.revision += order.due
        self.record_hint((account, CUSTOMER, customer))

    @invariant()
    def database_equals_the_model(self) -> None:
        if hasattr(self, "world"):
            self.runner.run(self.compare())

    async def compare(self) -> None:
        async with self.world.database.acquire() as connection:
            stored = {
                (row["account_id"], row["kind"], row["subject_id"]): ModelEntry(
                    row["entry_revision"], row["attempt_count"], row["state"] == 1 and row["due"], row["state"] == 4
                )
                for row in await connection.fetch("SELECT *, due_at <= now() AS due FROM entry")
            }
            assert stored == self.live
            rows = await connection.fetch("SELECT account_id, kind, subject_id, count(*) FROM entry_history GROUP BY 1, 2, 3")
            assert {(row["account_id"], row["kind"], row["subject_id"]): row["count"] for row in rows} == self.finished
            assert self.accepted == set(self.live) | set(self.finished), "every accepted subject is live or finished"
            rows = await connection.fetch("SELECT account_id, lease_token, lease_owner, config_version FROM lane")
            assert {row["account_id"]: (row["lease_owner"], row["lease_token"]) for row in rows if row["lease_owner"] is not None} == {
                account: (lease.owner, lease.token) for account, lease in self.leases.items()
            }
            assert {row["account_id"]: row["config_version"] for row in rows} == {
                account: model.config_version for account, model in self.accounts.items()
            }
            assert _grouped(await connection.fetch("SELECT account_id, epos_customer_id, woo_customer_id FROM link")) == {
                (account, *link) for account, model in self.accounts.items() for link in model.links.items()
            }
            assert _grouped(await connection.fetch("SELECT account_id, woo_customer_id FROM link_mark")) == {
                (account, mark) for account, model in self.accounts.items() for mark in model.marks
            }
            assert _grouped(await connection.fetch("SELECT account_id, woo_customer_id, epos_customer_id FROM shop_removal")) == {
                (account, *removal) for account, model in self.accounts.items() for removal in model.removals.items()
            }
            rows = await connection.fetch("SELECT account_id, order_id, state FROM order_match WHERE state IN (1, 4)")
            assert {(row["account_id"], ORDER, row["order_id"]): row["state"] == 4 for row in rows} == {
                key: entry.held for key, entry in self.live.items() if key[1] == ORDER
            }, "the answer of an order has the state of its entry"
        assert await self.world.lanes.repair_lost_wakeups() == 0


def _key(entry: ClaimedEntry) -> Key:
    return entry.account_id, int(entry.kind), entry.subject_id


def _grouped(rows: list[Any]) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in rows}


@pytest.mark.timeout(rounds(400, 3600))  # Hypothesis shrinks a failure for minutes.
def test_queue_and_links_behave_as_their_model(cluster: Cluster) -> None:
    QueueMachine.cluster = cluster
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=rounds(14, 200), stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
        ),
    )
