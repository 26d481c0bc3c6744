"""Never a twin (docs/invariants.md#never-a-twin): many callers order at once for one new person.

At no moment does a till have two customers with the person's email. In the end it has exactly one.
"""

from __future__ import annotations

import asyncio

from support.create_race_environment import BY_EMAIL, BY_LINK, CREATED, PROCESSED, SHORT_TIMES, CreateRaceEnvironment, order
from support.postgres import TestDatabase
from support.service import running_service
from support.waiting import HANG_SECONDS
from tillsync.v1 import account_pb2

NOVA = "nova@example.test"
SPELLINGS = (NOVA, "Nova@Example.test", " NOVA@EXAMPLE.TEST", "nova@EXAMPLE.test")


async def test_forty_orders_of_one_new_person_make_one_customer(world: CreateRaceEnvironment) -> None:
    """Half of the orders wait for their answer (MatchOrderCustomer), half come in a batch, all at the same moment."""
    shop = await world.shop("shop-1")
    orders = [order(SPELLINGS[number % 4], number) for number in range(1, 41)]
    waited = [world.client.sync.match_order("shop-1", each, deadline_seconds=HANG_SECONDS) for each in orders[:20]]
    answers, _ = await asyncio.gather(asyncio.gather(*waited), shop.send(*orders[20:]))
    [made] = shop.till.holders(NOVA)
    for answer in answers:
        assert (answer.entry.state, answer.epos_customer_id) == (PROCESSED, made)
    for number in range(21, 41):
        assert (await shop.processed(number)).epos_customer_id == made
    outcomes = [each.outcome for each in await shop.answers(range(1, 41))]
    assert (outcomes.count(CREATED), outcomes.count(BY_LINK)) == (1, 39)
    assert len(shop.till.creates()) == 1
    link = await world.client.links.get_link("shop-1", epos_customer_id=made)
    assert link.woo_customer_id == 12


async def test_forty_guests_with_one_email_make_one_customer(world: CreateRaceEnvironment) -> None:
    shop = await world.shop("shop-1", guest_policy=account_pb2.GUEST_POLICY_MATCH_OR_CREATE)
    await shop.send(*(order(SPELLINGS[number % 4], number, woo_customer_id=0) for number in range(1, 41)))
    answers = [await shop.processed(number) for number in range(1, 41)]
    [made] = shop.till.holders(NOVA)
    assert {each.epos_customer_id for each in answers} == {made}
    assert sorted(each.outcome for each in answers) == sorted([CREATED] + [BY_EMAIL] * 39)
    assert len(shop.till.creates()) == 1


async def test_two_services_create_each_person_of_a_shared_till_once(world: CreateRaceEnvironment, database: TestDatabase) -> None:
    """Two accounts of one Epos Now company, each with its own key pair.

    The intents belong to the till. Either service may lease each lane.
    """
    till = await world.till()
    shops = [await world.shop(name, till, till_id="company") for name in ("shop-1", "shop-2")]
    people = [f"nova{number}@example.test" for number in range(12)]
    async with running_service(database.dsn, changes=SHORT_TIMES):
        orders = [order(email, number, woo_customer_id=100 + number) for number, email in enumerate(people, 1)]
        await asyncio.gather(*(shop.send(*orders) for shop in shops))
        for number, email in enumerate(people, 1):
            answers = [await shop.processed(number) for shop in shops]
            [made] = till.holders(email)
            assert [each.epos_customer_id for each in answers] == [made, made]
            assert len(till.creates(email)) == 1
    for shop in shops:
        links = [link async for link in world.client.links.list_links(shop.account_id)]
        assert len(links) == len(people)
