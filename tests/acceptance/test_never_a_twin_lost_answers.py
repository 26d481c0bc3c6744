"""Creates whose answer is lost, in every way a line and a till can lose it: nothing is created again before the till can have nothing up
its sleeve, and then only what is not there. Each way plays on a till of its own; all wait for their settle time together."""

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
    """One way to lose a create's answer. ``stores``: the customer is there all the same, at once or later."""

    stores: bool
    fault: dict[str, Any] = field(default_factory=dict)
    """Of the sandbox's scripted faults, for the first create."""
    late_seconds: float | None = None
    """The till stores it so long after its client has given up."""
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


async def test_an_answer_lost_leaves_one_customer_in_the_end(world: CreateRaceEnvironment) -> None:
    scenes = {name: _lost(world, f"shop-{number}", loss) for number, (name, loss) in enumerate(LOSSES.items())}
    scenes["the other shop of the till waits as well"] = _other_shop_waits(world)
    await all_of(scenes)


async def _lost(world: CreateRaceEnvironment, name: str, loss: Loss) -> None:
    shop = await world.shop(name, epos=loss.epos)
    till = shop.till.sandbox
    script = till.faults.script(method="POST", path="/api/*/customer*", **loss.fault) if loss.fault else None
    till.switches.late_create_seconds = loss.late_seconds
    await shop.send(order(NOVA))

    await shop.waits(MAY_BE_STORED)  # on a busy machine after "its turn came too late, nothing was sent", which loses no answer
    settles_at = await world.intent_settles_at(shop, NOVA)
    assert settles_at is not None
    till.switches.late_create_seconds = None  # only the first one's answer is lost
    if script is not None:
        script.release()
    # asked again while it may still come: the same answer, and nothing is sent
    await shop.send(order(NOVA, 2, first_name="Nova asks again"))

    first, second = await shop.processed(1), await shop.processed(2)
    [made] = shop.till.holders(NOVA)
    assert (first.epos_customer_id, second.epos_customer_id) == (made, made)
    assert (BY_EMAIL if loss.stores else CREATED) in (first.outcome, second.outcome)
    creates = shop.till.creates(NOVA)
    assert len(creates) == (1 if loss.stores else 2)
    assert all(later.time >= settles_at for later in creates[1:]), "created again before the first one had settled"


async def _other_shop_waits(world: CreateRaceEnvironment) -> None:
    """The answer is lost by one account; the order of the same person in the other account creates nothing meanwhile."""
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


async def test_a_refused_create_is_sent_again_without_waiting_for_the_settle_time(world: CreateRaceEnvironment) -> None:
    """4xx says that nothing was stored: the intent is cleared."""
    shop = await world.shop("shop-1")
    shop.till.sandbox.faults.script(method="POST", path="/api/*/customer*", status=429, headers={"Retry-After": "1"})
    await shop.send(order(NOVA))
    answer = await shop.processed()
    [made] = shop.till.holders(NOVA)
    assert (answer.outcome, answer.epos_customer_id) == (CREATED, made)
    refused, created = shop.till.creates(NOVA)
    assert created.time - refused.time < SETTLE_SECONDS


async def test_a_create_that_met_the_request_limit_leaves_no_intent_behind(world: CreateRaceEnvironment) -> None:
    """Without Retry-After the till is left alone for minutes; nothing is decided meanwhile, and nothing stands in the way afterwards."""
    shop = await world.shop("shop-1")
    shop.till.sandbox.faults.script(method="POST", path="/api/*/customer*", status=403, body="You have reached your maximum API limit.")
    await shop.send(order(NOVA))
    await shop.waits("limit")
    problem = await shop.problem()
    assert problem is not None
    assert problem.reason == account_pb2.PROBLEM_REASON_THROTTLED
    assert await world.intent_settles_at(shop, NOVA) is None
