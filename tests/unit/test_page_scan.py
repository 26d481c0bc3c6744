"""The reading of list pages by itself; how it serves a crowd: test_till_reader."""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from support.waiting import until
from tillsync_server.application.flows import page_scan
from tillsync_server.application.flows.page_scan import PageScan
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.ports.till import CustomerPage, TillClient


class InterruptedTill:
    """Every page asked for is broken off at the same moment: the account was paused."""

    def __init__(self) -> None:
        self.asked = 0
        self.paused = asyncio.Event()

    async def list_customers(self, page: int) -> CustomerPage:
        self.asked += 1
        await self.paused.wait()
        raise RunInterrupted("the account is paused")


async def test_pages_interrupted_together_leave_no_error_unheard() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    till = InterruptedTill()
    scan = PageScan(
        cast(TillClient, till),
        is_wanted=lambda: 100,
        serve=lambda rows, asked_at, as_of: 0,
        last_page=9,
        at_once=3,
        now=lambda: datetime.now(UTC),
        clock=time.monotonic,
    )
    running = asyncio.create_task(scan.run())
    await until(lambda: till.asked == 3, lambda: till.asked)
    till.paused.set()
    await asyncio.wait([running])
    assert isinstance(running.exception(), RunInterrupted)
    del running, scan  # and with them what the pages left behind
    gc.collect()
    assert complaints == []


class EndlessTill:
    """Another customer on every page."""

    def __init__(self) -> None:
        self.asked = 0

    async def list_customers(self, page: int) -> CustomerPage:
        self.asked += 1
        return CustomerPage(rows=(TillCustomer(epos_customer_id=EposCustomerId(page), forename="Ada"),), number=page)


async def test_a_list_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end was known once, and lies on: what is waited for is read singly then."""
    monkeypatch.setattr(page_scan, "MAX_LIST_PAGES", 50)
    till = EndlessTill()
    scan = PageScan(
        cast(TillClient, till),
        is_wanted=lambda: 100,
        serve=lambda rows, asked_at, as_of: 0,
        last_page=9,
        at_once=3,
        now=lambda: datetime.now(UTC),
        clock=time.monotonic,
    )
    await scan.run()
    assert (till.asked, scan.pages_read) == (50, 50)
    assert (scan.last_page, scan.pages_at_least) == (None, 50), "and the next smaller crowd does not try again"
