"""Invariant 6 for orders: settings, links or the order itself change while the order runs. The test combines every change with every point.

Serial runs give the allowed results. Before the run writes something lasting, the result is that of the change first. Afterwards these are
also allowed: the order first, another order that linked the person first, or a person who entered the customer at the till first.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import Change, Point, RaceEnvironment, SandboxAccount, SandboxRequest, an_order, race_environment
from tillsync.v1 import account_pb2, order_pb2
from tillsync_client import AlreadyExistsError, FailedPreconditionError

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRACE, HEDY, SALES = 502, 503, 504
"""Till customers: Grace, Hedy (the person of the order, in scenarios where she exists), and the default customer."""
W, W2 = 21, 22
EMAIL, GRACES = "hedy@example.test", "grace@example.test"
CREATED = 90001
"""Id that the till gives to the first customer it creates."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    async with race_environment(cluster) as made:
        yield made


@dataclass(frozen=True)
class Scenario:
    name: str
    at_the_till: bool = True
    """A till customer has Hedy's email."""
    linked: bool = False
    guest: bool = False

    def __str__(self) -> str:
        return self.name

    def order(self, order_id: int = 1042, **changed: Any) -> order_pb2.Order:
        return an_order(order_id, **{"woo": 0 if self.guest else W, "email": EMAIL, **changed})

    async def prepare(self, made: SandboxAccount) -> None:
        made.till.add_customer(GRACE, email=GRACES, forename="Grace", surname="Hopper")
        made.till.add_customer(SALES, email="", forename="Web", surname="Sales")
        for woo in (W, W2):
            made.shop.add_customer(woo, email=f"{woo}@example.test")
        if self.at_the_till:
            made.till.add_customer(HEDY, email=EMAIL)
        if self.linked:
            await made.link(HEDY, W)
            await made.quiet()

    def new_account(self, environment: RaceEnvironment) -> contextlib.AbstractAsyncContextManager[SandboxAccount]:
        policy = account_pb2.GUEST_POLICY_MATCH_OR_CREATE if self.guest else account_pb2.GUEST_POLICY_DEFAULT_CUSTOMER
        return environment.new_account(default_epos_customer_id=SALES, guest_policy=policy)


NO_CUSTOMER = Scenario("no customer has her email", at_the_till=False)
ONE_CUSTOMER = Scenario("one customer has her email")
LINKED = Scenario("linked shop customer", linked=True)
GUEST = Scenario("unknown guest", at_the_till=False, guest=True)


async def link_and_unlink(made: SandboxAccount) -> None:
    await made.link(GRACE, W)
    await made.unlink(GRACE)


async def move_link_to_another(made: SandboxAccount) -> None:
    await made.unlink(HEDY)
    await made.link(GRACE, W)


async def off_and_on(made: SandboxAccount) -> None:
    await made.update(customer_sync_enabled=False)
    await made.update(customer_sync_enabled=True)


async def to_v4(made: SandboxAccount) -> None:
    epos = account_pb2.EposSettings(customer_api_version=account_pb2.TILL_API_VERSION_V4)
    await made.update("epos.customer_api_version", epos=epos)


ANY = [
    Change("sync off", lambda made: made.update(customer_sync_enabled=False)),
    Change("sync off and on", off_and_on),
    Change("till in V4", to_v4),
]
OF_CUSTOMERS = [
    Change("her email corrected", lambda made: made.order(an_order(woo=W, email=GRACES))),
    Change("automatic linking off", lambda made: made.update(auto_link=False)),
    Change("the billing email counts", lambda made: made.update(match_email=account_pb2.MATCH_EMAIL_BILLING)),
]
LINKED_BY_HAND = Change("linked by hand", lambda made: made.link(GRACE, W))
CHANGES = {
    NO_CUSTOMER: [*ANY, *OF_CUSTOMERS, LINKED_BY_HAND, Change("linked by hand and unlinked", link_and_unlink)],
    ONE_CUSTOMER: [
        *ANY,
        *OF_CUSTOMERS,
        LINKED_BY_HAND,
        Change("linked by hand and unlinked", link_and_unlink),
        Change("the found customer linked to another shop customer", lambda made: made.link(HEDY, W2)),
        Change("the found customer linked to her by hand", lambda made: made.link(HEDY, W)),
        Change("the found customer made the default customer", lambda made: made.update(default_epos_customer_id=HEDY)),
    ],
    LINKED: [
        *ANY,
        Change("unlinked", lambda made: made.unlink(HEDY)),
        Change("linked to another till customer", move_link_to_another),
    ],
    GUEST: [
        *ANY,
        Change("guests to the default customer", lambda made: made.update(guest_policy=account_pb2.GUEST_POLICY_DEFAULT_CUSTOMER)),
        Change("guests only matched", lambda made: made.update(guest_policy=account_pb2.GUEST_POLICY_MATCH_ONLY)),
        Change("became a customer", lambda made: made.order(an_order(woo=W, email=GRACES))),
    ],
}

GETS: SandboxRequest = {"side": "till", "method": "GET", "path": "/api/v2/customer"}
CREATE: SandboxRequest = {"side": "till", "method": "POST", "path": "/api/v2/customer/"}
BEGIN = [
    Point("the claim", "after", store="claim"),
    Point("settings are read", "after", store="at_version"),
]
LINK_READ = [
    Point("the link is read", "before", store="by_woo"),
    Point("the link is read", "after", store="by_woo"),
]
MARK_READ = [Point("the mark is read", "after", store="is_marked_do_not_auto_link")]
SEARCH = [
    Point("the till searches", "before", **GETS, query={"EmailAddress": EMAIL}),
    Point("the till has searched", "after", **GETS, query={"EmailAddress": EMAIL}),
]
CREATION = [
    Point("the till lists", "before", **GETS, skip=1),
    Point("the till has listed", "after", **GETS, skip=1),
    Point("the search is tried", "after", **GETS, skip=2),
    Point("the intent is committed", "before", store="open"),
    Point("the intent is committed", "after", store="open"),
    Point("the till creates", "before", **CREATE, sent=True),
    Point("the till has created", "after", **CREATE, sent=True),
    Point("the id is committed", "before", store="take_done", sent=True),
    Point("the id is committed", "after", store="take_done", sent=True),
    Point("the till searches again", "before", **GETS, query={"EmailAddress": EMAIL}, skip=1, sent=True),
]
LINK = [
    Point("the link of the till customer is read", "after", store="by_epos"),
    Point("the link is made", "before", store="link"),
    Point("the link is made", "after", store="link", sent=True),
]
END = [Point("the outcome is written", "before", store="complete", sent=True)]
POINTS = {
    NO_CUSTOMER: [*BEGIN, *LINK_READ, *MARK_READ, *SEARCH, *CREATION, *(replace(point, sent=True) for point in LINK), *END],
    ONE_CUSTOMER: [*BEGIN, *LINK_READ, *MARK_READ, *SEARCH, *LINK, *END],
    LINKED: [*BEGIN, *LINK_READ, *(replace(point, sent=False) for point in END)],
    GUEST: [*BEGIN, *SEARCH, *CREATION, *END],
}


async def make_unless_refused(change: Change, made: SandboxAccount) -> None:
    """Makes the change. A refused change, because the order was faster, counts as not made."""
    with contextlib.suppress(AlreadyExistsError, FailedPreconditionError):
        await change.make(made)


async def order_links_and_till(made: SandboxAccount) -> dict[str, Any]:
    match = await made.match_of(1042)
    return {
        "order": (match.state, match.outcome, match.epos_customer_id, [each.epos_customer_id for each in match.candidates]),
        "links": await made.links(),
        "till": {customer.customer_id: customer.email_address for customer in made.till.store},
    }


def serial_runs_of(scenario: Scenario) -> Any:
    async def run(environment: RaceEnvironment, change: Change, first: str) -> dict[str, Any]:
        async with scenario.new_account(environment) as made:
            await scenario.prepare(made)
            if first == "customer":
                made.till.add_customer(CREATED, email=EMAIL)
            if first == "another order":
                await made.order(scenario.order(7))
                await made.quiet()
            order = scenario.order()
            if first == "order":
                await made.order(order)
                await made.quiet()
                await make_unless_refused(change, made)
            else:
                await make_unless_refused(change, made)
                await made.quiet()
                if change.name not in ("her email corrected", "became a customer"):  # the change is the order itself
                    await made.order(order)
            await made.quiet()
            return await order_links_and_till(made)

    return run


@pytest.mark.parametrize(
    ("scenario", "change", "point"),
    [
        pytest.param(scenario, change, point, id=f"{scenario}: {change}, {point}")
        for scenario, changes in CHANGES.items()
        for change in changes
        for point in POINTS[scenario]
    ],
)
async def test_order_run_beside_a_change_equals_a_serial_run(
    environment: RaceEnvironment, scenario: Scenario, change: Change, point: Point
) -> None:
    firsts = ["change"]
    if point.sent:
        firsts += ["order"] if scenario.guest else ["order", "another order"]
        firsts += [] if scenario.at_the_till else ["customer"]
    possible = await environment.in_turn(scenario.name, change, serial_runs_of(scenario), *firsts)
    async with scenario.new_account(environment) as made:
        await scenario.prepare(made)
        held = made.hold(point)
        await made.order(scenario.order())
        await held.arrived()
        await make_unless_refused(change, made)
        held.release()
        await made.quiet()
        found = await order_links_and_till(made)
        assert found in possible
        emails = [email for email in found["till"].values() if email]
        assert len(emails) == len(set(emails)), "the till has a twin"
