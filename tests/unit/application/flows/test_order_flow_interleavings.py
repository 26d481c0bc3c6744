"""No interleaving of two shops on one till, stops anywhere, and lost answers makes two customers of one email (*Never a twin*),
as long as the till stores what it was sent before the intent settles."""

from __future__ import annotations

import asyncio

from fakes.till import EmailMatch, LostAnswer
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from support.flow_world import FlowWorld, order_facts, till_account
from support.interleaving import FAULTY_STEPS, DatabaseGone, Interleaving
from support.soak import rounds
from tillsync_server.application.flows.flow_services import DEFAULT_SETTLE_SECONDS
from tillsync_server.domain.enums import EntryState, Outcome, Side
from tillsync_server.domain.errors import ServerFailure, Unanswered, Unreachable, Unreadable
from tillsync_server.domain.ids import WooCustomerId

ADA = "ada@example.test"
LATEST_STORE_SECONDS = DEFAULT_SETTLE_SECONDS * 5 / 7 - 1
"""A create leaves within two sevenths of the settle time: what is stored so long after it is stored before the intent settles."""

ANSWERS = st.one_of(
    st.none(),
    st.builds(
        LostAnswer,
        st.sampled_from(
            [
                Unanswered(Side.TILL, "no answer within 15 s"),
                ServerFailure(Side.TILL, "HTTP 502", status=502),
                Unreadable(Side.TILL, "a page for people", status=200),
            ]
        ),
        st.sampled_from([None, 0.0, 5.0, 31.0, LATEST_STORE_SECONDS]),
    ),
    st.just(LostAnswer(Unreachable(Side.TILL, "connect"), stored_after_seconds=None)),
)
# the number selects the run, the duration or the step of the action
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["go_on"] * 6 + ["up_to"] * 4 + ["start"] * 2 + ["pass_time"] * 3 + ["kill", "sleep", "wake", "cancel", "database"]
        ),
        st.integers(0, 13),
    ),
    max_size=50,
)
DELICATE = ["intents.open", "intents.opened", "lane.renew", "till.create_customer", "till.create_answer", "intents.complete", "the end"]
PASSING = [1.0, 6.0, 16.0, 31.0, 36.0, DEFAULT_SETTLE_SECONDS + 1]


@settings(max_examples=rounds(400, 4000), suppress_health_check=[HealthCheck.too_slow])
@given(
    match=st.sampled_from([EmailMatch.IGNORING_CASE, EmailMatch.EXACT, EmailMatch.CONTAINS, EmailMatch.FILTER_IGNORED]),
    others=st.integers(0, 3),
    answers=st.lists(ANSWERS, max_size=3),
    actions=ACTIONS,
)
@example(  # requests of two dead runs would block the third run's requests
    match=EmailMatch.IGNORING_CASE,
    others=0,
    answers=[LostAnswer(Unanswered(Side.TILL, "no answer within 15 s")), None],
    actions=[*[("go_on", 0)] * 3, ("kill", 0), ("go_on", 0), ("kill", 0)],
)
def test_interleavings_never_create_two_customers_of_one_email(
    match: EmailMatch, others: int, answers: list[LostAnswer | None], actions: list[tuple[str, int]]
) -> None:
    asyncio.run(_never_two(match, others, answers, actions))


async def _never_two(match: EmailMatch, others: int, answers: list[LostAnswer | None], actions: list[tuple[str, int]]) -> None:
    world = FlowWorld()
    world.till.match, world.till.page_size = match, 2
    world.till.create_answers = list(answers)
    for number in range(others):
        world.till.add(f"other{number}@example.test")
    spellings = {"shop-1": ADA, "shop-2": "Ada@Example.test"}
    play = Interleaving(
        world,
        [
            (till_account(name), order_facts(email=email, woo_customer_id=WooCustomerId(12 + number)))
            for number, (name, email) in enumerate(spellings.items())
        ],
    )

    def check() -> None:
        assert len(world.till.with_email(ADA)) + world.till.late_stores <= 1, [shop.history for shop in play.shops]

    try:
        for action, number in actions:
            await _act(play, action, number)
            check()
        await play.finish()
        check()
        world.clock.advance(DEFAULT_SETTLE_SECONDS)
        [made] = world.till.with_email(ADA)
        for shop in play.shops:
            assert shop.answer is not None
            assert (shop.answer.state, shop.answer.epos_customer_id) == (EntryState.PROCESSED, made)
            assert shop.answer.outcome in (Outcome.CUSTOMER_CREATED, Outcome.MATCHED_EMAIL, Outcome.MATCHED_LINK)
        assert world.links.pairs() == {(made, 12), (made, 13)}, "one link in each account"
        event(f"creates sent: {len(world.till.created)}")
    finally:
        await play.close()


async def _act(play: Interleaving, action: str, number: int) -> None:
    """What cannot happen just now does not."""
    runs, shops = play.waiting(), play.startable()
    run = runs[number % len(runs)] if runs else None
    if action == "pass_time":
        play.world.clock.advance(PASSING[number % len(PASSING)])
    elif action == "wake" and play.sleepers:
        await play.wake(play.sleepers[number % len(play.sleepers)])
    elif shops and (action == "start" or run is None):
        await play.start(shops[number % len(shops)])
    elif run is None or run.waits_at is None:
        return
    elif action == "up_to":
        await play.go_on(run)
        while run.waits_at is not None and run.waits_at[0] != DELICATE[number // 2]:
            await play.go_on(run)
    elif action == "kill":
        play.kill(run)
    elif action == "sleep":
        play.put_to_sleep(run)
    elif action == "cancel":
        await play.cancel(run)
    elif action == "database" and run.waits_at[0].startswith(FAULTY_STEPS):
        await play.go_on(run, DatabaseGone())
    else:
        await play.go_on(run)
