"""Never a twin: what each way out of a create leaves behind, and what the next one makes of it (docs/architecture.md#never-a-twin)."""

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


class Database(Exception):
    """What a driver raises."""


@pytest.fixture
def world() -> FlowWorld:
    world = FlowWorld()
    world.till.add("grace@example.test")
    return world


def protocol(world: FlowWorld, account: Account = ACCOUNT, lane: FakeLane | None = None) -> CreateProtocol:
    context = world.context(account, lane or world.lane(account))
    return CreateProtocol(context, CustomersByEmail(context))


async def settle_down(world: FlowWorld, answer: Holders | Verdict, account: Account = ACCOUNT) -> Holders:
    """Run again when the verdict says so, as the engine does, until there is an answer."""
    for token in range(2, 12):
        if isinstance(answer, Holders):
            return answer
        assert answer.state is EntryState.PENDING
        world.clock.advance_to(answer.not_before)
        world.clock.advance(max(answer.retry_after_seconds or 0.0, answer.wait_seconds, 1.0))
        answer = await protocol(world, account, world.lane(account, token=token)).find_or_create(CUSTOMER)
    raise AssertionError(f"still {answer}")


# nothing in the way


async def test_nobody_has_it_intent_create_once_done(world: FlowWorld) -> None:
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
async def test_what_changed_after_the_intent_sends_no_create_and_leaves_no_intent(world: FlowWorld) -> None:
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


async def test_whoever_has_it_needs_no_intent(world: FlowWorld) -> None:
    one = world.till.add(ADA.upper())
    assert await protocol(world).find_or_create(CUSTOMER) == Holders((one,))
    two = world.till.add(ADA)
    assert await protocol(world).find_or_create(CUSTOMER) == Holders((one, two))
    assert world.intents.rows == {}
    assert world.till.count("create_customer") == 0


@pytest.mark.catches("creates-are-followed-by-a-search")
async def test_two_hits_after_the_create_are_told_with_both_ids(world: FlowWorld) -> None:
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


async def test_a_search_that_does_not_show_it_yet_does_not_hide_a_twin(world: FlowWorld) -> None:
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
async def test_an_unproven_search_creates_nothing_and_says_why(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FINDS_NOTHING
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert (verdict.disposition, verdict.outcome) == (Disposition.POSTPONE, Outcome.CUSTOMER_NOT_MATCHED)
    assert verdict.notes[0].startswith("no customer is created: Epos Now's search")
    assert (verdict.not_before, verdict.wait_seconds) == (None, 300), "it waits by itself, and a person may have it tried at once"
    assert (world.till.count("create_customer"), world.intents.rows) == (0, {})
    world.till.match = EmailMatch.CONTAINS
    assert len((await settle_down(world, verdict)).customer_ids) == 1


async def test_what_is_no_email_is_held_before_anything_is_sent(world: FlowWorld) -> None:
    verdict = await protocol(world).find_or_create(new_customer(order_facts(), "ada at home"))
    assert isinstance(verdict, Verdict)
    assert verdict.state is EntryState.HELD
    assert (world.till.count("create_customer"), world.intents.rows) == (0, {})


# what a create leaves behind

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
async def test_refused_or_never_sent_clears_the_intent(world: FlowWorld, error: UpstreamError) -> None:
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
async def test_an_answer_lost_waits_until_it_settled_then_there_is_one(
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

    answer = await settle_down(world, verdict)
    assert answer.customer_ids == tuple(world.till.with_email(ADA))
    assert len(answer.customer_ids) == 1
    assert world.till.count("create_customer") == (2 if stored_after is None else 1)


@pytest.mark.catches("standing-intents-block-creates")
@pytest.mark.catches("unknown-intents-settle-first")
async def test_before_it_settled_nothing_is_created_and_the_order_waits_until_then(world: FlowWorld) -> None:
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


async def test_the_databases_clock_says_when_it_settled(world: FlowWorld) -> None:
    world.clock.database_ahead_seconds = -60.0  # this host runs a minute ahead of the database
    world.till.create_answers = [LostAnswer(Unanswered(Side.TILL, "no answer"), stored_after_seconds=None)]
    await protocol(world).find_or_create(CUSTOMER)
    world.clock.advance(SETTLE - 1)
    world.clock.database_ahead_seconds = -70.0
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert world.till.count("create_customer") == 1


@pytest.mark.catches("settled-intents-need-a-new-search")
async def test_a_settled_intent_is_replaced_only_after_a_search_that_began_later(world: FlowWorld) -> None:
    """The customer is stored between the search that found nobody and the look at the intent: the second search sees it."""
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
async def test_a_settled_intent_of_an_unproven_search_stays(world: FlowWorld) -> None:
    world.till.create_answers = [LostAnswer(Unanswered(Side.TILL, "no answer"), stored_after_seconds=0)]
    await protocol(world).find_or_create(CUSTOMER)
    world.till.match = EmailMatch.FINDS_NOTHING
    world.knowledge.known.clear()
    world.clock.advance(SETTLE)
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert "proves nothing" in verdict.notes[0]
    assert world.till.count("create_customer") == 1


# stops and faults of our own


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
@pytest.mark.parametrize("stop", [asyncio.CancelledError, Database])
@pytest.mark.catches("stopped-creates-keep-their-intent")
async def test_stopped_anywhere_nothing_is_cleared_and_there_is_one_in_the_end(
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
        assert again.not_before == world.clock.now() + timedelta(seconds=SETTLE), "one of its own that was broken off: nobody ends it"
    answer = await settle_down(world, again)
    assert answer.customer_ids == tuple(world.till.with_email(ADA))
    assert len(answer.customer_ids) == 1


async def test_a_stop_while_clearing_leaves_it_to_settle(world: FlowWorld) -> None:
    world.till.create_answers = [LostAnswer(Refused(Side.TILL, "400", status=400), stored_after_seconds=None)]
    world.intents.faults["clear"] = [Database()]
    with pytest.raises(Database):
        await protocol(world).find_or_create(CUSTOMER)
    intent = world.intents.of(ADA)
    assert intent is not None
    assert intent.state is IntentState.OPEN


async def test_without_enough_lease_nothing_is_sent_and_nothing_stays_in_the_way(world: FlowWorld) -> None:
    lane = world.lane(ACCOUNT)

    async def step(name: str) -> None:
        if name == "till.create_customer":
            world.clock.advance(26)

    world.step = step
    with pytest.raises(LeaseTooShort):
        await protocol(world, lane=lane).find_or_create(CUSTOMER)
    assert (world.till.created, world.intents.of(ADA)) == ([], None)


async def test_a_lane_that_was_lost_sends_nothing(world: FlowWorld) -> None:
    lane = world.lane(ACCOUNT)

    async def step(name: str) -> None:
        if name == "intents.opened":
            lane.lost = True

    world.step = step
    with pytest.raises(LeaseTooShort):
        await protocol(world, lane=lane).find_or_create(CUSTOMER)
    assert (world.till.created, world.intents.of(ADA)) == ([], None)


async def test_a_short_lease_is_renewed_before_the_create(world: FlowWorld) -> None:
    lane = world.lane(ACCOUNT)
    lane.lease_ends_at = world.clock() + 6
    assert isinstance(await protocol(world, lane=lane).find_or_create(CUSTOMER), Holders)
    assert lane.lease_ends_at == world.clock() + 30


@pytest.mark.catches("old-intents-send-nothing")
async def test_stopped_past_the_settle_time_and_renewed_all_the_same_it_sends_nothing(world: FlowWorld) -> None:
    """SIGSTOP between intent and create, no other worker: the lease can be renewed. The other shop's lane has created meanwhile."""
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


def test_the_permit_of_a_create_ends_with_its_intent() -> None:
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


# others on the same till


async def test_another_shops_create_under_way_is_waited_for_briefly_then_longer(world: FlowWorld) -> None:
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


async def test_a_customer_another_shop_made_is_used_though_the_search_does_not_show_it(world: FlowWorld) -> None:
    answer = await protocol(world, OTHER).find_or_create(CUSTOMER)
    assert isinstance(answer, Holders)
    world.till.hidden_from_search.update(answer.customer_ids)
    assert await protocol(world).find_or_create(CUSTOMER) == Holders(answer.customer_ids)
    assert world.till.count("create_customer") == 1


async def test_long_after_the_create_the_list_decides_whether_it_is_still_there(world: FlowWorld) -> None:
    answer = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(answer, Holders)
    world.clock.advance(SETTLE)
    world.till.hidden_from_search.update(answer.customer_ids)
    assert await protocol(world).find_or_create(CUSTOMER) == Holders(answer.customer_ids), "listed, though the search is blind to it"
    world.till.soft_deleted.update(answer.customer_ids)
    again = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(again, Holders)
    assert again.created is not None
    assert again.created not in answer.customer_ids, "a deleted customer that is still served by id is nobody's"


async def test_a_made_customer_that_is_gone_or_renamed_is_made_again(world: FlowWorld) -> None:
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


async def test_an_unproven_404_of_the_made_customer_replaces_nothing(world: FlowWorld) -> None:
    first = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(first, Holders)
    world.till.hidden_from_search.update(first.customer_ids)
    world.clock.advance(3600)
    world.till.faults["read_customer"] = [Missing(Side.TILL, "404", status=404)]
    world.till.faults["list_customers"] = [Missing(Side.TILL, "404", status=404)]
    with pytest.raises(UpstreamError):
        await protocol(world).find_or_create(CUSTOMER)
    assert world.till.count("create_customer") == 1


async def test_forty_at_once_of_one_new_person_on_forty_shops_make_one(world: FlowWorld) -> None:
    accounts = [till_account(f"shop-{number}") for number in range(40)]
    first = await asyncio.gather(*(protocol(world, account).find_or_create(CUSTOMER) for account in accounts))
    assert any(isinstance(answer, Holders) for answer in first)
    assert all(isinstance(answer, Holders) or answer.disposition is Disposition.POSTPONE for answer in first)
    answers = [await settle_down(world, answer, account) for account, answer in zip(accounts, first, strict=True)]
    [made] = world.till.with_email(ADA)
    assert {each.customer_ids for each in answers} == {(made,)}
    assert world.till.count("create_customer") == 1


@pytest.mark.catches("intent-owners-name-the-account")
def test_the_tag_of_a_lease_is_like_no_other() -> None:
    """The lanes of one process share its owner, and their tokens may be equal."""

    def tag(account: str, owner: str = "worker-1", token: int = 1) -> str:
        async def renew(lane: LeasedLane) -> None:
            raise AssertionError("nothing is written")

        lease = LaneLease(AccountId(account), owner, token, lapses=0)
        return LeasedLane(lease, LeaseClock(EngineSettings(), 0.0), NoAccounts(), renew).owner_tag

    tags = [tag("shop-1"), tag("shop-2"), tag("shop-1", token=2), tag("shop-1", owner="worker-2")]
    assert len(set(tags)) == 4


async def test_two_lanes_of_one_process_never_take_each_others_intent_for_their_own(world: FlowWorld) -> None:
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


async def test_a_search_that_fails_after_the_create_is_tried_again_and_finds_it(world: FlowWorld) -> None:
    async def step(name: str) -> None:
        if name == "till.create_answer":
            world.till.faults["search_by_email"] = [ServerFailure(Side.TILL, "502", status=502)]

    world.step = step
    verdict = await protocol(world).find_or_create(CUSTOMER)
    assert isinstance(verdict, Verdict)
    assert verdict.disposition is Disposition.RETRY
    assert "was created" in verdict.notes[0]
    assert (await settle_down(world, verdict)).customer_ids == tuple(world.till.with_email(ADA))
    assert world.till.count("create_customer") == 1
