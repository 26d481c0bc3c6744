"""The queue against a plain model: two owners, random interleavings, real PostgreSQL (Hypothesis state machine)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from support.engine import UPDATED, EngineWorld, engine_world
from support.postgres import Cluster
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.settlement import settle
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.vocabulary import EntryState, Outcome, Priority
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, LaneLease

pytestmark = pytest.mark.integration

POLICY = RetryPolicy(max_attempts=3, base_seconds=3600)
ACCOUNTS = ("shop-a", "shop-b")
OWNERS = ("one", "two")
SUBJECTS = st.integers(min_value=1, max_value=4)
RETRY = Verdict.retry(Outcome.WOO_NOT_UPDATED, "the shop answered 502")


@dataclass
class ModelEntry:
    revision: int = 1
    attempts: int = 0
    due: bool = True


class QueueMachine(RuleBasedStateMachine):
    """The model: per subject at most one live entry; finished counts; who holds which lane under which token."""

    cluster: Cluster

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.world: EngineWorld
        self.live: dict[tuple[str, int], ModelEntry] = {}
        self.finished: dict[tuple[str, int], int] = {}
        self.accepted: set[tuple[str, int]] = set()
        self.holder: dict[str, LaneLease] = {}
        self.config: dict[str, int] = dict.fromkeys(ACCOUNTS, 1)
        self.known_leases: dict[tuple[str, str], LaneLease] = {}
        self.claims: dict[tuple[str, str], tuple[LaneLease, list[ClaimedEntry]]] = {}

    @initialize()
    def open(self) -> None:
        async def opened() -> EngineWorld:
            database = await self.stack.enter_async_context(self.cluster.database())
            world = await self.stack.enter_async_context(engine_world(database.dsn))
            await world.add_accounts(*ACCOUNTS)
            return world

        self.world = self.runner.run(opened())

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    @rule(account=st.sampled_from(ACCOUNTS), subject=SUBJECTS, priority=st.sampled_from(Priority))
    def enqueue(self, account: str, subject: int, priority: Priority) -> None:
        result = self.runner.run(self.world.hint(account, subject, priority=priority))
        entry = self.live.get((account, subject))
        assert result.coalesced == (entry is not None)
        if entry is None:
            self.live[account, subject] = ModelEntry()
        else:
            entry.revision, entry.attempts, entry.due = entry.revision + 1, 0, True
        self.accepted.add((account, subject))

    @rule(owner=st.sampled_from(OWNERS))
    def lease(self, owner: str) -> None:
        ready = {account for account, _ in (key for key, entry in self.live.items() if entry.due)} - set(self.holder)
        leases = self.runner.run(self.world.lanes.lease(owner, limit=5, bulk_limit=5, lease_seconds=600))
        assert {lease.account_id for lease in leases} == ready
        for lease in leases:
            self.holder[lease.account_id] = lease
            self.known_leases[owner, lease.account_id] = lease

    @precondition(lambda self: self.holder)
    @rule(data=st.data())
    def lapse(self, data: st.DataObject) -> None:
        """The holder vanishes; the lane is anybody's again, and what the holder knows is stale from the next lease on."""
        account = data.draw(st.sampled_from(sorted(self.holder)))
        sql = "UPDATE lane SET lease_expires_at = now() - interval '1 second' WHERE account_id = $1 RETURNING 1"
        self.runner.run(self.world.fetch(sql, account))
        taker = data.draw(st.sampled_from(OWNERS))
        leases = self.runner.run(self.world.lanes.lease(taker, limit=5, bulk_limit=5, lease_seconds=600))
        for lease in leases:
            if lease.account_id == account:
                assert lease.token > self.holder[account].token
                assert lease.lapses >= 1
            self.holder[lease.account_id] = lease
            self.known_leases[taker, lease.account_id] = lease
        assert account in {lease.account_id for lease in leases}

    @precondition(lambda self: self.known_leases)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.known_leases)))
        lease = self.known_leases[key]
        [claimed] = self.runner.run(self.world.lanes.claim([ClaimRequest(lease, 10, 10)]))
        due = {subject for (account, subject), entry in self.live.items() if account == lease.account_id and entry.due}
        assert {entry.subject_id for entry in claimed} == due
        self.claims[key] = (lease, claimed)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), verdict=st.sampled_from([UPDATED, RETRY]))
    def complete(self, data: st.DataObject, verdict: Verdict) -> None:
        key = data.draw(st.sampled_from(sorted(self.claims)))
        lease, claimed = self.claims.pop(key)
        if not claimed:
            return
        completions = [Completion(lease, entry, settle(verdict, attempts_before=entry.attempt_count, policy=POLICY), 0.0) for entry in claimed]
        written = self.runner.run(self.world.lanes.complete(completions))
        for completion, was_written in zip(completions, written, strict=True):
            account, subject = completion.entry.account_id, completion.entry.subject_id
            ours = self.holder.get(account) == lease and self.config[account] == completion.entry.config_version
            assert was_written == ours, "the fence"
            model = self.live.get((account, subject))
            if not ours or model is None or model.revision < completion.entry.entry_revision:
                continue
            if model.revision != completion.entry.entry_revision:
                continue  # a hint came meanwhile: it stays PENDING and due
            if completion.settlement.state is EntryState.PENDING:
                model.attempts, model.due = model.attempts + 1, False
            else:
                del self.live[account, subject]
                self.finished[account, subject] = self.finished.get((account, subject), 0) + 1

    @precondition(lambda self: self.known_leases)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        lease = self.known_leases[data.draw(st.sampled_from(sorted(self.known_leases)))]
        [renewed] = self.runner.run(self.world.lanes.renew([lease], lease_seconds=600))
        assert renewed == (self.holder.get(lease.account_id) == lease)

    @precondition(lambda self: self.known_leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.known_leases)))
        lease = self.known_leases.pop(key)
        self.claims.pop(key, None)
        self.runner.run(self.world.lanes.release([lease], clean=[True]))
        if self.holder.get(lease.account_id) == lease:
            del self.holder[lease.account_id]

    @rule(account=st.sampled_from(ACCOUNTS))
    def change_settings(self, account: str) -> None:
        sql = "UPDATE lane SET config_version = config_version + 1 WHERE account_id = $1 RETURNING 1"
        self.runner.run(self.world.fetch(sql, account))
        self.config[account] += 1

    @invariant()
    def the_database_is_as_the_model_says(self) -> None:
        if not hasattr(self, "world"):
            return
        rows = self.runner.run(self.world.fetch("SELECT *, due_at <= now() AS due FROM entry"))
        stored = {(row["account_id"], row["subject_id"]): (row["entry_revision"], row["attempt_count"], row["due"]) for row in rows}
        assert stored == {key: (entry.revision, entry.attempts, entry.due) for key, entry in self.live.items()}
        rows = self.runner.run(self.world.fetch("SELECT account_id, subject_id, count(*) FROM entry_history GROUP BY 1, 2"))
        assert {(row["account_id"], row["subject_id"]): row["count"] for row in rows} == self.finished
        assert self.accepted == set(self.live) | set(self.finished), "nothing accepted is lost"
        rows = self.runner.run(self.world.fetch("SELECT account_id, lease_token, lease_owner FROM lane WHERE lease_owner IS NOT NULL"))
        assert {row["account_id"]: (row["lease_owner"], row["lease_token"]) for row in rows} == {
            account: (lease.owner, lease.token) for account, lease in self.holder.items()
        }
        assert self.runner.run(self.world.lanes.repair_lost_wakeups()) == 0


def test_the_queue_behaves_as_its_model(cluster: Cluster) -> None:
    QueueMachine.cluster = cluster
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True),
    )
