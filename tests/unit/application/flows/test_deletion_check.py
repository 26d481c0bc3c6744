"""A 404 proves a deletion only with a successful read of the same resource within ten minutes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from support.shop_flow_world import ShopWorld, present
from support.virtual_time import on_virtual_time
from tillsync_server.domain.enums import Side, TillApiVersion
from tillsync_server.domain.errors import CredentialsRefused, Misaddressed, Missing, Throttled, UpstreamError
from tillsync_server.ports.tills import TillKnowledge

NOT_THERE = Missing(Side.TILL, "not found in Epos Now: HTTP 404", status=404)


@on_virtual_time
async def test_first_page_is_listed_without_a_known_read_and_proves_for_ten_minutes() -> None:
    world = ShopWorld()
    world.put(1)
    deletion_check = world.context().deletion_check
    assert await deletion_check.of_customer(NOT_THERE) is None
    assert world.till.count("list_customers") == 1
    await asyncio.sleep(599)
    assert await deletion_check.of_customer(NOT_THERE) is None
    assert world.till.count("list_customers") == 1
    await asyncio.sleep(1)
    assert await deletion_check.of_customer(NOT_THERE) is None
    assert world.till.count("list_customers") == 2


@on_virtual_time
async def test_read_of_this_or_another_process_is_a_proof() -> None:
    world = ShopWorld()
    deletion_check = world.context().deletion_check
    await deletion_check.note_customers_read()
    assert await deletion_check.of_customer(NOT_THERE) is None
    assert await world.context().deletion_check.of_customer(NOT_THERE) is None  # another lease
    assert world.till.requests == 0
    await asyncio.sleep(601)
    world.knowledge.stored[world.account.till_id, world.account.till_configuration] = TillKnowledge(
        customers_read_at=present() - timedelta(minutes=9)
    )
    assert await world.context().deletion_check.of_customer(NOT_THERE) is None
    assert world.till.requests == 0


@on_virtual_time
@pytest.mark.catches("gone-needs-a-proof")
async def test_missing_list_is_a_wrong_address() -> None:
    for error in (NOT_THERE, Misaddressed(Side.TILL, "HTML", status=404)):
        world = ShopWorld()
        world.till.decide_fault = lambda method, argument, error=error: error  # type: ignore[misc]
        found = await world.context().deletion_check.of_customer(NOT_THERE)
        assert isinstance(found, Misaddressed)
        assert found.status == 404


@on_virtual_time
async def test_error_of_the_list_replaces_the_404() -> None:
    for error in (Throttled(Side.TILL, "limit", retry_after_seconds=30), CredentialsRefused(Side.TILL, "refused", status=401)):
        world = ShopWorld()
        world.till.decide_fault = lambda method, argument, error=error: error  # type: ignore[misc]
        assert await world.context().deletion_check.of_customer(NOT_THERE) is error


@on_virtual_time
async def test_other_errors_are_returned_unchanged() -> None:
    world = ShopWorld()
    html = Misaddressed(Side.TILL, "HTML 404", status=404)
    deletion_check = world.context().deletion_check
    await deletion_check.note_customers_read()
    await deletion_check.note_types_read()
    assert await deletion_check.of_customer(html) is html
    assert await deletion_check.of_type(html) is html


@on_virtual_time
async def test_concurrent_checks_share_one_listing_even_a_failed_one() -> None:
    for works in (True, False):
        world = ShopWorld()
        if not works:
            world.till.decide_fault = lambda method, argument: NOT_THERE
        deletion_check = world.context().deletion_check
        answers: list[UpstreamError | None] = await asyncio.gather(*(deletion_check.of_customer(NOT_THERE) for _ in range(50)))
        assert {type(answer) for answer in answers} == {type(None) if works else Misaddressed}
        assert world.till.requests == 1


@on_virtual_time
async def test_proof_holds_for_one_resource_and_one_api_version() -> None:
    world = ShopWorld()
    deletion_check = world.context().deletion_check
    await deletion_check.note_customers_read()
    await deletion_check.of_type(NOT_THERE)
    assert [call[0] for call in world.till.calls] == ["list_customer_types"]
    world.account = replace(world.account, epos=replace(world.account.epos, customer_type_api_version=TillApiVersion.V4))
    await world.context().deletion_check.of_type(NOT_THERE)
    assert world.till.count("list_customer_types") == 2
    world.account = replace(world.account, epos=replace(world.account.epos, base_url="https://other.example.test"))
    await world.context().deletion_check.of_customer(NOT_THERE)
    assert world.till.count("list_customers") == 1


@on_virtual_time
async def test_reads_are_stored_seldom_and_last_pages_always() -> None:
    world = ShopWorld()
    deletion_check, key = world.context().deletion_check, (world.account.till_id, world.account.till_configuration)
    await deletion_check.note_customers_read()
    first = world.knowledge.stored[key].customers_read_at
    await asyncio.sleep(5)
    await deletion_check.note_customers_read()
    assert world.knowledge.stored[key].customers_read_at == first
    await deletion_check.note_customers_read(last_page=9)
    assert world.knowledge.stored[key].last_page == 9
    await asyncio.sleep(15)
    await deletion_check.note_customers_read()
    assert world.knowledge.stored[key].customers_read_at == present()
