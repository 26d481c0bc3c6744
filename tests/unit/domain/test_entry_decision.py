"""``decide_entry`` is the only place that counts attempts (invariant 8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tillsync_server.domain.backoff import MAX_DELAY_SECONDS, RetryPolicy
from tillsync_server.domain.entry_decision import decide_entry
from tillsync_server.domain.enums import EntryState, Outcome, ProblemReason, Side
from tillsync_server.domain.verdict import AccountProblem, Verdict

POLICY = RetryPolicy(max_attempts=8, base_seconds=30)
RETRY = Verdict.retry(Outcome.EPOS_FETCH_FAILED, "HTTP 502")


def test_a_retry_is_charged_and_waits_longer_each_time() -> None:
    delays = [decide_entry(RETRY, attempts_before=before, policy=POLICY).delay_seconds for before in range(7)]
    nominal = [min(30 * 4**before, MAX_DELAY_SECONDS) for before in range(7)]
    for delay, expected in zip(delays, nominal, strict=True):
        assert 0.8 * expected <= delay <= 1.2 * expected
    assert 20 * 3600 <= sum(nominal) <= 30 * 3600, "eight attempts span about a day"


@pytest.mark.catches("attempts-run-out")
def test_the_last_attempt_fails_the_entry() -> None:
    assert decide_entry(RETRY, attempts_before=6, policy=POLICY).state is EntryState.PENDING
    last = decide_entry(RETRY, attempts_before=7, policy=POLICY)
    assert (last.state, last.charged, last.comment) == (EntryState.FAILED, True, "Customer Endpoint Point call api failed")


def test_retry_after_replaces_only_a_shorter_backoff() -> None:
    long = Verdict.retry(Outcome.EPOS_FETCH_FAILED, retry_after_seconds=3600)
    short = Verdict.retry(Outcome.EPOS_FETCH_FAILED, retry_after_seconds=1)
    assert decide_entry(long, attempts_before=0, policy=POLICY).delay_seconds == 3600
    assert decide_entry(short, attempts_before=0, policy=POLICY).delay_seconds >= 24


def test_a_postponed_or_paused_run_charges_nothing() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    postponed = decide_entry(Verdict.postponed(Outcome.CUSTOMER_NOT_MATCHED, not_before=when), attempts_before=7, policy=POLICY)
    assert (postponed.state, postponed.charged, postponed.not_before) == (EntryState.PENDING, False, when)
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.TILL, text="not reached: DNS")
    paused = decide_entry(Verdict.paused(Outcome.EPOS_FETCH_FAILED, problem), attempts_before=7, policy=POLICY)
    assert (paused.state, paused.charged, paused.notes) == (EntryState.PENDING, False, ("not reached: DNS",))


def test_wait_that_a_person_may_end_sets_delay_and_no_not_before() -> None:
    waits = decide_entry(Verdict.postponed(Outcome.CUSTOMER_NOT_MATCHED, wait_seconds=300), attempts_before=7, policy=POLICY)
    assert (waits.state, waits.charged) == (EntryState.PENDING, False)
    assert (waits.delay_seconds, waits.not_before, waits.retry_after_seconds) == (300, None, 0)


@pytest.mark.parametrize(
    ("verdict", "sides"),
    [
        (Verdict.finished(Outcome.UPDATED), {Side.TILL, Side.SHOP}),
        (replace(Verdict.finished(Outcome.UPDATED, "any note"), sides_met=frozenset({Side.TILL})), {Side.TILL}),
        (replace(Verdict.failed(Outcome.EPOS_FETCH_FAILED, "gone"), side=Side.TILL, upstream_status=404), {Side.TILL}),
        (replace(Verdict.failed(Outcome.WOO_NOT_UPDATED, "refused"), side=Side.SHOP, upstream_status=400), {Side.SHOP}),
        (replace(Verdict.failed(Outcome.TYPE_REQUEST_FAILED, "never sent"), side=Side.SHOP), set()),
        (replace(RETRY, side=Side.TILL, upstream_status=502), set()),
        (Verdict.skipped(Outcome.CUSTOMER_NOT_LINKED), set()),
        (Verdict.held(Outcome.DUPLICATE_EMAIL), {Side.TILL}),
        (RETRY, set()),
        (replace(RETRY, side=Side.TILL, sides_answered=frozenset({Side.TILL})), {Side.TILL}),
    ],
)
def test_verdict_proves_the_sides_that_answered(verdict: Verdict, sides: set[Side]) -> None:
    assert decide_entry(verdict, attempts_before=0, policy=POLICY).sides_proven == sides


@pytest.mark.catches("the-end-of-a-problem-charges-nobody")
def test_entry_run_during_a_side_problem_is_not_charged_once_the_side_works() -> None:
    answered = replace(RETRY, side=Side.TILL, retry_after_seconds=60.0, sides_answered=frozenset({Side.TILL}))
    met = decide_entry(answered, attempts_before=POLICY.max_attempts - 1, policy=POLICY, paused={Side.TILL})
    assert (met.state, met.charged, met.delay_seconds, met.retry_after_seconds) == (EntryState.PENDING, False, 0.0, 0.0)
    assert met.sides_proven == {Side.TILL}
    for verdict, ill in ((answered, ()), (answered, {Side.SHOP}), (RETRY, {Side.TILL})):
        own = decide_entry(verdict, attempts_before=0, policy=POLICY, paused=ill)
        assert (own.state, own.charged) == (EntryState.PENDING, True)


def test_notes_are_single_lines_and_bounded() -> None:
    decision = decide_entry(Verdict.finished(Outcome.UPDATED, "a\nb\tc", *["x" * 900] * 30), attempts_before=0, policy=POLICY)
    assert decision.notes[0] == "a b c"
    assert len(decision.notes) == 12
    assert max(map(len, decision.notes)) == 500


def test_a_pause_grows_and_is_capped() -> None:
    assert POLICY.pause_seconds(1) <= 18
    assert 480 <= POLICY.pause_seconds(50) <= 720
    assert POLICY.pause_seconds(1, retry_after_seconds=900) == 900
