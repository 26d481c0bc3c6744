"""The methods that each role may call, over a real channel and on the real token store."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from support.engine import EngineWorld
from support.grpc_server import STUBS, GrpcWorld, an_order, grpc_world, match_request
from support.waiting import HANG_SECONDS, NEVER_SECONDS, until
from tillsync.v1 import account_service_pb2, catalog_service_pb2
from tillsync.v1 import customer_sync_service_pb2 as sync_pb2
from tillsync.v1 import vocabulary_pb2 as words
from tillsync_server.adapters.grpc.access import ACCESS
from tillsync_server.application.use_cases import authentication
from tillsync_server.domain.enums import Role

pytestmark = pytest.mark.integration
UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED


def sync(account: str) -> sync_pb2.SyncCustomerRequest:
    return sync_pb2.SyncCustomerRequest(account_id=account, epos_customer_id=7)


@pytest.mark.parametrize(
    ("header", "reason"),
    [(None, "TOKEN_MISSING"), ("Bearer nonsense", "TOKEN_UNKNOWN"), ("Basic dGxz", "TOKEN_MISSING"), ("Bearer ", "TOKEN_MISSING")],
)
async def test_invalid_token_gets_no_details_of_the_request(world: EngineWorld, header: str | None, reason: str) -> None:
    metadata = () if header is None else (("authorization", header),)
    async with grpc_world(world) as api:
        refused = await api.refusal("CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(), metadata)
    assert (refused.code, refused.reason, refused.fields) == (UNAUTHENTICATED, reason, {})


async def call_status(api: GrpcWorld, path: str, request: Any, metadata: Any) -> grpc.StatusCode:
    _, service, name = path.split("/")
    try:
        call = getattr(api.stub(service.rpartition(".")[2]), name)(request, metadata=metadata, timeout=HANG_SECONDS)
        if name == "WatchQueue":
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("role", [Role.SITE, Role.SERVICE, Role.SUPPORT, Role.ADMIN], ids=lambda role: role.name)
async def test_every_method_is_denied_exactly_to_the_other_roles(world: EngineWorld, role: Role) -> None:
    """The requests are empty. A method that the role may call refuses at most their fields."""
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        metadata = await api.token(role, "shop-a" if role is Role.SITE else None)
        for path, roles in ACCESS.items():
            method = descriptor_pool.Default().FindMethodByName(path[1:].replace("/", "."))
            request = message_factory.GetMessageClass(method.input_type)()
            status = await call_status(api, path, request, metadata)
            assert (status is DENIED) is (role not in roles), (path, status)


async def test_site_token_gets_the_same_denial_for_existing_and_missing_accounts(world: EngineWorld) -> None:
    await world.add_accounts("shop-a", "shop-b")
    async with grpc_world(world) as api:
        site = await api.token(Role.SITE, "shop-a")
        await api.call("CustomerSyncService/SyncCustomer", sync("shop-a"), site)
        existing = await api.refusal("CustomerSyncService/SyncCustomer", sync("shop-b"), site)
        missing = await api.refusal("CustomerSyncService/SyncCustomer", sync("nobody"), site)
        for_service = await api.refusal("CustomerSyncService/SyncCustomer", sync("nobody"), await api.token(Role.SERVICE))
        orders = await api.refusal("CustomerSyncService/MatchOrderCustomer", match_request("shop-b", an_order()), site)
        invalid = await api.refusal("CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(account_id="shop-b"), site)
    assert existing == missing == orders == invalid
    assert (existing.code, existing.reason) == (DENIED, "FOREIGN_ACCOUNT")
    assert "shop-b" not in existing.message
    assert (for_service.code, for_service.reason) == (grpc.StatusCode.NOT_FOUND, "ACCOUNT_NOT_FOUND")
    assert not await world.fetch("SELECT 1 FROM entry WHERE account_id <> 'shop-a'")


async def test_revoked_token_is_refused_after_its_notification(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification invalidates the cached token, which would otherwise last longer than the test's limit."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", NEVER_SECONDS)
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        service = await api.token(Role.SERVICE)
        await api.call("CustomerSyncService/SyncCustomer", sync("shop-a"), service)
        [token] = await api.tokens.list_tokens(None, after="", limit=10)
        await api.tokens.revoke(None, token.token_id)

        async def refusal() -> grpc.StatusCode | None:
            try:
                await api.call("CustomerSyncService/SyncCustomer", sync("shop-a"), service)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return None

        async def use_is_stored() -> bool:
            [row] = await world.fetch("SELECT last_used_time FROM token")
            return row["last_used_time"] is not None

        assert await until(refusal) is UNAUTHENTICATED
        await until(use_is_stored)  # the service stores the use in the background, after the answer


async def test_role_is_checked_before_fields_and_fields_before_the_account(world: EngineWorld) -> None:
    async with grpc_world(world) as api:
        support = await api.refusal("CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(), await api.token(Role.SUPPORT))
        service = await api.refusal(
            "CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(account_id="nobody"), await api.token(Role.SERVICE)
        )
    assert (support.code, support.reason) == (DENIED, "ROLE_NOT_ALLOWED")
    assert (service.code, set(service.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, {"epos_customer_id"})


async def test_methods_without_an_account_check_the_role(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        site = await api.token(Role.SITE, "shop-a")
        messages = (await api.call("CatalogService/ListMessages", catalog_service_pb2.ListMessagesRequest(), site)).messages
        refused = await api.refusal("AccountService/ListAccounts", account_service_pb2.ListAccountsRequest(), site)
    assert refused.code is DENIED
    assert len(messages) == 14
    by_code = {message.code: message for message in messages}
    assert by_code["UPDATED"].text == "Successfully Updated"
    assert by_code["UPDATED"].text_is_verbatim
    assert by_code["TYPE_REQUEST_FAILED"].text == "{response from customer type update/delete}"
    assert not by_code["TYPE_REQUEST_FAILED"].text_is_verbatim
    assert list(by_code["DUPLICATE_EMAIL"].states) == [words.ENTRY_STATE_HELD]
    assert all(message.meaning and message.what_to_do and message.message_class and message.responsible for message in messages)
    assert [message.outcome for message in messages] == list(range(1, 15))


def test_stubs_cover_every_service() -> None:
    assert {path.split("/")[1].rpartition(".")[2] for path in ACCESS} == set(STUBS)
