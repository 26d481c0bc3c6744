"""``PageScan`` alone. ``test_till_reader`` checks how it serves many reads."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.till import FakeTill
from support.waiting import until
from tillsync_server.application.flows import page_scan
from tillsync_server.application.flows.page_scan import PageScan
from tillsync_server.application.flows.waiting_reads import PendingRead, ScanCrowd, WaitingReads
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.ports.till import CustomerPage


def crowd_of(customer_ids: Iterable[int]) -> ScanCrowd:
    waiting, loop = WaitingReads(delivery_seconds=0.0), asyncio.get_running_loop()
    for customer_id in customer_ids:
        waiting.add(PendingRead(EposCustomerId(customer_id), asked_at=-1, is_live=False, result=loop.create_future()))
    return ScanCrowd(waiting.all, waiting)


def scan_of(till: FakeTill) -> PageScan:
    """A scan for 100 waiting customers, none of whom is on a page."""
    return PageScan(
        till.list_customers,
        crowd=crowd_of(range(1_000_001, 1_000_101)),
        last_page=9,
        at_once=3,
        now=lambda: datetime.now(UTC),
        tick=itertools.count().__next__,
    )


async def test_pages_interrupted_together_leave_no_unretrieved_error() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    paused = asyncio.Event()

    async def until_paused(_step: str) -> None:
        await paused.wait()

    till = FakeTill(step=until_paused)
    till.decide_fault = lambda method, argument: RunInterrupted("the account is paused")
    scan = scan_of(till)
    running = asyncio.create_task(scan.run())
    await until(lambda: till.requests == 3, lambda: till.requests)
    paused.set()
    await asyncio.wait([running])
    assert isinstance(running.exception(), RunInterrupted)
    del running, scan  # and the exceptions of the pages with them
    gc.collect()
    assert complaints == []


async def test_endless_list_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end was known once, and lies on: what is waited for is read singly then."""
    monkeypatch.setattr(page_scan, "MAX_LIST_PAGES", 50)
    till = FakeTill()
    till.page_size = 1  # another customer on every page
    for _ in range(100):
        till.add()
    scan = scan_of(till)
    await scan.run()
    assert (till.requests, scan.pages_read) == (50, 50)
    assert (scan.last_page, scan.pages_at_least) == (None, 50), "and the next smaller crowd does not try again"


async def test_failing_page_ends_the_others_before_the_scan_returns() -> None:
    till, ended = FakeTill(), list[int]()

    async def list_customers(page: int) -> CustomerPage:
        if page == 2:
            raise RunInterrupted("the account is paused")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(page)
        raise AssertionError("never answered")

    till.list_customers = list_customers  # type: ignore[method-assign]
    scan = scan_of(till)
    with pytest.raises(RunInterrupted):
        await scan.run()
    assert sorted(ended) == [1, 3]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(("sufficed", "pages"), [(0, 5), (6, 6), (44, 5)])
async def test_small_crowd_reads_the_number_of_pages_that_sufficed_before(sufficed: int, pages: int) -> None:
    """The last 44 of a sweep wait for customers of page 6: an eighth of their single reads ends at page 5."""
    till = FakeTill()
    for _ in range(1_200):
        till.add()
    crowd = crowd_of(row.epos_customer_id for row in (await till.list_customers(6)).rows[:44])
    scan = PageScan(
        till.list_customers,
        crowd=crowd,
        last_page=None,
        sufficed=sufficed,
        at_once=3,
        now=lambda: datetime.now(UTC),
        tick=itertools.count().__next__,
    )
    await scan.run()
    assert scan.pages_read == pages
    assert crowd.left == (0 if pages == 6 else 44)
