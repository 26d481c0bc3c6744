"""A process whose lease lapsed during its run changes nothing afterwards, neither in the database nor at till or shop.

Each test suspends the first process in its run until the lease lapses. A second process takes over the lane, a person changes settings or
links, the second process runs the entry, and then the first process continues.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import Change, Point, RaceEnvironment, SandboxAccount, SandboxRequest, an_order, race_environment, shop_state
from support.service import RunningService, running_service
from support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

C, X, W, W2 = 501, 502, 21, 22
EMAIL = "hedy@example.test"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    async with race_environment(cluster) as made:
        yield made


@contextlib.contextmanager
def without_new_leases(running: RunningService) -> Iterator[None]:
    """Within the block this process leases no further lanes. Its present leases continue."""
    worker = running.service.worker
    assert worker is not None
    free, worker.slots.lanes = worker.slots.lanes, 0
    try:
        yield
    finally:
        worker.slots.lanes = free


async def expire_lease(made: SandboxAccount) -> None:
    """Lets the lane's lease expire, as a suspended owner does."""
    expired = await made.connection.fetchval(
        "UPDATE lane SET lease_expires_at = now() - interval '1 second', next_run_at = now(), next_live_at = now() "
        "WHERE account_id = $1 AND lease_expires_at IS NOT NULL RETURNING true",
        made.account,
    )
    assert expired, "the lane is leased while its entry runs"


async def until_lane_is_left(running: RunningService, account_id: str) -> None:
    """Waits until this process has ended its run of the lane, with any result."""
    worker = running.service.worker
    assert worker is not None
    await until(lambda: account_id not in worker.leased_accounts, lambda: worker.leased_accounts)


async def run_with_takeover(
    environment: RaceEnvironment, made: SandboxAccount, point: Point, hint: Any, change: Change, *, change_before: bool
) -> None:
    held = made.hold(point)
    await hint
    await held.arrived()
    with without_new_leases(environment.running):
        await asyncio.sleep(0)
        if change_before:
            await change.make(made)
        await expire_lease(made)
        async with running_service(str(environment.running.service.settings.database_url.get_secret_value()), serves=False):  # type: ignore[union-attr]
            await made.quiet()
            if not change_before:
                await change.make(made)
                await made.quiet()
            lapsed = await rows_of(made)
            held.release()
            await until_lane_is_left(environment.running, made.account)
            await made.quiet()
            assert await rows_of(made) == lapsed, "the first process wrote something"


async def rows_of(made: SandboxAccount) -> list[Any]:
    """Reads every row of the account that a run may write."""
    tables = ("entry", "entry_history", "link", "order_match", "shop_removal", "link_mark", "shop_version", "lane")
    return [
        await made.connection.fetch(f"SELECT t::text FROM {table} t WHERE account_id = $1 ORDER BY 1", made.account) for table in tables
    ]


NOTHING = Change("nothing", lambda _: asyncio.sleep(0))


async def move_to_another_shop_customer(made: SandboxAccount) -> None:
    await made.unlink(C)
    await made.link(C, W2)


CHANGES = [
    NOTHING,
    Change("unlinked", lambda made: made.unlink(C)),
    Change("moved to another shop customer", move_to_another_shop_customer),
    Change("sync off", lambda made: made.update(customer_sync_enabled=False)),
    Change("names on", lambda made: made.update(sync_names=True)),
]
READ: SandboxRequest = {"side": "till", "method": "GET", "path": f"/api/*/customer/{C}"}
WRITE: SandboxRequest = {"side": "shop", "method": "POST", "path": "*/customers/batch"}
POINTS = [
    Point("the claim", "after", store="claim"),
    Point("links are read", "after", store="stored_customers"),
    Point("the till reads", "before", **READ),
    Point("the till has read", "after", **READ),
    Point("the version is drawn", "before", store="next_versions"),
    Point("the version is drawn", "after", store="next_versions", sent=True),
    Point("the shop writes", "before", **WRITE, sent=True),
    Point("the shop has written", "after", **WRITE, sent=True),
    Point("the write is noted", "before", store="confirm", sent=True),
    Point("the outcome is written", "before", store="complete", sent=True),
]


async def add_linked_customer(made: SandboxAccount) -> None:
    made.till.add_customer(C, email="ada@example.test", forename="Ada", surname="Byron", points=1)
    made.shop.add_customer(W, email="ada@example.test")
    made.shop.add_customer(W2, email="ada2@example.test")
    await made.link(C, W)
    await made.quiet()
    made.till.change_customer(C, points=7)


async def state_in_turn(environment: RaceEnvironment, change: Change, first: str) -> dict[str, Any]:
    async with environment.new_account() as made:
        await add_linked_customer(made)
        for step in [change.make(made), made.hint(C)] if first == "change" else [made.hint(C), change.make(made)]:
            await step
            await made.quiet()
        return shop_state(made.shop)


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize(
    ("change", "change_before"),
    [
        *(pytest.param(change, True, id=f"{change} before the take-over") for change in CHANGES),
        *(
            pytest.param(change, False, id=f"{change} after the second run")
            for change in CHANGES
            if change.name in ("unlinked", "sync off")
        ),
    ],
)
async def test_lapsed_run_of_a_customer_changes_nothing(
    environment: RaceEnvironment, change: Change, change_before: bool, point: Point
) -> None:
    change_first, hint_first = await environment.in_turn("customer", change, state_in_turn, "change", "hint")
    async with environment.new_account() as made:
        await add_linked_customer(made)
        await run_with_takeover(environment, made, point, made.hint(C), change, change_before=change_before)
        possible = (change_first,) if change_before and not point.sent else (change_first, hint_first) if change_before else (hint_first,)
        assert shop_state(made.shop) in possible


ORDER_POINTS = [
    Point("the claim", "after", store="claim"),
    Point("the link is read", "after", store="by_woo"),
    Point("the mark is read", "after", store="is_marked_do_not_auto_link"),
    Point("the till has searched", "after", side="till", method="GET", path="/api/v2/customer"),
    Point("the intent is committed", "before", store="open"),
]


async def link_by_hand(made: SandboxAccount) -> None:
    await made.link(X, W)


@pytest.mark.parametrize("point", ORDER_POINTS, ids=str)
@pytest.mark.parametrize("change", [NOTHING, Change("linked by hand", link_by_hand)], ids=str)
async def test_lapsed_run_of_an_order_changes_nothing(environment: RaceEnvironment, change: Change, point: Point) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(X, email="grace@example.test")
        made.shop.add_customer(W, email=EMAIL)
        await run_with_takeover(environment, made, point, made.order(an_order(woo=W, email=EMAIL)), change, change_before=True)
        match = await made.match_of(1042)
        assert await made.links() == {(match.epos_customer_id, W, True)}
        if change is NOTHING:
            assert made.till.customers_by_email(EMAIL) == [match.epos_customer_id]
        else:
            assert match.epos_customer_id == X
            assert made.till.customers_by_email(EMAIL) == [], "no customer is created for an order that is linked"
