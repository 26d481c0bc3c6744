"""The version of an account's bridge is noted from its calls, once an hour or when it changes."""

from __future__ import annotations

from fakes.bridges import FakeSeenBridges
from support.waiting import until
from tillsync_server.application.use_cases.bridge_sightings import NOTE_SECONDS, BridgeSightings
from tillsync_server.domain.ids import AccountId

SHOP_A, SHOP_B = AccountId("shop-a"), AccountId("shop-b")


async def test_version_is_noted_when_it_is_new_or_an_hour_old() -> None:
    now = 0.0
    seen = FakeSeenBridges({SHOP_A, SHOP_B})
    sightings = BridgeSightings(seen, clock=lambda: now)
    for _ in range(3):
        sightings.called(SHOP_A, "tillsync-bridge/1.4.0")
    sightings.called(SHOP_B, "tillsync-bridge/1.3.0")
    await until(lambda: len(seen.noted) == 2)
    sightings.called(SHOP_A, "tillsync-bridge/1.5.0")
    now += NOTE_SECONDS
    sightings.called(SHOP_B, "tillsync-bridge/1.3.0")
    await until(lambda: len(seen.noted) == 4)
    await sightings.close()
    assert seen.noted == [(SHOP_A, "1.4.0"), (SHOP_B, "1.3.0"), (SHOP_A, "1.5.0"), (SHOP_B, "1.3.0")]


async def test_other_callers_are_ignored() -> None:
    seen = FakeSeenBridges({SHOP_A})
    sightings = BridgeSightings(seen)
    for agent in (
        "",
        "curl/8.5.0",
        "tillsync-bridge/1.4",
        "tillsync-bridge/1.4.0-dev",
        "x tillsync-bridge/1.4.0",
    ):
        sightings.called(SHOP_A, agent)
    await sightings.close()
    assert seen.noted == []


async def test_failed_note_is_repeated_at_the_next_call() -> None:
    seen = FakeSeenBridges({SHOP_A}, failures=1)
    sightings = BridgeSightings(seen)
    sightings.called(SHOP_A, "tillsync-bridge/1.4.0")
    await until(lambda: seen.failures == 0)
    await sightings.close()
    sightings.called(SHOP_A, "tillsync-bridge/1.4.0")
    await until(lambda: seen.noted == [(SHOP_A, "1.4.0")])
    await sightings.close()
