"""Each side of an account has its own state. Only entries that need a paused side wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from support.engine import UPDATED, EngineWorld, RecordingHandler
from support.links import facts_of, put_order
from support.waiting import NEVER_SECONDS, until
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.engine.side_history import PostgresSideHistory
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.enums import EntryKind, Outcome, ProblemReason, Side
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.verdict import AccountProblem, Verdict
from tillsync_server.ports.lanes import ClaimedEntry, ClaimRequest, ClaimResult

pytestmark = pytest.mark.integration
MATCHED = Verdict.finished(Outcome.MATCHED_EMAIL)
PATIENT = EngineSettings(poll_floor_seconds=NEVER_SECONDS)
QUICK = EngineSettings(poll_floor_seconds=0.05, retry=RetryPolicy(base_seconds=0.05))


class Upstream:
    """Returns the verdicts of runs. Each entry that needs a side in ``unavailable`` meets a problem of that side."""

    def __init__(self) -> None:
        self.unavailable: set[Side] = set()

    def __call__(self, entry: ClaimedEntry) -> Verdict:
        if Side.TILL in self.unavailable:
            return Verdict.paused(Outcome.EPOS_FETCH_FAILED, _problem(Side.TILL))
        if entry.kind is EntryKind.ORDER_CUSTOMER:
            return MATCHED
        if Side.SHOP in self.unavailable:
            return Verdict.paused(Outcome.WOO_NOT_UPDATED, _problem(Side.SHOP))
        return UPDATED


def _problem(side: Side) -> AccountProblem:
    return AccountProblem(reason=ProblemReason.UNREACHABLE, side=side, text=f"{side.name} is not reached")


def count(handler: RecordingHandler, kind: EntryKind) -> int:
    return sum(entry.kind is kind for entry in handler.runs)


async def test_orders_run_while_the_shop_is_unavailable_and_customers_run_after_it(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    upstream = Upstream()
    handler = RecordingHandler(upstream)
    upstream.unavailable = {Side.SHOP}
    async with world.running(handler, PATIENT):
        await world.hint_many("shop-a", range(1, 51))
        await until(lambda: world.fetch("SELECT 1 FROM lane WHERE shop_probe_at > now() AND lease_owner IS NULL"), world.work)
        for order in range(1000, 1020):
            await put_order(world, facts_of(order, email=f"c{order}@example.test"))
        await handler.wait_for(lambda: count(handler, EntryKind.ORDER_CUSTOMER) == 20)
        [customers] = await world.fetch("SELECT count(*) AS n, sum(attempt_count) AS charged FROM entry WHERE kind = 1")
        assert tuple(customers) == (50, 0)
        upstream.unavailable = set()
        await world.fetch("UPDATE lane SET shop_probe_at = now(), next_probe_at = now() RETURNING 1")
        world.notifications.lanes_ready()
        await until(lambda: world.fetch("SELECT 1 FROM entry_history WHERE kind = 1 HAVING count(*) = 50"), world.work)
    assert await world.fetch("SELECT 1 FROM account_state WHERE shop_probe_at IS NOT NULL OR shop_reason IS NOT NULL") == []


async def test_unavailable_till_also_pauses_orders(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    upstream = Upstream()
    handler = RecordingHandler(upstream)
    upstream.unavailable = {Side.TILL}
    async with world.running(handler, QUICK):
        await put_order(world, facts_of(1000))
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: len(handler.runs) >= 4)
        [lane] = await world.fetch("SELECT till_probe_at, shop_probe_at FROM lane")
        assert lane["till_probe_at"] is not None
        assert lane["shop_probe_at"] is None
        upstream.unavailable = set()
        await until(lambda: world.fetch("SELECT 1 FROM entry_history HAVING count(*) = 2"), world.work)
    rows = await world.fetch("SELECT attempt_count FROM entry_history")
    assert [row["attempt_count"] for row in rows] == [1, 1]


async def test_each_paused_side_shows_its_problem(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    upstream = Upstream()
    handler = RecordingHandler(upstream)
    accounts = PostgresAccounts(world.database, SecretBox(["a key for these tests of enough characters"]), world.notifications)
    async with world.running(handler, QUICK):
        upstream.unavailable = {Side.SHOP}
        await world.hint("shop-a", 1)
        await until(lambda: world.fetch("SELECT 1 FROM account_side WHERE side = 2"), world.work)
        upstream.unavailable = {Side.SHOP, Side.TILL}
        await put_order(world, facts_of(1000))
        await until(lambda: world.fetch("SELECT 1 FROM account_side WHERE side = 1"), world.work)
        problems = (await accounts.get(AccountId("shop-a"))).problems
        assert [(problem.side, problem.text) for problem in problems] == [
            (Side.SHOP, "SHOP is not reached"),
            (Side.TILL, "TILL is not reached"),
        ], "the oldest problem is first"
        upstream.unavailable = set()
        await until(lambda: world.fetch("SELECT 1 FROM entry_history HAVING count(*) = 2"), world.work)
    assert (await accounts.get(AccountId("shop-a"))).problems == ()


async def test_resumed_side_lets_customers_run_while_an_order_keeps_the_lane(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.open_problem("shop-a", Side.SHOP)
    accounts = PostgresAccounts(world.database, SecretBox(["a key for these tests of enough characters"]), world.notifications)
    handler = RecordingHandler(Upstream())
    gate = handler.gate(1000)
    async with world.running(handler, PATIENT):
        await put_order(world, facts_of(1000))
        await world.hint("shop-a", 1)
        await handler.wait_for(lambda: handler.count(1000) == 1)
        assert handler.count(1) == 0
        assert await accounts.resume_side(AccountId("shop-a"), Side.SHOP, config_version=1)
        await handler.wait_for(lambda: handler.count(1) == 1)
        gate.set()
        await world.until_idle()


async def test_side_counts_how_often_one_entry_reopens_its_problem(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    history = PostgresSideHistory(world.database)
    failing: list[ClaimedEntry] = []

    def decide(entry: ClaimedEntry) -> Verdict:
        if entry.subject_id != 1:
            return UPDATED
        failing.append(entry)
        return Verdict.paused(Outcome.WOO_NOT_UPDATED, _problem(Side.SHOP))

    handler = RecordingHandler(decide)
    async with world.running(handler, QUICK):
        await world.hint("shop-a", 1)
        for times in (1, 2, 3):
            await handler.wait_for(lambda: len(failing) >= times)  # noqa: B023 - the wait ends within this round
            await until(lambda: world.fetch("SELECT 1 FROM account_side WHERE times_opened >= $1", times), world.work)  # noqa: B023
            assert await history.times_opened(failing[0], Side.SHOP) in (0, times), "0 while the problem is open"
            await world.hint("shop-a", 100 + times)  # another entry closes the problem
            await world.until_finished("shop-a", 100 + times)
    [row] = await world.fetch("SELECT opened_by, times_opened FROM account_side")
    assert row["opened_by"] == failing[0].entry_id
    assert row["times_opened"] >= 3


async def test_hung_accounts_delay_no_other_account_and_share_the_probe_slots(world: EngineWorld) -> None:
    """Each entry of the hung accounts hangs until its timeout. The healthy account waits for none of them."""
    hung = [f"hung-{number}" for number in range(60)]
    await world.add_accounts(*hung, "healthy")
    upstream = Upstream()
    handler = RecordingHandler(lambda entry: upstream(entry) if entry.account_id != "healthy" else UPDATED)
    upstream.unavailable = {Side.TILL}
    for subject in range(1, 61):
        handler.gate(subject)
    settings = replace(PATIENT, probe_slots=4, retry=RetryPolicy(base_seconds=0.01))
    async with world.running(handler, settings) as worker:
        for number, account in enumerate(hung, start=1):
            await world.hint(account, number)
        await handler.wait_for(lambda: len(handler.runs) == 60)
        await world.hint("healthy", 500)
        await handler.wait_for(lambda: handler.count(500) == 1)
        for gate in handler.gates.values():
            gate.set()
        await until(lambda: world.fetch("SELECT 1 FROM account_side WHERE problem_reason IS NOT NULL HAVING count(*) = 60"), world.work)
        for gate in handler.gates.values():
            gate.clear()
        world.notifications.lanes_ready()
        await until(lambda: worker.probes.taken == 4, world.work)
        await world.hint("healthy", 501)
        await handler.wait_for(lambda: handler.count(501) == 1)
        assert worker.probes.taken == 4
        upstream.unavailable = set()
        for gate in handler.gates.values():
            gate.set()

        async def all_are_completed() -> bool:
            world.notifications.lanes_ready()
            return bool(await world.fetch("SELECT 1 FROM entry_history HAVING count(*) = 62"))

        await until(all_are_completed, world.work)


@pytest.mark.catches("ended-lanes-leave-blocked-entries")
async def test_blocked_entry_runs_after_its_lane_is_leased_again(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database fails once while an order of the same person runs. The second order runs under the next lease."""
    await world.add_accounts("shop-a")
    handler = RecordingHandler(lambda entry: MATCHED)
    gate = handler.gate(1)
    claim, fails = world.lanes.claim, False

    async def claim_or_fail(requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        nonlocal fails
        if fails:
            fails = False
            raise OSError("the database is unavailable")
        return await claim(requests)

    monkeypatch.setattr(world.lanes, "claim", claim_or_fail)
    async with world.running(handler, QUICK):
        await put_order(world, facts_of(1))
        await put_order(world, facts_of(2))
        await handler.wait_for(lambda: handler.count(1) == 1)
        fails = True
        world.notifications.live_work(AccountId("shop-a"))
        await until(lambda: not fails, world.work)
        gate.set()
        await handler.wait_for(lambda: handler.count(2) == 1)
        await world.until_idle()
    assert handler.overlaps == 0


async def test_entry_waits_only_for_the_sides_that_it_needs(world: EngineWorld) -> None:
    """The queue reader shows for each entry whether it waits for a side."""
    await world.add_accounts("shop-a")
    await world.open_problem("shop-a", Side.SHOP, probe_in=timedelta(hours=2), text="the shop is unavailable")
    order = await put_order(world, facts_of(1000))
    customer = (await world.hint("shop-a", 1)).entry_id
    found = await PostgresQueueReader(world.database).get(AccountId("shop-a"), [order, customer], with_attempts=False)
    assert (found[order].notes, found[order].next_attempt_time) == (("waiting",), None)
    assert found[customer].notes[0].endswith(": the shop is unavailable")
    assert found[customer].next_attempt_time is not None
