"""Creates whose answer is lost, in every way in which a connection and a till can lose it.

The service sends no second create before the settle time has passed, and then only if the customer does not exist. Each way has its own
till, and all wait for their settle time together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from support.create_race_environment import (
    BY_EMAIL,
    CREATED,
    SETTLE_SECONDS,
    TIMEOUT_SECONDS,
    CreateRaceEnvironment,
    all_of,
    order,
)
from tillsync.v1 import account_pb2

NOVA = "nova@example.test"
MAY_BE_STORED = "may have stored the customer all the same"
V4 = account_pb2.EposSettings(customer_api_version=account_pb2.TILL_API_VERSION_V4)


@dataclass(frozen=True)
class Loss:
    """One way to lose a create's answer. ``stores``: the till has the customer all the same, at once or later."""

    stores: bool
    fault: dict[str, Any] = field(default_factory=dict)
    """Arguments of the sandbox's scripted fault for the first create."""
    late_seconds: float | None = None
    """The till stores the customer so many seconds after its client has given up."""
    epos: account_pb2.EposSettings | None = None


LOSSES = {
    "closed after the deed": Loss(True, {"disconnect": "after"}),
    "closed before the deed": Loss(False, {"disconnect": "before"}),
    "502 after the deed": Loss(True, {"status": 502, "body": "<html>Bad gateway</html>", "content_type": "text/html", "carry_out": True}),
    "503 without the deed": Loss(False, {"status": 503}),
    "408 after the deed": Loss(True, {"status": 408, "carry_out": True}),
    "a page for people, after the deed": Loss(True, {"status": 200, "body": "<html>", "content_type": "text/html", "carry_out": True}),
    "a page for people, without it": Loss(False, {"status": 200, "body": "<html>", "content_type": "text/html"}),
    "an object without an id": Loss(True, {"status": 201, "body": "{}", "content_type": "application/json", "carry_out": True}),
    "303 after the deed": Loss(True, {"status": 303, "headers": {"Location": "/"}, "carry_out": True}),
    "broken off in its body": Loss(True, {"truncate": True}),
    "too slow, stored": Loss(True, {"delay_seconds": TIMEOUT_SECONDS + 0.5}),
    "too slow, not stored": Loss(False, {"hang": "before", "disconnect": "before"}),
    "stored a second after the client left": Loss(True, late_seconds=1.0),
    "stored shortly before it settles": Loss(True, late_seconds=3.0),
    "V4, closed after the deed": Loss(True, {"disconnect": "after"}, epos=V4),
    "V4, stored late": Loss(True, late_seconds=2.0, epos=V4),
}


async def test_create_whose_answer_is_lost_leaves_one_customer(world: CreateRaceEnvironment) -> None:
    scenes = {name: _lose_one_answer(world, f"shop-{number}", loss) for number, (name, loss) in enumerate(LOSSES.items())}
    scenes["the other shop of the till waits as well"] = _assert_other_shop_waits(world)
    await all_of(scenes)


async def _lose_one_answer(world: CreateRaceEnvironment, name: str, loss: Loss) -> None:
    shop = await world.shop(name, epos=loss.epos)
    till = shop.till.sandbox
    script = till.faults.script(method="POST", path="/api/*/customer*", **loss.fault) if loss.fault else None
    till.switches.late_create_seconds = loss.late_seconds
    await shop.send(order(NOVA))

    await shop.waits(MAY_BE_STORED)  # On a busy machine this follows "its turn came too late, nothing was sent", which loses no answer.
    settles_at = await world.intent_settles_at(shop, NOVA)
    assert settles_at is not None
    till.switches.late_create_seconds = None  # only the first create's answer is lost
    if script is not None:
        script.release()
    # A second order while the create may still be stored: it gets the same answer, and no create is sent.
    await shop.send(order(NOVA, 2, first_name="Nova asks again"))

    first, second = await shop.processed(1), await shop.processed(2)
    [made] = shop.till.holders(NOVA)
    assert (first.epos_customer_id, second.epos_customer_id) == (made, made)
    assert (BY_EMAIL if loss.stores else CREATED) in (first.outcome, second.outcome)
    creates = shop.till.creates(NOVA)
    assert len(creates) == (1 if loss.stores else 2)
    assert all(later.time >= settles_at for later in creates[1:]), "a second create was sent before the first one had settled"


async def _assert_other_shop_waits(world: CreateRaceEnvironment) -> None:
    """One account loses the answer. The order of the same person in the other account creates no customer meanwhile."""
    till = await world.till()
    losing, other = [await world.shop(name, till, till_id="company") for name in ("losing-shop", "other-shop")]
    till.sandbox.switches.late_create_seconds = 2.0
    await losing.send(order(NOVA))
    await losing.waits(MAY_BE_STORED)
    till.sandbox.switches.late_create_seconds = None
    await other.send(order(NOVA, woo_customer_id=77))
    await other.waits("was not answered before")
    answers = [await losing.processed(), await other.processed()]
    [made] = till.holders(NOVA)
    assert [each.epos_customer_id for each in answers] == [made, made]
    assert len(till.creates()) == 1


async def test_refused_create_is_sent_again_before_the_settle_time(world: CreateRaceEnvironment) -> None:
    """A 4xx says that the till stored nothing, so the intent is cleared."""
    shop = await world.shop("shop-1")
    shop.till.sandbox.faults.script(method="POST", path="/api/*/customer*", status=429, headers={"Retry-After": "1"})
    await shop.send(order(NOVA))
    answer = await shop.processed()
    [made] = shop.till.holders(NOVA)
    assert (answer.outcome, answer.epos_customer_id) == (CREATED, made)
    refused, created = shop.till.creates(NOVA)
    assert created.time - refused.time < SETTLE_SECONDS


async def test_create_refused_by_the_request_limit_leaves_no_intent(world: CreateRaceEnvironment) -> None:
    """Without Retry-After the service sends this till no request for minutes.

    No order is decided meanwhile, and no intent is left afterwards.
    """
    shop = await world.shop("shop-1")
    shop.till.sandbox.faults.script(method="POST", path="/api/*/customer*", status=403, body="You have reached your maximum API limit.")
    await shop.send(order(NOVA))
    await shop.waits("limit")
    problem = await shop.problem()
    assert problem is not None
    assert problem.reason == account_pb2.PROBLEM_REASON_THROTTLED
    assert await world.intent_settles_at(shop, NOVA) is None
