"""Never a twin: the intent that each end of a create leaves, and what the next run does with it (docs/invariants.md#never-a-twin)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fakes.lanes import FakeLane
from fakes.till import EmailMatch, LostAnswer
from support.engine import NoAccounts
from support.flow_world import TILL, FlowWorld, order_entry, order_facts, till_account
from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.application.engine.leased_lane import LeasedLane
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.flows.create_protocol import (
    CreateProtocol,
    Holders,
    IntentPermit,
    IntentTooOld,
    provably_not_stored,
)
from tillsync_server.application.flows.email_search import CustomersByEmail
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryState, Outcome, Side
from tillsync_server.domain.errors import (
    CredentialsRefused,
    LeaseTooShort,
    Misaddressed,
    Missing,
    Refused,
    RunInterrupted,
    ServerFailure,
    Throttled,
    Unanswered,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.intent import IntentState
from tillsync_server.domain.matching import new_customer
from tillsync_server.domain.verdict import Disposition, Verdict
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease

ACCOUNT, OTHER = till_account("shop-1"), till_account("shop-2")
ADA = "ada@example.test"
CUSTOMER = new_customer(order_facts(), ADA)
SETTLE = 105.0


class DriverError(Exception):
    """An error of the database driver."""


@pytest.fixture
def world() -> FlowWorld:
    world = FlowWorld()
    world.till.add("grace@example.test")
    return world


def protocol(world: FlowWorld, account: Account = ACCOUNT, lane: FakeLane | None = None) -> CreateProtocol:
    context = world.context(account, lane or world.lane(account))
    return CreateProtocol(context, CustomersByEmail(context))


async def run_until_answered(world: FlowWorld, answer: Holders | Verdict, account: Account = ACCOUNT) -> Holders:
    """Runs the protocol again when each verdict allows it, as the engine does, until it returns the holders of the email."""
    for token in range(2, 12):
        if isinstance(answer, Holders):
            return answer
        assert answer.state is EntryState.PENDING
        world.clock.advance_to(answer.not_before)
        world.clock.advance(max(answer.retry_after_seconds or 0.0, answer.wait_seconds, 1.0))
        answer = await protocol(world, account, world.lane(account, token=token)).find_or_create(CUSTOMER)
    raise AssertionError(f"still {answer}")


# without an earlier intent


async def test_unknown_email_gets_an_intent_and_one_create(world: FlowWorld) -> None:
    states: list[IntentState | None] = []
    world.till.on_call["create_answer"] = []

    async def step(name: str) -> None:
        if name == "till.create_customer":
            intent = world.intents.of(ADA)
            states.append(intent.state if intent else None)

    world.step = step
    answer = await protocol(world).find_or_create(CUSTOMER)
    [made] = world.till.with_email(ADA)
    assert answer == Holders((made,), created=made)
    assert states == [IntentState.OPEN], "the intent is committed before the create"
    intent = world.intents.of(ADA)
    assert intent is not None
    assert (intent.state, intent.epos_customer_id) == (IntentState.DONE, made)
    assert world.till.created == [CUSTOMER]
    assert world.till.calls[-1] == ("search_by_email", ADA), "and it is searched once more afterwards"


@pytest.mark.catches("creates-rest-on-current-facts")
async def test_change_after_the_intent_sends_no_create_and_clears_the_intent(world: FlowWorld) -> None:
    order = order_entry(ACCOUNT, order_facts())

    async def is_still_valid(lease: LaneLease, entry: ClaimedEntry) -> bool:
        assert entry is order
        assert world.intents.of(ADA) is not None, "asked last"
        return False

    world.links.is_still_valid = is_still_valid  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted):
        await protocol(world).find_or_create(CUSTOMER, for_order=order)
    assert world.till.count("create_customer") == 0
    assert world.intents.of(ADA) is None


async def test_existing_customers_need_no_intent(world: FlowWorld) -> None:
    one = world.till.add(ADA.upper())
    assert await protocol(world).find_or_create(CUSTOMER) == Holders((one,))
    two = world.till.add(ADA)
    assert await protocol(world).find_or_create(CUSTOMER) == Holders((one, two))
    assert world.intents.rows == {}
    assert world.till.count("create_customer") == 0


@pytest.mark.catches("creates-are-followed-by-a-search")
async def test_second_customer_found_after_the_create_is_returned_too(world: FlowWorld) -> None:
    def by_hand_at_the_till() -> None:
        world.till.add(ADA)

    async def step(name: str) -> None:
        if name == "till.create_customer":
            by_hand_at_the_till()

    world.step = step
    answer = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(answer, Holders)
    assert answer.customer_ids == tuple(world.till.with_email(ADA))
    assert len(answer.customer_ids) == 2
    assert answer.created == answer.customer_ids[1]


async def test_search_without_the_new_customer_still_returns_a_twin(world: FlowWorld) -> None:
    async def step(name: str) -> None:
        if name == "till.create_customer":
            world.till.add(ADA)
        if name == "till.create_answer":
            world.till.hidden_from_search.update(world.till.with_email(ADA)[1:])

    world.step = step
    answer = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(answer, Holders)
    assert len(answer.customer_ids) == 2


@pytest.mark.catches("unproven-searches-create-nothing")
async def test_unproven_search_creates_nothing_and_notes_the_reason(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FINDS_NOTHING
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert (verdict.disposition, verdict.outcome) == (Disposition.POSTPONE, Outcome.CUSTOMER_NOT_MATCHED)
    assert verdict.notes[0].startswith("no customer is created: Epos Now's search")
    assert (verdict.not_before, verdict.wait_seconds) == (None, 300), "the order retries after the delay, or when a person requeues it"
    assert (world.till.count("create_customer"), world.intents.rows) == (0, {})
    world.till.match = EmailMatch.CONTAINS
    assert len((await run_until_answered(world, verdict)).customer_ids) == 1


async def test_invalid_email_is_held_before_any_request(world: FlowWorld) -> None:
    verdict = await protocol(world).find_or_create(new_customer(order_facts(), "ada at home"))
    assert isinstance(verdict, Verdict)
    assert verdict.state is EntryState.HELD
    assert (world.till.count("create_customer"), world.intents.rows) == (0, {})


# intents after a create

CLEARED: list[UpstreamError] = [
    Unreachable(Side.TILL, "connect"),
    Throttled(Side.TILL, "429", status=429, retry_after_seconds=60),
    Throttled(Side.TILL, "the till's own budget"),
    CredentialsRefused(Side.TILL, "401", status=401),
    Refused(Side.TILL, "400", status=400, field="Forename"),
    Refused(Side.TILL, "found too long before it was sent"),
    Misaddressed(Side.TILL, "404", status=404),
    Misaddressed(Side.TILL, "not a URL"),
    Missing(Side.TILL, "404", status=404),
]
UNKNOWN: list[UpstreamError] = [
    Unanswered(Side.TILL, "no answer within 15 s"),
    Unanswered(Side.TILL, "408", status=408),
    Refused(Side.TILL, "408", status=408),
    ServerFailure(Side.TILL, "502", status=502),
    Unreadable(Side.TILL, "201 without an id", status=201),
    Misaddressed(Side.TILL, "303 perhaps after the deed", status=303),
]


@pytest.mark.parametrize("error", CLEARED, ids=repr)
async def test_refused_or_unsent_create_clears_the_intent(world: FlowWorld, error: UpstreamError) -> None:
    assert provably_not_stored(error)
    world.till.create_answers = [LostAnswer(error, stored_after_seconds=None)]
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert world.intents.of(ADA) is None
    assert verdict.outcome is Outcome.CUSTOMER_NOT_MATCHED
    assert verdict.notes[0].startswith("creating the customer in Epos Now: ")
    if isinstance(error, Refused):
        assert (verdict.disposition, verdict.state) == (Disposition.FINISH, EntryState.FAILED), "a permanent refusal ends at once"
    else:
        assert verdict.disposition is Disposition.PAUSE_SIDE


@pytest.mark.parametrize("error", UNKNOWN, ids=repr)
@pytest.mark.parametrize("stored_after", [0.0, 30.0, 74.0, None])
@pytest.mark.catches("lost-answers-are-no-refusals")
async def test_lost_answer_waits_for_the_settle_time_and_ends_with_one_customer(
    world: FlowWorld, error: UpstreamError, stored_after: float | None
) -> None:
    assert not provably_not_stored(error)
    world.till.create_answers = [LostAnswer(error, stored_after_seconds=stored_after)]
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    intent = world.intents.of(ADA)
    assert intent is not None
    assert (intent.state, intent.settled_at) == (IntentState.UNKNOWN, world.clock.now() + timedelta(seconds=SETTLE))
    assert any("may have stored" in note for note in verdict.notes)
    if verdict.disposition is Disposition.RETRY:
        assert verdict.retry_after_seconds == SETTLE
    assert world.till.late_stores == (1 if stored_after else 0)

    answer = await run_until_answered(world, verdict)
    assert answer.customer_ids == tuple(world.till.with_email(ADA))
    assert len(answer.customer_ids) == 1
    assert world.till.count("create_customer") == (2 if stored_after is None else 1)


@pytest.mark.catches("standing-intents-block-creates")
@pytest.mark.catches("unknown-intents-settle-first")
async def test_unsettled_intent_creates_nothing_and_postpones_the_order(world: FlowWorld) -> None:
    world.till.create_answers = [LostAnswer(Unanswered(Side.TILL, "no answer"), stored_after_seconds=None)]
    await protocol(world).find_or_create(CUSTOMER)
    settled_at = world.clock.now() + timedelta(seconds=SETTLE)
    world.clock.advance(SETTLE - 0.001)
    verdict = await protocol(world, OTHER).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert (verdict.disposition, verdict.not_before) == (Disposition.POSTPONE, settled_at)
    assert "not answered" in verdict.notes[0]
    assert world.till.count("create_customer") == 1
    world.clock.advance(0.001)
    assert isinstance(await protocol(world, OTHER).find_or_create(CUSTOMER), Holders)


async def test_settle_time_is_judged_by_the_database_clock(world: FlowWorld) -> None:
    world.clock.database_ahead_seconds = -60.0  # the host clock is a minute ahead of the database
    world.till.create_answers = [LostAnswer(Unanswered(Side.TILL, "no answer"), stored_after_seconds=None)]
    await protocol(world).find_or_create(CUSTOMER)
    world.clock.advance(SETTLE - 1)
    world.clock.database_ahead_seconds = -70.0
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert world.till.count("create_customer") == 1


@pytest.mark.catches("settled-intents-need-a-new-search")
async def test_settled_intent_is_replaced_only_after_a_later_search(world: FlowWorld) -> None:
    """The customer is stored between an empty search and the read of the intent. Only the second search finds it."""
    world.till.create_answers = [LostAnswer(Unanswered(Side.TILL, "no answer"), stored_after_seconds=None)]
    await protocol(world).find_or_create(CUSTOMER)
    world.clock.advance(SETTLE - 1)

    async def step(name: str) -> None:
        if name == "intents.open":
            world.till.add(ADA)
            world.clock.advance(2)

    world.step = step
    answer = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(answer, Holders)
    assert answer.customer_ids == tuple(world.till.with_email(ADA))
    assert world.till.count("create_customer") == 1


@pytest.mark.catches("unproven-searches-create-nothing")
async def test_settled_intent_stays_while_the_search_is_unproven(world: FlowWorld) -> None:
    world.till.create_answers = [LostAnswer(Unanswered(Side.TILL, "no answer"), stored_after_seconds=0)]
    await protocol(world).find_or_create(CUSTOMER)
    world.till.match = EmailMatch.FINDS_NOTHING
    world.knowledge.stored.clear()
    world.clock.advance(SETTLE)
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert "proves nothing" in verdict.notes[0]
    assert world.till.count("create_customer") == 1


# stops and faults of the service


@pytest.mark.parametrize(
    ("stopped_at", "state", "sent"),
    [
        ("intents.open", None, 0),
        ("intents.opened", IntentState.OPEN, 0),
        ("lane.renew", IntentState.OPEN, 0),
        ("till.create_customer", IntentState.OPEN, 0),
        ("till.create_answer", IntentState.OPEN, 1),
        ("intents.complete", IntentState.OPEN, 1),
        ("intents.completed", IntentState.DONE, 1),
    ],
)
@pytest.mark.parametrize("stop", [asyncio.CancelledError, DriverError])
@pytest.mark.catches("stopped-creates-keep-their-intent")
async def test_stop_at_any_point_keeps_the_intent_and_ends_with_one_customer(
    world: FlowWorld, stopped_at: str, state: IntentState | None, sent: int, stop: type[BaseException]
) -> None:
    async def step(name: str) -> None:
        if name == stopped_at:
            world.step = go_on
            raise stop

    async def go_on(name: str) -> None:
        return None

    world.step = step
    with pytest.raises(stop):
        await protocol(world).find_or_create(CUSTOMER)
    intent = world.intents.of(ADA)
    assert (intent.state if intent else None) is state
    assert len(world.till.created) == sent

    again = await protocol(world, lane=world.lane(ACCOUNT, token=2)).find_or_create(CUSTOMER)
    if state is IntentState.OPEN and not sent:
        assert isinstance(again, Verdict)
        assert again.not_before == world.clock.now() + timedelta(seconds=SETTLE), "no run ends an interrupted intent of its own account"
    answer = await run_until_answered(world, again)
    assert answer.customer_ids == tuple(world.till.with_email(ADA))
    assert len(answer.customer_ids) == 1


async def test_failed_clearing_leaves_the_intent_to_settle(world: FlowWorld) -> None:
    world.till.create_answers = [LostAnswer(Refused(Side.TILL, "400", status=400), stored_after_seconds=None)]
    world.intents.faults["clear"] = [DriverError()]
    with pytest.raises(DriverError):
        await protocol(world).find_or_create(CUSTOMER)
    intent = world.intents.of(ADA)
    assert intent is not None
    assert intent.state is IntentState.OPEN


async def test_short_lease_sends_no_create_and_leaves_no_intent(world: FlowWorld) -> None:
    lane = world.lane(ACCOUNT)

    async def step(name: str) -> None:
        if name == "till.create_customer":
            world.clock.advance(26)

    world.step = step
    with pytest.raises(LeaseTooShort):
        await protocol(world, lane=lane).find_or_create(CUSTOMER)
    assert (world.till.created, world.intents.of(ADA)) == ([], None)


async def test_lost_lane_sends_no_create(world: FlowWorld) -> None:
    lane = world.lane(ACCOUNT)

    async def step(name: str) -> None:
        if name == "intents.opened":
            lane.lost = True

    world.step = step
    with pytest.raises(LeaseTooShort):
        await protocol(world, lane=lane).find_or_create(CUSTOMER)
    assert (world.till.created, world.intents.of(ADA)) == ([], None)


async def test_low_lease_is_renewed_before_the_create(world: FlowWorld) -> None:
    lane = world.lane(ACCOUNT)
    lane.lease_ends_at = world.clock() + 6
    assert isinstance(await protocol(world, lane=lane).find_or_create(CUSTOMER), Holders)
    assert lane.lease_ends_at == world.clock() + 30


@pytest.mark.catches("old-intents-send-nothing")
async def test_process_stopped_past_the_settle_time_sends_no_create(world: FlowWorld) -> None:
    """SIGSTOP between intent and create, without another worker, so the lease is renewable. Another shop's lane has created meanwhile."""
    slept = False

    async def step(name: str) -> None:
        nonlocal slept
        if name == "lane.renew" and not slept:
            slept = True
            world.clock.advance(SETTLE + 1)
            assert isinstance(await protocol(world, OTHER).find_or_create(CUSTOMER), Holders)

    world.step = step
    lane = world.lane(ACCOUNT)
    verdict = await protocol(world, lane=lane).find_or_create(CUSTOMER)
    assert lane.lease_ends_at > world.clock(), "the lease alone would have allowed it"
    assert isinstance(verdict, Verdict)
    assert verdict.disposition is Disposition.POSTPONE
    assert len(world.till.created) == 1
    intent = world.intents.of(ADA)
    assert intent is not None
    assert (intent.state, intent.account_id) == (IntentState.DONE, OTHER.account_id), "the other's intent is not touched"


def test_permit_of_a_create_ends_before_its_intent_settles() -> None:
    world = FlowWorld()
    lane = world.lane(ACCOUNT)
    permit = IntentPermit(lane, world.clock, world.clock(), SETTLE)
    assert permit.seconds_allowed(15) == 15
    assert permit.seconds_allowed(60) == 28, "the lease left, less its margin"
    world.clock.advance(30)
    lane.lease_ends_at = world.clock() + 500
    assert permit.seconds_allowed(15) == 15
    assert permit.seconds_allowed(60) == pytest.approx(40), "over long before the intent settles"
    world.clock.advance(0.01)
    with pytest.raises(IntentTooOld):
        permit.seconds_allowed(15)


# other accounts of the till


async def test_create_of_another_shop_is_polled_with_growing_delays(world: FlowWorld) -> None:
    await world.intents.open(TILL, (ADA,), OTHER.account_id, "worker-9:1", settle_seconds=SETTLE)
    opened_at, looks = world.clock.now(), []
    for _ in range(9):
        verdict = await protocol(world).find_or_create(CUSTOMER)
        if isinstance(verdict, Holders):
            break
        assert verdict.not_before is not None
        assert verdict.disposition is Disposition.POSTPONE
        looks.append((verdict.not_before - opened_at).total_seconds())
        world.clock.advance_to(verdict.not_before)
    assert looks == [2, 4, 8, 16, 32, 64, SETTLE]
    assert world.till.count("create_customer") == 1


async def test_customer_created_by_another_shop_is_used_although_the_search_misses_it(world: FlowWorld) -> None:
    answer = await protocol(world, OTHER).find_or_create(CUSTOMER)
    assert isinstance(answer, Holders)
    world.till.hidden_from_search.update(answer.customer_ids)
    assert await protocol(world).find_or_create(CUSTOMER) == Holders(answer.customer_ids)
    assert world.till.count("create_customer") == 1


async def test_old_created_customer_is_confirmed_by_the_list(world: FlowWorld) -> None:
    answer = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(answer, Holders)
    world.clock.advance(SETTLE)
    world.till.hidden_from_search.update(answer.customer_ids)
    assert await protocol(world).find_or_create(CUSTOMER) == Holders(answer.customer_ids), "listed, though the search is blind to it"
    world.till.soft_deleted.update(answer.customer_ids)
    again = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(again, Holders)
    assert again.created is not None
    assert again.created not in answer.customer_ids, "a deleted customer that is still served by id is not used"


async def test_deleted_or_renamed_created_customer_is_created_again(world: FlowWorld) -> None:
    first = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(first, Holders)
    del world.till.customers[first.customer_ids[0]]
    second = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(second, Holders)
    assert second.created is not None
    assert second.created != first.created
    row = world.till.customers[second.created]
    world.till.customers[second.created] = type(row)(epos_customer_id=row.epos_customer_id, email="new@example.test")
    third = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(third, Holders)
    assert third.created not in (None, first.created, second.created)
    assert len(world.till.with_email(ADA)) == 1


async def test_unproven_404_of_the_created_customer_creates_nothing(world: FlowWorld) -> None:
    first = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(first, Holders)
    world.till.hidden_from_search.update(first.customer_ids)
    world.clock.advance(3600)
    world.till.faults["read_customer"] = [Missing(Side.TILL, "404", status=404)]
    world.till.faults["list_customers"] = [Missing(Side.TILL, "404", status=404)]
    with pytest.raises(UpstreamError):
        await protocol(world).find_or_create(CUSTOMER)
    assert world.till.count("create_customer") == 1


async def test_forty_shops_at_once_create_one_customer_for_one_person(world: FlowWorld) -> None:
    accounts = [till_account(f"shop-{number}") for number in range(40)]
    first = await asyncio.gather(*(protocol(world, account).find_or_create(CUSTOMER) for account in accounts))
    assert any(isinstance(answer, Holders) for answer in first)
    assert all(isinstance(answer, Holders) or answer.disposition is Disposition.POSTPONE for answer in first)
    answers = [await run_until_answered(world, answer, account) for account, answer in zip(accounts, first, strict=True)]
    [made] = world.till.with_email(ADA)
    assert {each.customer_ids for each in answers} == {(made,)}
    assert world.till.count("create_customer") == 1


@pytest.mark.catches("intent-owners-name-the-account")
def test_each_lease_has_a_unique_tag() -> None:
    """Lanes of one process have the same owner, and their tokens can be equal."""

    def tag(account: str, owner: str = "worker-1", token: int = 1) -> str:
        async def renew(lane: LeasedLane) -> None:
            raise AssertionError("nothing is written")

        lease = LaneLease(AccountId(account), owner, token, lapses=0)
        return LeasedLane(lease, LeaseClock(EngineSettings(), 0.0), NoAccounts(), renew).owner_tag

    tags = [tag("shop-1"), tag("shop-2"), tag("shop-1", token=2), tag("shop-1", owner="worker-2")]
    assert len(set(tags)) == 4


async def test_lanes_of_one_process_do_not_share_an_intent(world: FlowWorld) -> None:
    """Both leases have the process's owner and, by chance, the same token."""
    world.till.create_answers = [LostAnswer(Refused(Side.TILL, "400", status=400), stored_after_seconds=None)]

    async def step(name: str) -> None:
        if name == "intents.clear":
            world.step = go_on
            world.clock.advance(SETTLE)
            await world.intents.open(
                TILL,
                (ADA,),
                OTHER.account_id,
                world.lane(OTHER).owner_tag,
                settle_seconds=SETTLE,
                replaces=tuple(world.intents.all_of(ADA)),
            )

    async def go_on(name: str) -> None:
        return None

    lane = world.lane(ACCOUNT)
    world.step = step
    await protocol(world, lane=lane).find_or_create(CUSTOMER)
    intent = world.intents.of(ADA)
    assert intent is not None
    assert intent.account_id == OTHER.account_id


async def test_failed_search_after_the_create_is_retried_and_finds_the_customer(world: FlowWorld) -> None:
    async def step(name: str) -> None:
        if name == "till.create_answer":
            world.till.faults["search_by_email"] = [ServerFailure(Side.TILL, "502", status=502)]

    world.step = step
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert verdict.disposition is Disposition.RETRY
    assert "was created" in verdict.notes[0]
    assert (await run_until_answered(world, verdict)).customer_ids == tuple(world.till.with_email(ADA))
    assert world.till.count("create_customer") == 1
