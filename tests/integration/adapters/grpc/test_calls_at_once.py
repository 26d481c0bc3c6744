"""Calls that send requests to till or shop while the caller waits. A site token may have a limited number of each method under way."""

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
async def test_third_call_of_a_site_is_resource_exhausted_with_a_retry_delay(api: ApiHarness, method: str) -> None:
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
    # calls of another account and of an operator do not count
    others = [
        asyncio.create_task(api.grpc.call(method, request_of(method, api, "shop-b"), other)),
        asyncio.create_task(api.grpc.call(method, request, api.admin)),
    ]
    await side.arrived(4)
    waiting[0].cancel()  # a cancelled call ends, and the next one may run
    third = asyncio.create_task(api.grpc.call(method, request, site))

    def third_call_runs() -> bool:
        nonlocal third
        if third.done():
            error = third.exception()
            assert isinstance(error, grpc.aio.AioRpcError)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            third = asyncio.create_task(api.grpc.call(method, request, site))
        return side.used == 5

    await until(third_call_runs, lambda: f"{side.used} calls have sent their request")
    for script in hanging:
        script.cancel()
    ended = await asyncio.gather(waiting[1], third, *others, return_exceptions=True)
    # other errors of these accounts do not matter
    assert not [error for error in ended if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
    await asyncio.gather(waiting[0], return_exceptions=True)


def test_limited_methods_are_exactly_these() -> None:
    assert {path.rpartition("/")[2] for path in AT_ONCE} == {
        "CheckAccount", "ConnectShop", "UpdateSiteSettings", "SearchEposCustomers", "ListCandidates", "ResolveOrderCustomer",
        "ExportPerson", "ErasePerson",
    }  # fmt: skip
