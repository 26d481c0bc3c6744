"""Failures of the till emulator: request limits, random failures, lost answers, and late creates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from support.sandbox import NEW_V2, Caller, till_caller
from tillsync_sandbox import SandboxTill
from tillsync_sandbox.request_log import Ending
from tillsync_sandbox.till import LimitMode, TillSwitches

CUSTOMER, V4_CUSTOMER = "/api/V2/Customer", "/api/v4/Customer"


@pytest_asyncio.fixture
async def till() -> AsyncIterator[SandboxTill]:
    async with SandboxTill() as running:
        yield running


@pytest_asyncio.fixture
async def call(till: SandboxTill) -> AsyncIterator[Caller]:
    async with till_caller(till) as made:
        yield made


@pytest.mark.parametrize(
    ("mode", "status", "text"), [(LimitMode.FORBIDDEN_TEXT, 403, "maximum API limit"), (LimitMode.TOO_MANY, 429, "Limit")]
)
async def test_request_limit_answers_as_switched(till: SandboxTill, call: Caller, mode: LimitMode, status: int, text: str) -> None:
    till.switches.update({"limit": mode.value, "limit_requests": 2, "limit_window_seconds": 30})
    replies = [await call("GET", CUSTOMER) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, status]
    assert text in replies[-1].text
    assert ("Retry-After" in replies[-1].headers) is (mode is LimitMode.TOO_MANY)
    till.switches.limit_window_seconds = 0.0
    assert (await call("GET", CUSTOMER)).status == 200


async def test_wrong_address_answers_every_request_with_a_page(till: SandboxTill, call: Caller) -> None:
    till.switches.wrong_address = True
    for path in ("/api/v4/TokenInfo", CUSTOMER):
        reply = await call("GET", path)
        assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("switch", "status"), [("error_500_percent", 500), ("error_502_percent", 502), ("error_503_percent", 503), ("html_body_percent", 200)]
)
async def test_random_failures_carry_out_nothing(till: SandboxTill, call: Caller, switch: str, status: int) -> None:
    till.switches.update({switch: 100})
    reply = await call("POST", CUSTOMER, NEW_V2)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert till.store.customer_count == 0


async def test_same_seed_has_the_same_random_failures() -> None:
    async def statuses(seed: int) -> list[int]:
        async with SandboxTill(TillSwitches(error_500_percent=50), seed=seed) as till, till_caller(till) as call:
            return [(await call("GET", CUSTOMER)).status for _ in range(20)]

    assert await statuses(7) == await statuses(7)
    assert await statuses(7) != await statuses(8)


async def test_lost_answer_keeps_the_stored_customer(till: SandboxTill, call: Caller) -> None:
    till.switches.lose_create_answer_percent = 100
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call("POST", CUSTOMER, NEW_V2)
    assert till.store.customer_count == 1
    (logged,) = till.log.matching(method="POST")
    assert (logged.status, logged.ending) == (201, Ending.DISCONNECTED)
    assert (await call("GET", CUSTOMER)).status == 200


@pytest.mark.parametrize(("path", "content"), [(CUSTOMER, NEW_V2), (V4_CUSTOMER, [NEW_V2])])
async def test_late_create_is_stored_after_its_client_left(till: SandboxTill, call: Caller, path: str, content: Any) -> None:
    till.switches.late_create_seconds = 0.05
    posting = asyncio.create_task(call("POST", path, content))
    await till.log.wait_for(method="POST")
    assert till.store.customer_count == 0
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    await till.wait_for(lambda: till.store.customer_count == 1)
    (logged,) = await till.log.wait_for(method="POST", ended=True)
    assert logged.ending is Ending.CLIENT_GONE


async def test_till_with_pending_work_stops_at_once(till: SandboxTill, call: Caller) -> None:
    till.switches.late_create_seconds = 3600.0
    posting = asyncio.create_task(call("POST", CUSTOMER, NEW_V2))
    await till.log.wait_for(method="POST")
    await till.stop()
    await asyncio.gather(posting, return_exceptions=True)
    assert till.store.customer_count == 0
