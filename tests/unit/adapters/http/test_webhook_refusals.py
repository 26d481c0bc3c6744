"""Refusals of wrong credentials are delayed longer with each guess at an address, for a bounded number at a time."""

from __future__ import annotations

import asyncio

import pytest
from support.virtual_time import on_virtual_time
from tillsync_server.adapters.http import webhook_refusals
from tillsync_server.adapters.http.webhook_openers import Address
from tillsync_server.adapters.http.webhook_refusals import (
    FORGET_SECONDS,
    MAX_SECONDS,
    MAX_WAITING,
    MAX_WAITING_AT_ADDRESS,
    PLAIN_REFUSALS,
    REFUSAL_SECONDS,
    WebhookRefusals,
)

SHOP, OTHER = Address(True, "shop-1"), Address(True, "shop-2")


def refusals() -> WebhookRefusals:
    return WebhookRefusals(asyncio.get_running_loop().time)


async def seconds_of(made: WebhookRefusals, address: Address | None = SHOP, *, since: float = 0.0) -> float:
    began = asyncio.get_running_loop().time()
    await made.wait(address, began - since)
    return round(asyncio.get_running_loop().time() - began, 6)


@pytest.mark.catches("guesses-are-slowed")
@on_virtual_time
async def test_further_guesses_at_an_address_are_delayed_longer_until_a_pause() -> None:
    made = refusals()
    assert [await seconds_of(made) for _ in range(PLAIN_REFUSALS)] == [REFUSAL_SECONDS] * PLAIN_REFUSALS
    assert [await seconds_of(made) for _ in range(7)] == [0.2, 0.4, 0.8, 1.6, 3.2, MAX_SECONDS, MAX_SECONDS]
    assert await seconds_of(made, OTHER) == REFUSAL_SECONDS
    assert await seconds_of(made, None) == REFUSAL_SECONDS
    await asyncio.sleep(FORGET_SECONDS + 1)
    assert await seconds_of(made) == REFUSAL_SECONDS


@on_virtual_time
async def test_delay_counts_from_the_arrival() -> None:
    made = refusals()
    assert await seconds_of(made, since=0.06) == 0.04
    assert await seconds_of(made, since=7) == 0


@on_virtual_time
async def test_long_delays_are_limited_per_address_and_in_total() -> None:
    made = refusals()
    for number in range(100):
        for _ in range(PLAIN_REFUSALS + 6):
            made._count(Address(True, f"shop-{number}"))
    took = await asyncio.gather(*(seconds_of(made, Address(True, "shop-1")) for _ in range(50)))
    assert sorted(took) == [REFUSAL_SECONDS] * (50 - MAX_WAITING_AT_ADDRESS) + [MAX_SECONDS] * MAX_WAITING_AT_ADDRESS
    took = await asyncio.gather(*(seconds_of(made, Address(True, f"shop-{number % 100}")) for number in range(600)))
    assert sorted(took) == [REFUSAL_SECONDS] * (600 - MAX_WAITING) + [MAX_SECONDS] * MAX_WAITING
    assert made._waiting == 0


@on_virtual_time
async def test_number_of_remembered_addresses_is_bounded() -> None:
    made = refusals()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhook_refusals, "MAX_ADDRESSES", 10)
        await asyncio.gather(*(made.wait(Address(True, f"shop-{number}"), 0.0) for number in range(100)))
    assert len(made._refused) == 10
