"""Calls that ask a till or a shop while the caller waits: a site token has few of them under way, whoever waits for whom."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.waiting import until
from tillsync.v1 import account_service_pb2, link_service_pb2
from tillsync_server.adapters.grpc.access import AT_ONCE
from tillsync_server.domain.enums import Role

pytestmark = pytest.mark.integration
SECRET = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world) as made:
        await made.add_account("shop-a")
        await made.add_account("shop-b", till_id="other")
        yield made


def request_of(method: str, api: ApiHarness, account: str) -> Message:
    match method:
        case "LinkService/SearchEposCustomers":
            return link_service_pb2.SearchEposCustomersRequest(account_id=account, query="90001")
        case "AccountService/CheckAccount":
            return account_service_pb2.CheckAccountRequest(account_id=account)
        case _:
            return account_service_pb2.ConnectShopRequest(account_id=account, base_url=api.shop.origin, bridge_secret=SECRET)


@pytest.mark.parametrize("method", ["LinkService/SearchEposCustomers", "AccountService/CheckAccount", "AccountService/ConnectShop"])
async def test_a_site_has_two_under_way_and_the_next_is_told_to_come_back(api: ApiHarness, method: str) -> None:
    site = await api.grpc.token(Role.SITE, "shop-a")
    other = await api.grpc.token(Role.SITE, "shop-b")
    request = request_of(method, api, "shop-a")
    hanging = [sandbox.faults.script(path="*", hang="before", times=None) for sandbox in (api.till, api.shop)]
    side = hanging[1] if method.endswith("ConnectShop") else hanging[0]
    waiting = [asyncio.create_task(api.grpc.call(method, request, site)) for _ in range(2)]
    await side.arrived(2)
    refused = await api.refusal(method, request, site)
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_AT_ONCE")
    assert refused.metadata == {"method": method.partition("/")[2], "at_once": "2"}
    assert "call again when one has ended" in refused.message
    assert refused.retry_seconds == 5
    # of another account, and an operator's own: not kept out
    theirs = [
        asyncio.create_task(api.grpc.call(method, request_of(method, api, "shop-b"), other)),
        asyncio.create_task(api.grpc.call(method, request, api.admin)),
    ]
    await side.arrived(4)
    waiting[0].cancel()  # a caller that leaves gives its place back
    again = asyncio.create_task(api.grpc.call(method, request, site))

    def is_let_in() -> bool:
        nonlocal again
        if again.done():
            error = again.exception()
            assert isinstance(error, grpc.aio.AioRpcError)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            again = asyncio.create_task(api.grpc.call(method, request, site))
        return side.used == 5

    await until(is_let_in, lambda: f"{side.used} calls ask the other side")
    for script in hanging:
        script.cancel()
    ended = await asyncio.gather(waiting[1], again, *theirs, return_exceptions=True)
    # as these accounts stand; that each was let in is what counts
    assert not [error for error in ended if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
    await asyncio.gather(waiting[0], return_exceptions=True)


def test_every_method_with_a_limit_is_a_method() -> None:
    assert {path.rpartition("/")[2] for path in AT_ONCE} == {
        "CheckAccount", "ConnectShop", "SearchEposCustomers", "ListCandidates", "ResolveOrderCustomer", "ExportPerson",
        "ErasePerson",
    }  # fmt: skip
