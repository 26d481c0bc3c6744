"""Syncs many customers at once. The shop gets few requests, and none for unchanged customers; one bad item fails no other item."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import RaceEnvironment, SandboxAccount, race_environment, shop_state
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxShop

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = 120
EPOS, WOO = 5000, 2000
"""Till customer 5000 + n is linked to shop customer 2000 + n."""
BULK = vocabulary_pb2.PRIORITY_BULK
UPDATED, NOT_UPDATED = "Successfully Updated", "WooCommerce customer not updated"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tillsync_server.application.flows.write_verdicts.NOT_DONE_SECONDS", 0.2)  # instead of a quarter of a minute
        async with race_environment(cluster, TILLSYNC_MAX_ATTEMPTS="3", TILLSYNC_RETRY_BASE_SECONDS="0.05") as made:
            yield made


async def use_consumer_keys(made: SandboxAccount) -> None:
    shop = account_pb2.ShopSettings(consumer_key=made.shop.switches.consumer_key, consumer_secret=made.shop.switches.consumer_secret)
    await made.update("shop.bridge_secret", "shop.consumer_key", "shop.consumer_secret", shop=shop)


async def add_linked_customers(made: SandboxAccount, *, keys: bool = False) -> list[int]:
    if keys:
        await use_consumer_keys(made)
    for number in range(COUNT):
        made.till.add_customer(EPOS + number, email=f"{number}@example.test", points=number)
        made.shop.add_customer(WOO + number, email=f"{number}@example.test")
    await made.connection.execute(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) "
        "SELECT $1, $2 + n, $3 + n, 3 FROM generate_series(0, $4 - 1) AS n",
        made.account,
        EPOS,
        WOO,
        COUNT,
    )
    return [EPOS + number for number in range(COUNT)]


async def sweep(made: SandboxAccount, ids: list[int]) -> None:
    answers = await made.running.client.sync.sync_customers(made.account, ids, priority=BULK)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    await made.quiet()


def points(made: SandboxAccount, *, keys: bool) -> dict[int, str]:
    state = shop_state(made.shop)
    if keys:
        return {user: str(metas["tillsync_points_balance"]) for user, metas in state["metas"].items() if "tillsync_points_balance" in metas}
    return {user: values.points for user, values in state["values"].items()}


async def newest_of_all(made: SandboxAccount) -> dict[int, tuple[str, str, str]]:
    """State, comment and first note of each customer's newest entry, by number."""
    found: dict[int, tuple[str, str, str]] = {}
    async for entry in made.running.client.sync.list_queue(made.account, vocabulary_pb2.QUEUE_CUSTOMERS, page_size=500):
        state = vocabulary_pb2.EntryState.Name(entry.state).removeprefix("ENTRY_STATE_")
        found.setdefault(entry.epos_customer_id - EPOS, (state, entry.comment, entry.notes[0] if entry.notes else ""))
    return found


@pytest.mark.parametrize("keys", [False, True], ids=["bridge", "keys"])
async def test_sweep_sends_few_shop_requests_and_the_next_one_none(environment: RaceEnvironment, keys: bool) -> None:
    async with environment.new_account() as made:
        ids = await add_linked_customers(made, keys=keys)
        await sweep(made, ids)
        assert points(made, keys=keys) == {WOO + number: str(number) for number in range(COUNT)}
        assert made.shop.log.total <= (3 if keys else 2)
        assert made.till.log.total <= 5, "the service reads the list's pages instead of each customer"
        made.shop.log.clear()
        await sweep(made, ids)
        assert len(made.shop.log) == 0
        assert Counter((await newest_of_all(made)).values()) == {("PROCESSED", UPDATED, "unchanged"): COUNT}
        made.till.change_customer(EPOS + 7, points=777)
        await sweep(made, ids)
        writes = [request for request in made.shop.log if request.method in ("POST", "PUT")]
        assert len(writes) == 1, "the service writes only changed values"
        assert points(made, keys=keys)[WOO + 7] == "777"
        assert str(WOO + 8) not in writes[0].body.decode()


async def test_force_writes_values_that_the_shop_already_has(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await add_linked_customers(made)
        await made.hint(EPOS)
        await made.quiet()
        made.shop.log.clear()
        await made.hint(EPOS)
        await made.quiet()
        assert len(made.shop.log) == 0
        await made.hint(EPOS, force=True)
        await made.quiet()
        assert len(made.shop.log) == 1


BAD = 50


def delete_customer(shop: SandboxShop) -> None:
    shop.delete_customer(WOO + BAD)


def break_the_shop(shop: SandboxShop) -> None:
    """A plugin of the shop fails whenever this customer is saved, and the whole request gets 500."""
    shop.faults.script(method="POST", contains=str(WOO + BAD), status=500, body="<p>There has been a critical error</p>", times=None)


def refuse_the_batch(shop: SandboxShop) -> None:
    body = json.dumps({"code": "rest_invalid_param", "message": "Invalid parameter(s): items", "data": {"status": 400}})
    shop.faults.script(method="POST", contains=str(WOO + BAD), status=400, body=body, content_type="application/json", times=None)


def answer_invalid_json(shop: SandboxShop) -> None:
    shop.faults.script(
        method="POST", contains=str(WOO + BAD), status=200, body='{"results": 7', content_type="application/json", times=None
    )


def answer_nothing(shop: SandboxShop) -> None:
    shop.faults.script(method="POST", contains=str(WOO + BAD), disconnect="before", times=None)


async def test_all_customers_are_written_although_the_shop_answers_only_small_batches(environment: RaceEnvironment) -> None:
    """The shop never answers larger batches. Each round writes some customers and charges no attempt."""
    async with environment.new_account() as made:
        ids = await add_linked_customers(made)
        made.shop.faults.script(method="POST", where=lambda request: request.body.count(b"user_id") > 20, disconnect="before", times=None)
        await sweep(made, ids)
        assert points(made, keys=False) == {WOO + number: str(number) for number in range(COUNT)}
        assert Counter((await newest_of_all(made)).values()) == {("PROCESSED", UPDATED, ""): COUNT}


@pytest.mark.parametrize("keys", [False, True], ids=["bridge", "keys"])
@pytest.mark.parametrize(
    "spoil", [delete_customer, break_the_shop, refuse_the_batch, answer_invalid_json, answer_nothing], ids=lambda made: made.__name__
)
async def test_one_bad_customer_fails_alone(environment: RaceEnvironment, spoil: Callable[[SandboxShop], None], keys: bool) -> None:
    async with environment.new_account() as made:
        ids = await add_linked_customers(made, keys=keys)
        spoil(made.shop)
        await sweep(made, ids)
        found = points(made, keys=keys)
        assert {number for number in range(COUNT) if found.get(WOO + number) != str(number)} == {BAD}
        newest = await newest_of_all(made)
        state, comment, note = newest.pop(BAD)
        assert (state, comment) == ("FAILED", NOT_UPDATED)
        assert note
        assert {(state, comment) for state, comment, _ in newest.values()} == {("PROCESSED", UPDATED)}


async def test_items_that_the_shop_did_not_reach_are_sent_again_uncharged(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        ids = await add_linked_customers(made)
        made.shop.switches.not_done_after = 40
        await sweep(made, ids)
        assert points(made, keys=False) == {WOO + number: str(number) for number in range(COUNT)}
        attempts = [len(entry.attempts) async for entry in made.entries()]
        assert attempts == [1] * COUNT, "an item that the shop did not reach costs no attempt"


async def test_till_failure_of_one_customer_delays_no_other(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        ids = (await add_linked_customers(made))[:20]
        made.till.faults.script(method="GET", path=f"/api/*/customer/{EPOS + 3}", status=500, body="broken row", times=None)
        await sweep(made, ids)
        newest = await newest_of_all(made)
        state, comment, note = newest.pop(3)
        assert (state, comment) == ("FAILED", "Customer Endpoint Point call api failed")
        assert "500" in note
        assert {(state, comment) for state, comment, _ in newest.values()} == {("PROCESSED", UPDATED)}


async def test_removals_and_writes_share_a_sweep(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        ids = await add_linked_customers(made)
        await sweep(made, ids)
        for number in range(10):
            await made.unlink(EPOS + number)
        for number in range(10, 20):
            made.till.change_customer(EPOS + number, points=9000 + number)
        await sweep(made, ids)
        found = points(made, keys=False)
        assert {number: found.get(WOO + number) for number in range(20)} == {
            **dict.fromkeys(range(10)),
            **{number: str(9000 + number) for number in range(10, 20)},
        }
