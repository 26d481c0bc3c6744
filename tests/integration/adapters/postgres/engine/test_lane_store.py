"""The lane store leases, claims, completes and releases under the fence. It counts lapses and pauses sides (invariants 3, 4 and 8)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.engine import UPDATED, EngineWorld, claim_limits, entries_of
from support.waiting import within
from tillsync_server.adapters.postgres.engine.hints import enqueue_in_transaction
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.entry_decision import decide_entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.verdict import AccountProblem, Verdict
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, Completion, CompletionResult, LaneLease, NewHint

pytestmark = [pytest.mark.integration, pytest.mark.every_version]
POLICY = RetryPolicy()


async def lease_one(world: EngineWorld, owner: str = "owner-1", seconds: float = 30.0) -> LaneLease:
    [lease] = (await world.lanes.lease(owner, limit=1, bulk_limit=1, probe_limit=1, lease_seconds=seconds)).leases
    return lease


async def claim_one(world: EngineWorld, lease: LaneLease) -> ClaimedEntry:
    [[entry]] = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10))]))
    return entry


def completion(lease: LaneLease, entry: ClaimedEntry, verdict: Verdict = UPDATED, pause_seconds: float = 0.0) -> Completion:
    decision = decide_entry(verdict, attempts_before=entry.attempt_count, policy=POLICY)
    return Completion(lease, entry, decision, 0.01, pause_seconds, frozenset(decision.sides_proven & lease.paused_sides.keys()))


async def expire_lease(world: EngineWorld) -> None:
    await world.fetch("UPDATE lane SET lease_expires_at = now() - interval '1 second' RETURNING 1")


async def test_leased_lane_is_not_leased_to_another_process(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    first = await lease_one(world)
    assert (await world.lanes.lease("owner-2", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases == []
    assert (first.owner, first.token, first.lapses) == ("owner-1", 1, 0)


@pytest.mark.catches("lost-lanes-claim-nothing")
async def test_lost_lease_claims_nothing_and_the_new_lease_each_entry_once(world: EngineWorld) -> None:
    """A process that was stopped for a while may claim at the same time as the new owner."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lost = await lease_one(world)
    await expire_lease(world)
    lease = await lease_one(world)
    claimed = entries_of(await world.lanes.claim([ClaimRequest(lost, claim_limits(10)), ClaimRequest(lease, claim_limits(10))]))
    assert [[entry.subject_id for entry in part] for part in claimed] == [[], [1]]


async def test_claim_writes_nothing(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    before = await world.fetch("SELECT xmin, * FROM entry")
    claimed = await claim_one(world, lease)
    again = await claim_one(world, lease)
    assert claimed == again
    assert await world.fetch("SELECT xmin, * FROM entry") == before
    assert entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10), (claimed.entry_id,))])) == [[]]


async def test_completion_after_a_lock_wait_sees_the_committed_hint(world: EngineWorld, patient: EngineWorld) -> None:
    """The completion starts before the hint is committed, and continues after the commit."""
    await world.add_accounts("shop-a", "shop-b")
    await world.hint("shop-a", 1)
    await world.hint("shop-b", 2)
    leases = {
        lease.account_id: lease
        for lease in (await world.lanes.lease("owner-1", limit=2, bulk_limit=2, probe_limit=2, lease_seconds=30)).leases
    }
    claimed = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10)) for lease in leases.values()]))
    completions = [completion(leases[entry.account_id], entry) for [entry] in claimed]
    async with world.database.acquire() as connection, connection.transaction():
        await enqueue_in_transaction(connection, [NewHint(AccountId("shop-a"), EntryKind.CUSTOMER, 1, Priority.LIVE)])
        completing = asyncio.create_task(patient.lanes.complete(completions))
        await world.until_lock_wait()
    written = dict(zip([each.entry.account_id for each in completions], await within(completing), strict=True))
    assert written == {"shop-a": CompletionResult.MOVED_ON, "shop-b": CompletionResult.DONE}
    row = await world.live("shop-a", 1)
    assert row is not None
    assert (row["state"], row["entry_revision"], row["attempts"].count('"s"')) == (1, 2, 1)


async def test_completion_moves_a_finished_entry_to_the_history(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    enqueued = await world.hint("shop-a", 1)
    lease = await lease_one(world)
    entry = await claim_one(world, lease)
    assert await world.lanes.complete([completion(lease, entry)]) == [CompletionResult.DONE]
    row = await world.finished_entry(enqueued.entry_id)
    assert (row["state"], row["outcome"], row["comment"], row["retention"]) == (2, 1, "Successfully Updated", 1)
    assert row["attempt_count"] == 1
    assert row["attempts"].count('"s"') == 1
    assert await world.live("shop-a", 1) is None


@pytest.mark.catches("completions-are-fenced")
async def test_lapsed_lease_changes_nothing_in_a_batch_with_the_new_lease(world: EngineWorld) -> None:
    """While the database is unavailable, the lease of a process may lapse. The process may then lease the same lane again. Its next
    batch has completions of both leases, and the statement locks the lane for the newer one."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    stale = await lease_one(world)
    stale_entry = await claim_one(world, stale)
    await expire_lease(world)
    current = await lease_one(world)
    current_entry = await claim_one(world, current)
    retry = Verdict.retry(Outcome.WOO_NOT_UPDATED, "not reached: DNS")
    assert await world.lanes.complete([completion(current, current_entry), completion(stale, stale_entry, retry)]) == [
        CompletionResult.DONE,
        CompletionResult.DROPPED,
    ]
    [finished] = await world.fetch("SELECT outcome, attempts FROM entry_history")
    assert finished["outcome"] == Outcome.UPDATED
    assert await world.fetch("SELECT * FROM entry") == []
    await world.lanes.release([current, stale], clean=[True, False])
    [lane] = await world.fetch("SELECT lapses, lease_owner FROM lane")
    assert (lane["lapses"], lane["lease_owner"]) == (0, None)


async def test_stale_owner_changes_nothing(world: EngineWorld) -> None:
    """Invariant 3. The lease lapsed, and another process leases the lane."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    stale = await lease_one(world)
    entry = await claim_one(world, stale)
    await expire_lease(world)
    current = await lease_one(world, "owner-2")
    assert (current.token, current.lapses) == (stale.token + 1, 1)
    before = await world.fetch("SELECT * FROM entry") + await world.fetch("SELECT * FROM lane")
    retry = Verdict.retry(Outcome.WOO_NOT_UPDATED, "not reached: DNS")
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.SHOP, text="not reached: DNS")
    paused = Verdict.paused(Outcome.WOO_NOT_UPDATED, problem)
    for verdict in (UPDATED, retry, paused):
        assert await world.lanes.complete([completion(stale, entry, verdict, 60)]) == [CompletionResult.DROPPED]
    assert await world.lanes.charge_first(stale, entry, delay_seconds=1) is False
    assert await world.lanes.renew([stale], lease_seconds=30) == [False]
    await world.lanes.release([stale], clean=[True])
    assert await world.fetch("SELECT * FROM entry") + await world.fetch("SELECT * FROM lane") == before
    assert await world.fetch("SELECT * FROM entry_history") == []
    assert await world.lanes.complete([completion(current, await claim_one(world, current))]) == [CompletionResult.DONE]


async def test_stale_token_drops_only_the_completions_of_its_lane(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    await world.hint("shop-a", 1)
    await world.hint("shop-b", 2)
    leases = (await world.lanes.lease("owner-1", limit=2, bulk_limit=2, probe_limit=2, lease_seconds=30)).leases
    claimed = [entries[0] for entries in entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10)) for lease in leases]))]
    await world.fetch("UPDATE lane SET lease_token = lease_token + 1 WHERE account_id = $1 RETURNING 1", leases[0].account_id)
    pairs = zip(leases, claimed, strict=True)
    assert await world.lanes.complete([completion(lease, entry) for lease, entry in pairs]) == [
        CompletionResult.DROPPED,
        CompletionResult.DONE,
    ]


@pytest.mark.catches("changed-settings-void-decisions")
async def test_changed_settings_drop_the_completion(world: EngineWorld) -> None:
    """Invariant 6. `config_version` rises between claim and completion."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    entry = await claim_one(world, lease)
    await world.fetch("UPDATE lane SET config_version = config_version + 1 RETURNING 1")
    assert await world.lanes.complete([completion(lease, entry)]) == [CompletionResult.DROPPED]
    again = await claim_one(world, lease)
    assert again.config_version == entry.config_version + 1
    assert await world.lanes.complete([completion(lease, again)]) == [CompletionResult.DONE]


@pytest.mark.catches("hints-during-a-run-survive")
async def test_entry_with_a_raised_revision_runs_again(world: EngineWorld) -> None:
    """Invariant 5. A hint arrives while the entry runs. The attempt is stored, and the entry stays PENDING."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    entry = await claim_one(world, lease)
    await world.hint("shop-a", 1)
    assert await world.lanes.complete([completion(lease, entry)]) == [CompletionResult.MOVED_ON]
    row = await world.live("shop-a", 1)
    assert row is not None
    assert (row["state"], row["entry_revision"], row["attempt_count"], row["outcome"]) == (1, 2, 0, 1)
    assert await world.finished("shop-a", 1) == []
    again = await claim_one(world, lease)
    assert again.entry_revision == 2
    await world.lanes.complete([completion(lease, again)])
    [done] = await world.finished("shop-a", 1)
    assert done["attempts"].count('"s"') == 2


async def test_hold_of_an_entry_with_a_raised_revision_leaves_it_pending(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    entry = await claim_one(world, lease)
    await world.hint("shop-a", 1)
    await world.lanes.complete([completion(lease, entry, Verdict.held(Outcome.DUPLICATE_EMAIL, "two"))])
    row = await world.live("shop-a", 1)
    assert row is not None
    assert row["state"] == EntryState.PENDING


async def test_retry_waits_for_its_time_and_fails_after_the_last_attempt(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    retry = Verdict.retry(Outcome.WOO_NOT_UPDATED, "the shop answered 502", retry_after_seconds=7200)
    entry = await claim_one(world, lease)
    await world.lanes.complete([completion(lease, entry, retry)])
    row = await world.live("shop-a", 1)
    assert row is not None
    assert (row["state"], row["attempt_count"]) == (1, 1)
    assert (row["due_at"] - row["update_time"]).total_seconds() >= 7199
    assert row["not_before"] is not None
    await world.fetch("UPDATE entry SET due_at = now(), attempt_count = 7 RETURNING 1")
    await world.lanes.complete([completion(lease, await claim_one(world, lease), retry)])
    [failed] = await world.finished("shop-a", 1)
    assert (failed["state"], failed["attempt_count"], failed["retention"]) == (5, 8, 2)
    assert failed["comment"] == "WooCommerce customer not updated"


@pytest.mark.catches("releases-keep-due-work-ready")
async def test_release_keeps_a_lane_with_due_entries_ready(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    await world.lanes.complete([completion(lease, await claim_one(world, lease))])
    await world.hint("shop-a", 2, priority=Priority.BULK)
    await world.lanes.release([lease], clean=[True])
    [lane] = await world.fetch("SELECT *, next_run_at <= now() AS ready, next_live_at = 'infinity' AS no_live FROM lane")
    assert lane["ready"]
    assert lane["no_live"]
    assert lane["lease_owner"] is None


@pytest.mark.catches("empty-lanes-sleep")
async def test_empty_lane_is_not_leased(world: EngineWorld) -> None:
    """An idle system leases no lanes. In SQL, GREATEST ignores NULL, so an empty lane could get a finite time."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    await world.lanes.complete([completion(lease, await claim_one(world, lease))])
    await world.lanes.release([lease], clean=[True])
    [lane] = await world.fetch("SELECT next_run_at = 'infinity' AND next_live_at = 'infinity' AS is_idle FROM lane")
    assert lane["is_idle"]
    assert (await world.lanes.lease("owner-2", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases == []
    assert (await world.lanes.lease("owner-3", limit=0, bulk_limit=0, probe_limit=0, lease_seconds=30)).seconds_until_due is None


@pytest.mark.catches("account-wide-failures-make-their-side-wait")
async def test_paused_side_delays_waiting_and_new_entries(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    enqueued = await world.hint("shop-a", 1)
    lease = await lease_one(world)
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.SHOP, text="not reached: DNS")
    verdict = Verdict.paused(Outcome.WOO_NOT_UPDATED, problem, "not reached: DNS")
    await world.lanes.complete([completion(lease, await claim_one(world, lease), verdict, 600)])
    await world.lanes.release([lease], clean=[False])
    await world.hint("shop-a", 2)
    [lane] = await world.fetch(
        "SELECT *, next_run_at = 'infinity' AND next_live_at = 'infinity' AND next_probe_at = shop_probe_at "
        "AND shop_probe_at > now() + interval '9 minutes' AS waits_for_probe FROM lane"
    )
    assert lane["waits_for_probe"]
    [side] = await world.fetch("SELECT * FROM account_side")
    assert (side["problem_reason"], side["side"], side["problem_text"]) == (1, 2, "not reached: DNS")
    assert (side["problem_entry_id"], side["failures"]) == (enqueued.entry_id, 1)
    row = await world.live("shop-a", 1)
    assert row is not None
    assert (row["attempt_count"], row["comment"]) == (0, "WooCommerce customer not updated")
    assert '"g": 0' in row["attempts"]
    assert (await world.lanes.lease("owner-2", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases == []


async def test_first_success_of_a_side_closes_its_problem(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    await world.open_problem("shop-a", Side.SHOP, probe_in=timedelta(0), failures=3)
    lease = await lease_one(world)
    assert (set(lease.paused_sides), lease.paused_sides[Side.SHOP].failures) == ({Side.SHOP}, 3)
    unchanged = replace(Verdict.finished(Outcome.UPDATED, "unchanged"), sides_met=frozenset({Side.TILL}))
    await world.lanes.complete([completion(lease, await claim_one(world, lease), unchanged)])
    [side] = await world.fetch("SELECT problem_reason, failures FROM account_side")
    assert side["problem_reason"] == 1, "an unchanged customer is a success of the till only"
    await world.hint("shop-a", 2)
    await world.lanes.complete([completion(lease, await claim_one(world, lease))])
    [side] = await world.fetch("SELECT s.problem_reason, failures, shop_probe_at FROM account_side s JOIN lane USING (account_id)")
    assert tuple(side) == (None, 0, None)


async def test_live_lanes_are_leased_first_and_bulk_lanes_up_to_their_limit(world: EngineWorld) -> None:
    names = [f"bulk-{number}" for number in range(6)]
    await world.add_accounts(*names, "live-1")
    for name in names:
        await world.hint(name, 1, priority=Priority.BULK)
    await world.hint("live-1", 1)
    leases = (await world.lanes.lease("owner-1", limit=4, bulk_limit=2, probe_limit=2, lease_seconds=30)).leases
    accounts = [lease.account_id for lease in leases]
    assert "live-1" in accounts
    assert len(accounts) == 3


async def test_attempt_charged_first_counts_before_the_run(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    entry = await claim_one(world, lease)
    assert await world.lanes.charge_first(lease, entry, delay_seconds=60)
    row = await world.live("shop-a", 1)
    assert row is not None
    assert (row["attempt_count"], row["entry_revision"]) == (1, entry.entry_revision)
    assert (row["due_at"] - row["update_time"]).total_seconds() == pytest.approx(60)
    await world.hint("shop-a", 1)
    assert await world.lanes.charge_first(lease, entry, delay_seconds=60) is False


async def test_sweep_repairs_a_lane_with_a_lost_wake_up(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b", "shop-c")
    for name in ("shop-a", "shop-b", "shop-c"):
        await world.hint(name, 1)
    await world.fetch("UPDATE lane SET next_run_at = 'infinity', next_live_at = 'infinity' WHERE account_id = 'shop-b' RETURNING 1")
    await world.open_problem("shop-c", Side.TILL)
    assert await world.lanes.repair_lost_wakeups() == 1
    assert await world.lanes.repair_lost_wakeups() == 0
    leases = (await world.lanes.lease("owner", limit=5, bulk_limit=5, probe_limit=5, lease_seconds=30)).leases
    assert {lease.account_id for lease in leases} == {"shop-a", "shop-b"}


async def test_many_lanes_complete_in_one_statement_without_deadlock(world: EngineWorld) -> None:
    names = [f"shop-{number}" for number in range(12)]
    await world.add_accounts(*names)
    for round_number in range(5):
        for name in names:
            await world.hint_many(name, [round_number * 10 + subject for subject in range(1, 4)])
        first = (await world.lanes.lease("one", limit=6, bulk_limit=6, probe_limit=6, lease_seconds=30)).leases
        second = (await world.lanes.lease("two", limit=6, bulk_limit=6, probe_limit=6, lease_seconds=30)).leases

        async def drain(leases: list[LaneLease]) -> None:
            claimed = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10)) for lease in leases]))
            completions = [completion(lease, entry) for lease, entries in zip(leases, claimed, strict=True) for entry in entries]
            assert all(await world.lanes.complete(completions))
            await world.lanes.release(leases, clean=[True] * len(leases))

        await asyncio.gather(drain(first), drain(second), *(world.hint(name, 999) for name in names))
        rest = (await world.lanes.lease("three", limit=20, bulk_limit=20, probe_limit=20, lease_seconds=30)).leases
        await drain(rest)
    assert not await world.fetch("SELECT 1 FROM entry")


async def test_wait_that_ends_in_the_past_lasts_one_second(world: EngineWorld) -> None:
    """A process with a slow clock postpones entries to times in the past. These entries must not run again without a pause."""
    await world.add_accounts("shop-a")
    await world.hint("shop-a", 1)
    lease = await lease_one(world)
    past = datetime.now(UTC) - timedelta(hours=1)
    postponed = Verdict.postponed(Outcome.WOO_NOT_UPDATED, "the shop did not get to it", not_before=past)
    await world.lanes.complete([completion(lease, await claim_one(world, lease), postponed)])
    [row] = await world.fetch("SELECT due_at - update_time AS wait FROM entry")
    assert row["wait"] == timedelta(seconds=1)
