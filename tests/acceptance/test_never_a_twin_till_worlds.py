"""Tills whose search is wrong, whose list repeats or misses rows, or whose address is wrong.

The till gets exactly one customer where a search can prove that there is none. Otherwise it gets none, and the order waits with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from support.create_race_environment import BY_EMAIL, CREATED, HELD, PROCESSED, TIMEOUT_SECONDS, CreateRaceEnvironment, Shop, all_of, order
from tillsync.v1 import account_pb2
from tillsync_sandbox.till import EmailMatch, EmailMiss, PostReply, TillSwitches

NOVA, OLDA = "nova@example.test", "Olda@Example.Test"
LOOK_ALIKES = (
    *("supernova@example.test", "nova@example.test.example.test", "casanova@example.test", "xnova@example.test"),
    *("nova@example.testing.test", "bossanova@example.test", "ordinary@example.test"),
)
"""Emails of other customers. All but one contain the new person's email, and they come before that person in the list."""
V4 = account_pb2.EposSettings(customer_api_version=account_pb2.TILL_API_VERSION_V4)


@dataclass(frozen=True)
class TillWorld:
    switches: TillSwitches
    epos: account_pb2.EposSettings | None = None
    others: tuple[str, ...] = field(default=LOOK_ALIKES)


WORLDS = {
    "matches by contains": TillWorld(TillSwitches(email_match=EmailMatch.CONTAINS)),
    "matches by contains, pages of 2": TillWorld(TillSwitches(email_match=EmailMatch.CONTAINS, page_size=2)),
    "matches by contains, pages of 3 that repeat a row": TillWorld(
        TillSwitches(email_match=EmailMatch.CONTAINS, page_size=3, page_drift=1)
    ),
    "matches exactly by case": TillWorld(TillSwitches(email_match=EmailMatch.EXACT)),
    "matches exactly by case, pages of 1": TillWorld(TillSwitches(email_match=EmailMatch.EXACT, page_size=1)),
    "ignores the filter": TillWorld(TillSwitches(email_match=EmailMatch.IGNORED)),
    "ignores the filter, pages of 4": TillWorld(TillSwitches(email_match=EmailMatch.IGNORED, page_size=4)),
    "ignores the filter, pages of 3 that repeat a row": TillWorld(TillSwitches(email_match=EmailMatch.IGNORED, page_size=3, page_drift=1)),
    "pages of 2": TillWorld(TillSwitches(page_size=2)),
    "pages of 3 that miss a row": TillWorld(TillSwitches(page_size=3, page_drift=-1)),
    "a single customer": TillWorld(TillSwitches(), others=()),
    "a single customer, ignores the filter": TillWorld(TillSwitches(email_match=EmailMatch.IGNORED), others=()),
    "V4": TillWorld(TillSwitches(), V4),
    "V4, a miss is 404, one object as reply": TillWorld(
        TillSwitches(getbyemail_miss=EmailMiss.NOT_FOUND, v4_post_reply=PostReply.OBJECT), V4
    ),
    "V4, contains, pages of 2": TillWorld(TillSwitches(email_match=EmailMatch.CONTAINS, page_size=2), V4),
    "V4, exactly by case, a miss is 404": TillWorld(TillSwitches(email_match=EmailMatch.EXACT, getbyemail_miss=EmailMiss.NOT_FOUND), V4),
}


async def test_every_till_world_creates_a_new_person_once_and_finds_a_stored_one(world: CreateRaceEnvironment) -> None:
    """Three people order at once: one is new, one is stored with other capitals, and one's create is stored late without an answer."""
    await all_of({name: _assert_in_world(world, f"shop-{number}", till_world) for number, (name, till_world) in enumerate(WORLDS.items())})


async def _assert_in_world(world: CreateRaceEnvironment, name: str, till_world: TillWorld) -> None:
    till = await world.till(*till_world.others, OLDA, switches=till_world.switches)
    shop = await world.shop(name, till, epos=till_world.epos)
    till.sandbox.faults.script(method="POST", contains="Late@", delay_seconds=TIMEOUT_SECONDS + 0.3)
    spelled = ["Nova@example.test", "nova@EXAMPLE.test", "NOVA@example.test"]
    await shop.send(
        *(order(email, number, woo_customer_id=12) for number, email in enumerate(spelled, 1)),
        order("olda@example.test", 4, woo_customer_id=13),
        order("Late@example.test", 5, woo_customer_id=14),
    )
    [olda] = till.holders(OLDA)
    known = await shop.processed(4)
    assert (known.outcome, known.epos_customer_id) == (BY_EMAIL, olda)
    answers = [await shop.processed(number) for number in (1, 2, 3)]
    [nova] = till.holders(NOVA)
    assert {each.epos_customer_id for each in answers} == {nova}
    assert CREATED in {each.outcome for each in answers}
    late = await shop.processed(5)
    assert [late.epos_customer_id] == till.holders("late@example.test")
    assert len(till.creates()) == 2, "one create for the new person, one for the late one"


SPELLINGS = {
    1: "\t{} ", 2: "\u200b{}\u00a0", 3: "\ufeff{}", 4: "mailto:{}", 5: "Ada <{}>", 6: "{};other@example.test", 7: "{}.",
}  # fmt: skip
IN_ANOTHER_SPELLING = {4, 5, 6, 7}


async def test_email_in_another_spelling_at_the_till_makes_no_twin(world: CreateRaceEnvironment) -> None:
    """Invisible characters do not count. An email within a longer text holds the order, with that customer as candidate."""
    emails = {number: f"ada{number}@example.test" for number in SPELLINGS}
    stored = [SPELLINGS[number].format(email) for number, email in emails.items()]
    till = await world.till("grace@example.test", *stored, switches=TillSwitches(email_match=EmailMatch.CONTAINS, page_size=3))
    holders = {number: till.holders(text) for number, text in zip(SPELLINGS, stored, strict=True)}
    shop = await world.shop("shop-1", till)
    await shop.send(*(order(email, number, woo_customer_id=10 + number) for number, email in emails.items()))
    for number in sorted(set(SPELLINGS) - IN_ANOTHER_SPELLING):
        answer = await shop.processed(number)
        assert (answer.outcome, [answer.epos_customer_id]) == (BY_EMAIL, holders[number])
    for number in sorted(IN_ANOTHER_SPELLING):
        held = await shop.until(lambda answer: answer.state == HELD, number)
        assert [each.epos_customer_id for each in held.candidates] == holders[number]
        assert "whose email contains it in another spelling" in held.notes[0]
    assert till.creates() == []


BLIND = {"V2": None, "V4": V4}
OF_ITS_KIND = {1: "ada+shop@example.test", 2: "o'neil@example.test", 3: f"{'a' * 37}@example.test"}


@pytest.mark.parametrize("epos", list(BLIND.values()), ids=list(BLIND))
async def test_search_that_fails_for_some_characters_makes_no_twin(
    world: CreateRaceEnvironment, epos: account_pb2.EposSettings | None
) -> None:
    """The search works for plain emails.

    It fails for a plus sign, for an apostrophe and from 50 characters on; the service reads the list for those.
    """
    till = await world.till(
        "grace@example.test", *OF_ITS_KIND.values(), switches=TillSwitches(search_blind_to="+'", search_blind_from=50, page_size=3)
    )
    shop = await world.shop("shop-1", till, epos=epos)
    await shop.send(*(order(email, number, woo_customer_id=10 + number) for number, email in OF_ITS_KIND.items()))
    for number, email in OF_ITS_KIND.items():
        answer = await shop.processed(number)
        assert (answer.outcome, [answer.epos_customer_id]) == (BY_EMAIL, till.holders(email))
    assert till.creates() == []


UNSEARCHABLE: dict[str, dict[str, Any]] = {
    "an empty search": {"path": "/api/v2/customer", "status": 200, "body": "[]", "content_type": "application/json"},
    "an empty search as 404": {"path": "/api/v2/customer", "status": 404, "body": "not found"},
}


@pytest.mark.parametrize("fault", list(UNSEARCHABLE.values()), ids=list(UNSEARCHABLE))
async def test_search_that_misses_stored_customers_proves_no_absence(world: CreateRaceEnvironment, fault: dict[str, Any]) -> None:
    shop = await world.shop("shop-1")
    blind = shop.till.sandbox.faults.script(method="GET", where=lambda request: "EmailAddress" in request.query, times=None, **fault)
    await shop.send(order(NOVA))
    await shop.waits("no customer is created: Epos Now's search does not find customers that are there")
    assert shop.till.creates() == []
    assert await shop.problem() is None, "the account has no problem"
    blind.cancel()
    await shop.send(order(NOVA, 2))  # the first order runs again after five minutes
    answer = await shop.processed(2)
    assert [answer.epos_customer_id] == shop.till.holders(NOVA)
    assert len(shop.till.creates()) == 1


NOWHERE: dict[str, dict[str, Any]] = {
    "HTML 404": {"status": 404, "body": "<html><title>404</title></html>", "content_type": "text/html"},
    "JSON 404": {"status": 404, "body": '{"Message":"No HTTP resource was found"}', "content_type": "application/json"},
    "a redirect": {"status": 302, "headers": {"Location": "https://www.example.test/"}},
}


@pytest.mark.parametrize("fault", list(NOWHERE.values()), ids=list(NOWHERE))
@pytest.mark.parametrize("version", [account_pb2.TILL_API_VERSION_V2, account_pb2.TILL_API_VERSION_V4], ids=["V2", "V4"])
async def test_wrong_till_address_creates_no_customer(
    world: CreateRaceEnvironment, fault: dict[str, Any], version: account_pb2.TillApiVersion.ValueType
) -> None:
    """Every path gives this answer, at first and later.

    A 404 does not prove that the customer is missing, and the account's problem names the address.
    """
    shop = await world.shop("shop-1", epos=account_pb2.EposSettings(customer_api_version=version))
    nowhere = shop.till.sandbox.faults.script(path="*", times=None, **fault)
    await shop.send(order(NOVA))
    await shop.waits("address")
    await _assert_wrong_address_problem(shop)
    assert shop.till.creates() == []
    nowhere.cancel()
    answer = await shop.processed()
    assert (answer.outcome, [answer.epos_customer_id]) == (CREATED, shop.till.holders(NOVA))
    assert len(shop.till.creates()) == 1
    assert await shop.problem() is None


async def _assert_wrong_address_problem(shop: Shop) -> None:
    problem = await shop.problem()
    assert problem is not None
    assert problem.reason == account_pb2.PROBLEM_REASON_WRONG_ADDRESS, problem


async def test_wrong_address_of_creates_alone_leaves_no_customer_and_no_intent(world: CreateRaceEnvironment) -> None:
    shop = await world.shop("shop-1")
    wrong = shop.till.sandbox.faults.script(method="POST", path="/api/*", times=None, **NOWHERE["HTML 404"])
    await shop.send(order(NOVA))
    await shop.waits("address")
    await _assert_wrong_address_problem(shop)
    assert shop.till.holders(NOVA) == []
    assert await world.intent_settles_at(shop, NOVA) is None, "the till certainly refused the create, so no intent is left"
    wrong.cancel()
    assert (await shop.processed()).state == PROCESSED
    assert len(shop.till.holders(NOVA)) == 1
