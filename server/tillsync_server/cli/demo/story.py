"""The story: each comment of the specification page arises for its real reason, and is checked to the letter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tillsync.v1 import account_pb2, order_pb2

from tillsync_server.cli.demo.cast import LONG_EMAIL
from tillsync_server.cli.demo.stage import NotAsToldError, Stage

Step = Callable[[Stage], Awaitable[None]]

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


async def points_arrive(stage: Stage) -> None:
    stage.scene("A customer is linked, and her points arrive in the shop")
    cast = stage.cast
    await stage.client.links.create_link(stage.account, cast.ada_till, cast.ada_shop)
    await stage.shop_points(cast.ada_shop, "120")
    await stage.customer_entry(cast.ada_till, UPDATED, "PROCESSED")
    stage.say("Ada buys at the till and earns 30 points; the till's webhook says only that she changed")
    stage.till.change_customer(cast.ada_till, points=150)
    await stage.shop_points(cast.ada_shop, "150")


async def sync_off(stage: Stage) -> None:
    stage.scene("Customer sync is switched off, and on again")
    cast = stage.cast
    await stage.client.accounts.update_account(stage.account, account_pb2.Account(customer_sync_enabled=False), ["customer_sync_enabled"])
    stage.till.change_customer(cast.ada_till, points=160)
    await stage.customer_entry(cast.ada_till, DISABLED, "SKIPPED")
    on = await stage.client.accounts.update_account(
        stage.account, account_pb2.Account(customer_sync_enabled=True), ["customer_sync_enabled"]
    )
    stage.say(f"switched on: linked customers looked at again, so that nothing stays lost: {on.effect.queued_customer_count}")
    await stage.shop_points(cast.ada_shop, "160")
    await stage.customer_entry(cast.ada_till, UPDATED, "PROCESSED")


async def not_linked(stage: Stage) -> None:
    stage.scene("A till customer whom nobody in the shop belongs to")
    stage.till.change_customer(stage.cast.grace_till, points=20)
    await stage.customer_entry(stage.cast.grace_till, NOT_LINKED, "SKIPPED")


async def till_fails(stage: Stage) -> None:
    stage.scene("The till fails for one customer, then recovers by itself")
    ada = stage.cast.ada_till
    fault = stage.till.faults.script(method="GET", path="/api/v2/customer*", status=500, body="Something went wrong", times=None)
    stage.till.change_customer(ada, points=170)
    await stage.customer_entry(ada, FETCH_FAILED, "PENDING")
    fault.cancel()
    stage.say("the till answers again; the entry's next attempt is due in a moment")
    await stage.shop_points(stage.cast.ada_shop, "170")
    await stage.customer_entry(ada, UPDATED, "PROCESSED")


async def shop_refuses(stage: Stage) -> None:
    stage.scene("The shop does not accept an update: its customer was deleted")
    cast = stage.cast
    await stage.client.links.create_link(stage.account, cast.mary_till, cast.mary_shop)
    await stage.shop_points(cast.mary_shop, "40")
    stage.shop.store.delete_user(cast.mary_shop)
    stage.till.change_customer(cast.mary_till, points=45)
    await stage.customer_entry(cast.mary_till, NOT_UPDATED, "FAILED")


async def customer_types(stage: Stage) -> None:
    stage.scene("Customer types travel too; an error's own text becomes the comment")
    gold = stage.till.add_type(name="Gold", discount="5.0", description="Ten orders a year")
    await stage.type_entry(gold, UPDATED, "PROCESSED")
    said = "The table of customer types is locked, said the shop"
    fault = stage.shop.faults.script(path="*/customer-types/*", status=500, body=said, times=None)
    stage.till.change_type(gold, discount="7.5")
    await stage.type_entry(gold, said, "PENDING")
    fault.cancel()
    await stage.type_entry(gold, UPDATED, "PROCESSED")


async def orders_find_their_customer(stage: Stage) -> None:
    stage.scene("Web orders find their till customer")
    cast = stage.cast
    await stage.order(1001, woo_customer_id=cast.ada_shop, email="ada@example.test", first_name="Ada", last_name="Byron")
    await stage.order_entry(1001, LINKED, "PROCESSED")
    await stage.order(1002, woo_customer_id=cast.hedy_shop, email="hedy@example.test", first_name="Hedy", last_name="Kiesler")
    await stage.order_entry(1002, BY_EMAIL, "PROCESSED")
    await stage.shop_points(cast.hedy_shop, "77")
    await stage.order(1003, woo_customer_id=cast.joan_shop, email="joan@example.test", first_name="Joan", last_name="Elisabeth")
    await stage.order_entry(1003, CREATED, "PROCESSED")
    if len(stage.till.customers_by_email("joan@example.test")) != 1:
        raise NotAsToldError("Joan stands at the till more or less than once")
    await stage.order(1004, email="guest@example.test", first_name="Guest")
    await stage.order_entry(1004, DEFAULT, "PROCESSED", note="guest")


async def duplicates(stage: Stage) -> None:
    stage.scene("Two till customers share one email: the orders wait for a person, who chooses once")
    cast = stage.cast
    for order_id in (1042, 1043):
        await stage.order(order_id, woo_customer_id=cast.alan_shop, email="alan@example.test", first_name="Alan", last_name="Mathison")
        held = await stage.order_entry(order_id, DUPLICATE, "HELD")
    candidates = await stage.client.links.list_candidates(stage.account, held.entry_id)
    for candidate in candidates.candidates:
        stage.say(f"candidate {candidate.epos_customer_id}: {candidate.name}, {candidate.masked_email}, {candidate.points} points")
    if {candidate.epos_customer_id for candidate in candidates.candidates} != set(cast.alan_tills):
        raise NotAsToldError("the candidates are not the two Alans")
    linked = await stage.client.links.create_link(stage.account, cast.alan_tills[0], cast.alan_shop)
    stage.say(f"the person links the first: {linked.released_order_count} held orders run again")
    await stage.order_entry(1042, LINKED, "PROCESSED")
    await stage.order_entry(1043, LINKED, "PROCESSED")
    await stage.shop_points(cast.alan_shop, "500")


async def headlines(stage: Stage) -> None:
    stage.scene("Orders that cannot be matched, with and without unlinked products")
    cast = stage.cast
    mug = order_pb2.UnlinkedProduct(product_id=501, sku="MUG-BLUE", name="Blue mug")
    await stage.order(1051, woo_customer_id=cast.long_shop, email=LONG_EMAIL, first_name="Katherine", last_name="Goble")
    await stage.order_entry(1051, NOT_MATCHED, "HELD", note="longer than 50 characters")
    await stage.order(1052, woo_customer_id=cast.long_shop, email=LONG_EMAIL, first_name="Katherine", last_name="Goble", unlinked=(mug,))
    await stage.order_entry(1052, PRODUCT_AND_CUSTOMER, "HELD", note="Blue mug")
    await stage.order(1053, woo_customer_id=cast.ada_shop, email="ada@example.test", first_name="Ada", last_name="Byron", unlinked=(mug,))
    await stage.order_entry(1053, PRODUCT, "HELD", note="Blue mug")


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
