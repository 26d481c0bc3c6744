"""The steps of the story. Each comment of the specification page arises for its real reason, and is compared to the letter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tillsync.v1 import account_pb2, order_pb2

from tillsync_server.cli.demo.sample_data import LONG_EMAIL
from tillsync_server.cli.demo.scenario import DemoScenario, UnexpectedResultError

Step = Callable[[DemoScenario], Awaitable[None]]

UPDATED = "Successfully Updated"
DISABLED = "Customer sync is not enabled"
NOT_LINKED = "Customer is not linked"
FETCH_FAILED = "Customer Endpoint Point call api failed"
NOT_UPDATED = "WooCommerce customer not updated"
DUPLICATE = "We could not auto-link the customer as there is more than one customer in EposNow with the same email address."
NOT_MATCHED = "Customer Id Not Matched with EPOSNOW"
PRODUCT_AND_CUSTOMER = "Product Id and Customer Id Not Matched with EPOSNOW"
PRODUCT = "Product Id Not Matched with EPOSNOW"
LINKED = "Matched to the linked customer"
BY_EMAIL = "Matched by email"
CREATED = "Customer created"
DEFAULT = "Matched to the default customer"


async def points_arrive(scenario: DemoScenario) -> None:
    scenario.scene("A customer is linked, and her points arrive in the shop")
    data = scenario.data
    await scenario.client.links.create_link(scenario.account, data.ada_till, data.ada_shop)
    await scenario.shop_points(data.ada_shop, "120")
    await scenario.customer_entry(data.ada_till, UPDATED, "PROCESSED")
    scenario.say("Ada buys at the till and earns 30 points; the till's webhook says only that she changed")
    scenario.till.change_customer(data.ada_till, points=150)
    await scenario.shop_points(data.ada_shop, "150")


async def sync_off(scenario: DemoScenario) -> None:
    scenario.scene("Customer sync is switched off, and on again")
    data = scenario.data
    await scenario.client.accounts.update_account(
        scenario.account, account_pb2.Account(customer_sync_enabled=False), ["customer_sync_enabled"]
    )
    scenario.till.change_customer(data.ada_till, points=160)
    await scenario.customer_entry(data.ada_till, DISABLED, "SKIPPED")
    on = await scenario.client.accounts.update_account(
        scenario.account, account_pb2.Account(customer_sync_enabled=True), ["customer_sync_enabled"]
    )
    scenario.say(f"switched on: linked customers enqueued again, so that no change is lost: {on.effect.queued_customer_count}")
    await scenario.shop_points(data.ada_shop, "160")
    await scenario.customer_entry(data.ada_till, UPDATED, "PROCESSED")


async def not_linked(scenario: DemoScenario) -> None:
    scenario.scene("A till customer who has no link to a shop customer")
    scenario.till.change_customer(scenario.data.grace_till, points=20)
    await scenario.customer_entry(scenario.data.grace_till, NOT_LINKED, "SKIPPED")


async def till_fails(scenario: DemoScenario) -> None:
    scenario.scene("The till fails for one customer, then recovers")
    ada = scenario.data.ada_till
    fault = scenario.till.faults.script(method="GET", path="/api/v2/customer*", status=500, body="Something went wrong", times=None)
    scenario.till.change_customer(ada, points=170)
    await scenario.customer_entry(ada, FETCH_FAILED, "PENDING")
    fault.cancel()
    scenario.say("the till answers again; the entry's next attempt is due in a moment")
    await scenario.shop_points(scenario.data.ada_shop, "170")
    await scenario.customer_entry(ada, UPDATED, "PROCESSED")


async def shop_refuses(scenario: DemoScenario) -> None:
    scenario.scene("The shop does not accept an update: its customer was deleted")
    data = scenario.data
    await scenario.client.links.create_link(scenario.account, data.mary_till, data.mary_shop)
    await scenario.shop_points(data.mary_shop, "40")
    scenario.shop.store.delete_user(data.mary_shop)
    scenario.till.change_customer(data.mary_till, points=45)
    await scenario.customer_entry(data.mary_till, NOT_UPDATED, "FAILED")


async def customer_types(scenario: DemoScenario) -> None:
    scenario.scene("Customer types are synced too; an error's own text becomes the comment")
    gold = scenario.till.add_type(name="Gold", discount="5.0", description="Ten orders a year")
    await scenario.type_entry(gold, UPDATED, "PROCESSED")
    shop_error = "The table of customer types is locked, said the shop"
    fault = scenario.shop.faults.script(path="*/customer-types/*", status=500, body=shop_error, times=None)
    scenario.till.change_type(gold, discount="7.5")
    await scenario.type_entry(gold, shop_error, "PENDING")
    fault.cancel()
    await scenario.type_entry(gold, UPDATED, "PROCESSED")


async def orders_find_their_customer(scenario: DemoScenario) -> None:
    scenario.scene("Web orders find their till customer")
    data = scenario.data
    await scenario.order(1001, woo_customer_id=data.ada_shop, email="ada@example.test", first_name="Ada", last_name="Byron")
    await scenario.order_entry(1001, LINKED, "PROCESSED")
    await scenario.order(1002, woo_customer_id=data.hedy_shop, email="hedy@example.test", first_name="Hedy", last_name="Kiesler")
    await scenario.order_entry(1002, BY_EMAIL, "PROCESSED")
    await scenario.shop_points(data.hedy_shop, "77")
    await scenario.order(1003, woo_customer_id=data.joan_shop, email="joan@example.test", first_name="Joan", last_name="Elisabeth")
    await scenario.order_entry(1003, CREATED, "PROCESSED")
    if len(scenario.till.customers_by_email("joan@example.test")) != 1:
        raise UnexpectedResultError("Joan is not at the till exactly once")
    await scenario.order(1004, email="guest@example.test", first_name="Guest")
    await scenario.order_entry(1004, DEFAULT, "PROCESSED", note="guest")


async def duplicates(scenario: DemoScenario) -> None:
    scenario.scene("Two till customers share one email: the orders wait for a person, who chooses once")
    data = scenario.data
    for order_id in (1042, 1043):
        await scenario.order(order_id, woo_customer_id=data.alan_shop, email="alan@example.test", first_name="Alan", last_name="Mathison")
        held = await scenario.order_entry(order_id, DUPLICATE, "HELD")
    candidates = await scenario.client.links.list_candidates(scenario.account, held.entry_id)
    for candidate in candidates.candidates:
        scenario.say(f"candidate {candidate.epos_customer_id}: {candidate.name}, {candidate.masked_email}, {candidate.points} points")
    if {candidate.epos_customer_id for candidate in candidates.candidates} != set(data.alan_tills):
        raise UnexpectedResultError("the candidates are not the two Alans")
    linked = await scenario.client.links.create_link(scenario.account, data.alan_tills[0], data.alan_shop)
    scenario.say(f"the person links the first: {linked.released_order_count} held orders requeued")
    await scenario.order_entry(1042, LINKED, "PROCESSED")
    await scenario.order_entry(1043, LINKED, "PROCESSED")
    await scenario.shop_points(data.alan_shop, "500")


async def headlines(scenario: DemoScenario) -> None:
    scenario.scene("Orders that cannot be matched, with and without unlinked products")
    data = scenario.data
    mug = order_pb2.UnlinkedProduct(product_id=501, sku="MUG-BLUE", name="Blue mug")
    await scenario.order(1051, woo_customer_id=data.long_shop, email=LONG_EMAIL, first_name="Katherine", last_name="Goble")
    await scenario.order_entry(1051, NOT_MATCHED, "HELD", note="longer than 50 characters")
    await scenario.order(1052, woo_customer_id=data.long_shop, email=LONG_EMAIL, first_name="Katherine", last_name="Goble", unlinked=(mug,))
    await scenario.order_entry(1052, PRODUCT_AND_CUSTOMER, "HELD", note="Blue mug")
    await scenario.order(
        1053, woo_customer_id=data.ada_shop, email="ada@example.test", first_name="Ada", last_name="Byron", unlinked=(mug,)
    )
    await scenario.order_entry(1053, PRODUCT, "HELD", note="Blue mug")


STORY: tuple[Step, ...] = (
    points_arrive,
    sync_off,
    not_linked,
    till_fails,
    shop_refuses,
    customer_types,
    orders_find_their_customer,
    duplicates,
    headlines,
)
