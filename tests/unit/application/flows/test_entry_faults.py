"""A fault of one entry does not stop the others. A fault of all entries pauses the account after a handful of requests."""

from __future__ import annotations

from collections import Counter

import pytest
from fakes.till import FakeTill
from support.flow_world import FlowWorld, order_entry, order_facts, till_account
from support.shop_flow_world import ShopWorld, bulk, entry_of, till_type
from support.virtual_time import on_virtual_time
from tillsync_server.application.flows.dispatcher import FlowHandler
from tillsync_server.application.flows.order_flow import OrderFlow
from tillsync_server.domain.enums import EntryKind, Outcome, Priority, ProblemReason, Side
from tillsync_server.domain.errors import Blocked, CredentialsRefused, Misaddressed, Refused, RunInterrupted, Unreadable, UpstreamError
from tillsync_server.domain.verdict import Disposition
from tillsync_server.ports.lanes import ClaimedEntry

HTML_404 = Misaddressed(Side.TILL, "the base address or the API version set for Epos Now is wrong", status=404)
PAGE_403 = Blocked(Side.TILL, "a web page answers instead of Epos Now's API", status=403)
NOT_THIS_ONE = CredentialsRefused(Side.TILL, "Epos Now refuses the credentials (HTTP 403)", status=403)
NO_OBJECT = Unreadable(Side.TILL, "Epos Now's answer is not understood: customer is null, not an object", status=200)


def fails_for(till: FakeTill, method: str, argument: object, error: UpstreamError) -> None:
    till.decide_fault = lambda called, given: error if (called, given) == (method, argument) else None


@pytest.mark.parametrize("error", [HTML_404, PAGE_403, NOT_THIS_ONE, NO_OBJECT], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("priority", list(Priority))
@on_virtual_time
async def test_faulty_till_customer_blocks_no_other_customer(error: UpstreamError, priority: Priority) -> None:
    world = ShopWorld()
    for each in range(1, 21):
        world.link(each)
    fails_for(world.till, "read_customer", 7, error)
    entries = [entry_of(each, priority=priority) for each in range(1, 21)]
    verdicts = await world.run(*entries)
    assert Counter(verdict.disposition for verdict in verdicts) == {Disposition.FINISH: 19, Disposition.RETRY: 1}
    assert verdicts[6].comment == "Customer Endpoint Point call api failed"
    assert len(world.shop.stored) == 19
    # a second run of the entry is charged to it too
    assert (await world.sync(7)).disposition is Disposition.RETRY
    world.till.decide_fault = lambda method, argument: None
    assert (await world.sync(7)).outcome is Outcome.UPDATED


@pytest.mark.parametrize(
    "error",
    [Refused(Side.TILL, "Epos Now refused: HTTP 400: Bad Request", status=400), HTML_404, PAGE_403],
    ids=lambda error: type(error).__name__,
)
@on_virtual_time
async def test_faulty_till_type_blocks_no_other_type(error: UpstreamError) -> None:
    world = ShopWorld()
    world.till.put_types(till_type(4001), till_type(4002), till_type(4003))
    world.link(1)
    fails_for(world.till, "read_customer_type", 4002, error)
    entries = [entry_of(each, kind=EntryKind.CUSTOMER_TYPE) for each in (4001, 4002, 4003)]
    verdicts = await world.run(*entries, entry_of(1))
    assert [verdict.disposition is Disposition.FINISH for verdict in verdicts] == [True, False, True, True]
    assert verdicts[1].disposition is Disposition.RETRY
    assert set(world.shop.types) == {4001, 4003}


async def test_email_blocked_by_a_firewall_blocks_no_other_order() -> None:
    world = FlowWorld()
    world.till.add("ada@example.test")
    account = till_account()
    fails_for(world.till, "search_by_email", "o'brien@example.test", PAGE_403)
    flow = OrderFlow(world.context(account))
    verdict = await flow.run(order_entry(account, order_facts(1, email="o'brien@example.test")))
    assert (verdict.disposition, verdict.outcome) == (Disposition.RETRY, Outcome.CUSTOMER_NOT_MATCHED)
    assert "only this entry meets it" in verdict.notes[1]
    assert (await flow.run(order_entry(account, order_facts(2)))).outcome is Outcome.MATCHED_EMAIL


async def run_to_the_pause(world: ShopWorld, entries: list[ClaimedEntry]) -> None:
    work = world.lane.open(FlowHandler(world.services))
    try:
        with pytest.raises(RunInterrupted):
            await work.run(entries)
    finally:
        await work.close()


@pytest.mark.parametrize("error", [HTML_404, PAGE_403, NOT_THIS_ONE, NO_OBJECT], ids=lambda error: type(error).__name__)
@on_virtual_time
async def test_till_failing_for_all_pauses_the_side_after_few_requests(error: UpstreamError) -> None:
    world = ShopWorld()
    for each in range(1, 101):
        world.link(each)
    world.till.decide_fault = lambda method, argument: error
    await run_to_the_pause(world, bulk(*range(1, 101)))
    assert {verdict.disposition for verdict in world.lane.finished.values()} == {Disposition.PAUSE_SIDE}
    # list pages, two rounds of concurrent single reads (one during the probe), and status and list of each probe
    assert world.till.requests <= 3 + 2 * world.services.settings.till_concurrency + 2 * 2


BOT_CHECK = Blocked(Side.SHOP, "a bot check stands before the shop", status=202, is_of_whole_side=True)
WEB_PAGE = Unreadable(Side.SHOP, "the shop answers with a web page in place of data", status=200)


@pytest.mark.parametrize(("error", "probes"), [(BOT_CHECK, 0), (WEB_PAGE, 1)], ids=["bot check", "web page"])
@on_virtual_time
async def test_shop_failing_for_all_gets_one_batch(error: UpstreamError, probes: int) -> None:
    world = ShopWorld()
    for each in range(1, 501):
        world.link(each)
    world.shop.faults = {"write_customers": error, "probe": error}
    finished = await world.run(*bulk(*range(1, 501)))
    assert {verdict.disposition for verdict in finished} == {Disposition.PAUSE_SIDE}
    assert finished[0].problem is not None
    assert (finished[0].problem.reason, finished[0].problem.side) == (ProblemReason.UNREACHABLE, Side.SHOP)
    assert (world.shop.requests, world.shop.count("probe")) == (1, probes)
    assert not world.shop.stored
    world.shop.faults.clear()
    assert (await world.sync(1)).outcome is Outcome.UPDATED
