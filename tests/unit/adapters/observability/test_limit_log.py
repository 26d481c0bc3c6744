"""``LimitLog`` logs the first hit of a limit at once, then one line a minute with the number of hits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from support.logs import CapturedLines, captured_lines
from support.virtual_time import on_virtual_time
from tillsync_server.adapters.observability.limit_log import MAX_KINDS, LimitLog

STREAMS, TOKEN = "streams of a connection", "calls of a token"


@pytest.fixture
def lines() -> Iterator[CapturedLines]:
    with captured_lines() as made:
        yield made


def logged_hits(lines: CapturedLines) -> list[tuple[Any, ...]]:
    return [(line["what"], line.get("method"), line["times"]) for line in lines.of("limit_hit")]


@on_virtual_time
async def test_first_hit_is_logged_at_once_and_the_others_after_a_minute(lines: CapturedLines) -> None:
    log = LimitLog()
    for _ in range(5000):
        log.hit(STREAMS, "SyncCustomer")
    assert logged_hits(lines) == [(STREAMS, "SyncCustomer", 1)]
    [line] = lines.all()
    assert (line["level"], "dropped" in line) == ("warning", False)
    await asyncio.sleep(59)
    assert len(logged_hits(lines)) == 1
    await asyncio.sleep(2)
    assert logged_hits(lines)[1:] == [(STREAMS, "SyncCustomer", 4999)]


@on_virtual_time
async def test_flood_of_hits_logs_one_line_a_minute(lines: CapturedLines) -> None:
    log = LimitLog()
    for _ in range(600):
        log.hit(TOKEN)
        await asyncio.sleep(0.5)
    await asyncio.sleep(120)
    assert 6 <= len(logged_hits(lines)) <= 7
    assert sum(times for *_, times in logged_hits(lines)) == 600, "each hit is in one line"


@on_virtual_time
async def test_limit_without_hits_is_dropped_and_its_next_hit_logged_at_once(lines: CapturedLines) -> None:
    log = LimitLog()
    log.hit(TOKEN)
    await asyncio.sleep(61)
    assert not log._kinds
    log.hit(TOKEN)
    assert logged_hits(lines) == [(TOKEN, None, 1)] * 2


@on_virtual_time
async def test_each_limit_is_counted_separately(lines: CapturedLines) -> None:
    log = LimitLog()
    for what, method in ((STREAMS, None), (TOKEN, "ListQueue"), (TOKEN, "GetOrder"), (TOKEN, "ListQueue")):
        log.hit(what, method)
    assert logged_hits(lines) == [(STREAMS, None, 1), (TOKEN, "ListQueue", 1), (TOKEN, "GetOrder", 1)]
    log.close()
    assert logged_hits(lines)[3:] == [(TOKEN, "ListQueue", 1)], "a stop logs the counted hits"
    await asyncio.sleep(61)
    assert len(logged_hits(lines)) == 4


@on_virtual_time
async def test_number_of_counted_kinds_is_bounded(lines: CapturedLines) -> None:
    log = LimitLog()
    for number in range(10_000):
        log.hit(TOKEN, f"Method{number}")
    assert len(log._kinds) == MAX_KINDS + 1
    log.close()
    assert logged_hits(lines)[MAX_KINDS:] == [(TOKEN, None, 1), (TOKEN, None, 10_000 - MAX_KINDS - 1)]
