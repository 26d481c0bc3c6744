"""Invariant 6: settings and links change while an entry runs. The tests combine every change with every point at which a run can be
stopped.

Serial runs give the allowed results: the change and then the hint, or, once a request was sent, also the hint and then the change. The
service sends nothing that rests on former settings or links.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import Change, Point, RaceEnvironment, SandboxAccount, SandboxRequest, race_environment, shop_state
from tillsync.v1 import account_pb2, vocabulary_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")

C, X = 501, 502
"""Till customers: the linked one and another one."""
W, W2 = 21, 22
"""Shop customers: the linked one and another one."""
GOLD = 4001

UPDATED, DISABLED, NOT_LINKED = (
    vocabulary_pb2.OUTCOME_UPDATED,
    vocabulary_pb2.OUTCOME_SYNC_DISABLED,
    vocabulary_pb2.OUTCOME_CUSTOMER_NOT_LINKED,
)
TYPE_FAILED = vocabulary_pb2.OUTCOME_TYPE_REQUEST_FAILED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    async with race_environment(cluster) as made:
        yield made


async def move_to_another_shop_customer(made: SandboxAccount) -> None:
    await made.unlink(C)
    await made.link(C, W2)


async def give_to_another_till_customer(made: SandboxAccount) -> None:
    await made.unlink(C)
    await made.link(X, W)


async def unlink_and_link_again(made: SandboxAccount) -> None:
    await made.unlink(C)
    await made.link(C, W)


async def off_and_on(made: SandboxAccount) -> None:
    await made.update(customer_sync_enabled=False)
    await made.update(customer_sync_enabled=True)


async def to_another_shop(made: SandboxAccount) -> None:
    secret = made.other_shop.switches.bridge_secret
    shop = account_pb2.ShopSettings(base_url=made.other_shop.origin, bridge_secret=secret)
    await made.update("shop.base_url", "shop.bridge_secret", shop=shop)


async def from_bridge_to_keys(made: SandboxAccount) -> None:
    shop = account_pb2.ShopSettings(consumer_key=made.shop.switches.consumer_key, consumer_secret=made.shop.switches.consumer_secret)
    await made.update("shop.bridge_secret", "shop.consumer_key", "shop.consumer_secret", shop=shop)


async def to_v4(made: SandboxAccount) -> None:
    version = account_pb2.TILL_API_VERSION_V4
    epos = account_pb2.EposSettings(customer_api_version=version, customer_type_api_version=version)
    await made.update("epos.customer_api_version", "epos.customer_type_api_version", epos=epos)


CHANGES = [
    Change("unlinked", lambda made: made.unlink(C), (UPDATED, NOT_LINKED)),
    Change("moved to another shop customer", move_to_another_shop_customer),
    Change("given to another till customer", give_to_another_till_customer, (UPDATED, NOT_LINKED)),
    Change("unlinked and linked again", unlink_and_link_again),
    Change("sync off", lambda made: made.update(customer_sync_enabled=False), (DISABLED,), (DISABLED,)),
    Change("sync off and on", off_and_on),
    Change("names on", lambda made: made.update(sync_names=True)),
    Change("another shop", to_another_shop),
    Change("keys instead of the bridge", from_bridge_to_keys, types=(TYPE_FAILED,)),
    Change("till in V4", to_v4),
    Change("till customer made the default one", lambda made: made.update(default_epos_customer_id=X)),
]


def changes_named(*names: str) -> list[Change]:
    return [change for change in CHANGES if change.name in names]


# till → shop, customer

READ: SandboxRequest = {"side": "till", "method": "GET", "path": f"/api/*/customer/{C}"}
WRITE: SandboxRequest = {"side": "shop", "method": "POST", "path": "*/customers/batch"}
CUSTOMER_POINTS = [
    Point("the claim", "after", store="claim"),
    Point("settings are read", "before", store="at_version"),
    Point("settings are read", "after", store="at_version"),
    Point("links and removals are read", "before", store="stored_customers"),
    Point("links and removals are read", "after", store="stored_customers"),
    Point("the till reads", "before", **READ),
    Point("the till has read", "after", **READ),
    Point("the version is drawn", "before", store="next_versions"),
    Point("the version is drawn", "after", store="next_versions", sent=True),
    Point("the shop writes", "before", **WRITE, sent=True),
    Point("the shop has written", "after", **WRITE, sent=True),
    Point("the write is noted", "before", store="confirm", sent=True),
    Point("the write is noted", "after", store="confirm", sent=True),
    Point("the outcome is written", "before", store="complete", sent=True),
]


async def add_linked_customer(made: SandboxAccount) -> None:
    """Adds Ada, linked. Her 1 point is in the shop, her 7 points are not yet."""
    made.till.add_customer(C, email="ada@example.test", forename="Ada", surname="Byron", points=1, balance="2.50")
    made.till.add_customer(X, email="grace@example.test", forename="Grace", surname="Hopper", points=50)
    for shop in (made.shop, made.other_shop):
        shop.add_customer(W, email="ada@example.test", first_name="A.", last_name="B.")
        shop.add_customer(W2, email="ada2@example.test", first_name="A.", last_name="C.")
    await made.link(C, W)
    await made.quiet()
    made.till.change_customer(C, points=7)


async def shops_and_links(made: SandboxAccount) -> dict[str, Any]:
    return {"shop": shop_state(made.shop), "other shop": shop_state(made.other_shop), "links": await made.links()}


async def customer_in_turn(environment: RaceEnvironment, change: Change, first: str) -> dict[str, Any]:
    async with environment.new_account() as made:
        await add_linked_customer(made)
        steps = [change.make(made), made.hint(C)] if first == "change" else [made.hint(C), change.make(made)]
        for step in steps:
            await step
            await made.quiet()
        return await shops_and_links(made)


@pytest.mark.parametrize("point", CUSTOMER_POINTS, ids=str)
@pytest.mark.parametrize("change", CHANGES, ids=str)
async def test_customer_run_beside_a_change_equals_a_serial_run(environment: RaceEnvironment, change: Change, point: Point) -> None:
    change_first, hint_first = await environment.in_turn("customer", change, customer_in_turn, "change", "hint")
    async with environment.new_account() as made:
        await add_linked_customer(made)
        held = made.hold(point)
        await made.hint(C)
        await held.arrived()
        await change.make(made)
        held.release()
        await made.quiet()
        found = await shops_and_links(made)
        assert found in ((change_first, hint_first) if point.sent else (change_first,))
        newest = await made.newest("epos_customer_id", C)
        assert newest.outcome in change.outcomes
        # The stored state is consistent with the shop: another hint changes nothing and sends the shop nothing.
        requests_before = made.shop.log.total, made.other_shop.log.total
        await made.hint(C)
        await made.quiet()
        assert await shops_and_links(made) == found
        assert (made.shop.log.total, made.other_shop.log.total) == requests_before


# removal of values from the shop

REMOVAL_POINTS = [
    Point("the claim", "after", store="claim"),
    Point("links and removals are read", "before", store="stored_customers"),
    Point("links and removals are read", "after", store="stored_customers"),
    Point("the version is drawn", "before", store="next_versions"),
    Point("the version is drawn", "after", store="next_versions", sent=True),
    Point("the shop removes", "before", **WRITE, sent=True),
    Point("the shop has removed", "after", **WRITE, sent=True),
    Point("the removal is noted", "before", store="removal_done", sent=True),
    Point("the removal is noted", "after", store="removal_done", sent=True),
    Point("the outcome is written", "before", store="complete", sent=True),
]
REMOVAL_CHANGES = [
    Change("linked again", lambda made: made.link(C, W)),
    Change("linked to another till customer", lambda made: made.link(X, W)),
    Change("linked to another shop customer", lambda made: made.link(C, W2)),
    *changes_named("sync off", "sync off and on", "another shop", "keys instead of the bridge"),
]


async def removal_in_turn(environment: RaceEnvironment, change: Change, first: str) -> dict[str, Any]:
    async with environment.new_account() as made:
        await add_linked_customer(made)
        if first == "change":  # the change comes before the first run
            held = made.hold(Point("the claim", "after", store="claim"))
            await made.unlink(C)
            await held.arrived()
            await change.make(made)
            held.release()
        else:
            await made.unlink(C)
            await made.quiet()
            await change.make(made)
        await made.quiet()
        return await shops_and_links(made)


@pytest.mark.parametrize("point", REMOVAL_POINTS, ids=str)
@pytest.mark.parametrize("change", REMOVAL_CHANGES, ids=str)
async def test_removal_beside_a_change_equals_a_serial_run(environment: RaceEnvironment, change: Change, point: Point) -> None:
    change_first, unlink_first = await environment.in_turn("removal", change, removal_in_turn, "change", "hint")
    async with environment.new_account() as made:
        await add_linked_customer(made)
        held = made.hold(point)
        await made.unlink(C)
        await held.arrived()
        await change.make(made)
        held.release()
        await made.quiet()
        found = await shops_and_links(made)
        assert found in ((change_first, unlink_first) if point.sent else (change_first,))
        await made.hint(C)
        await made.quiet()
        assert await shops_and_links(made) == found


# till → shop, customer types

READ_TYPE: SandboxRequest = {"side": "till", "method": "GET", "path": f"/api/*/customertype/{GOLD}"}
WRITE_TYPE: SandboxRequest = {"side": "shop", "path": f"*/customer-types/{GOLD}"}
TYPE_POINTS = [
    Point("the claim", "after", store="claim"),
    Point("settings are read", "after", store="at_version"),
    Point("the till reads", "before", **READ_TYPE),
    Point("the till has read", "after", **READ_TYPE),
    Point("the hash is read", "after", store="known_type_hash"),
    Point("the version is drawn", "before", store="next_type_version"),
    Point("the version is drawn", "after", store="next_type_version", sent=True),
    Point("the shop writes", "before", **WRITE_TYPE, sent=True),
    Point("the shop has written", "after", **WRITE_TYPE, sent=True),
    Point("the write is noted", "before", store="confirm_type", sent=True),
    Point("the write is noted", "after", store="confirm_type", sent=True),
    Point("the outcome is written", "before", store="complete", sent=True),
]


async def add_stored_type(made: SandboxAccount) -> None:
    """Adds a type. Its first name is in the shop, its second name is not yet."""
    made.till.add_type(GOLD, name="Gold", discount="5.0")
    await made.hint_type(GOLD)
    await made.quiet()
    made.till.change_type(GOLD, name="Gold plus")


async def type_in_turn(environment: RaceEnvironment, change: Change, first: str) -> dict[str, Any]:
    async with environment.new_account() as made:
        await add_stored_type(made)
        steps = [change.make(made), made.hint_type(GOLD)] if first == "change" else [made.hint_type(GOLD), change.make(made)]
        for step in steps:
            await step
            await made.quiet()
        return await shops_and_links(made)


@pytest.mark.parametrize("point", TYPE_POINTS, ids=str)
@pytest.mark.parametrize(
    "change", changes_named("sync off", "sync off and on", "another shop", "keys instead of the bridge", "till in V4"), ids=str
)
async def test_type_run_beside_a_change_equals_a_serial_run(environment: RaceEnvironment, change: Change, point: Point) -> None:
    change_first, hint_first = await environment.in_turn("type", change, type_in_turn, "change", "hint")
    async with environment.new_account() as made:
        await add_stored_type(made)
        held = made.hold(point)
        await made.hint_type(GOLD)
        await held.arrived()
        await change.make(made)
        held.release()
        await made.quiet()
        found = await shops_and_links(made)
        assert found in ((change_first, hint_first) if point.sent else (change_first,))
        assert (await made.newest("epos_customer_type_id", GOLD)).outcome in change.types
        await made.hint_type(GOLD)
        await made.quiet()
        assert await shops_and_links(made) == found
