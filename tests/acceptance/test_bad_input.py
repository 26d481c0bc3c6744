"""Sends bad input to every RPC. The cases come from the contract's descriptors: each field gets every bad value of its type, one at a time.

The answer is INVALID_ARGUMENT with the field's name (NOT_FOUND or PERMISSION_DENIED for accounts), and nothing is stored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
import pytest_asyncio
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from support.grpc_server import STUBS, Refusal
from support.postgres import Cluster
from support.race_environment import RaceEnvironment, race_environment
from support.service import ADMIN_TOKEN
from support.waiting import HANG_SECONDS
from tillsync.v1 import account_pb2, customer_sync_service_pb2, token_pb2
from tillsync_server.adapters.grpc.servicers.unbuilt import UNBUILT

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS, FOREIGN, UNKNOWN = "shop-ours", "shop-foreign", "shop-unknown"
VALID = {
    "account_id": OURS,
    "entry_id": "01890000-0000-7000-8000-000000000000",
    "order_key": "ab" * 32,
    "query": "ada",
    "token_id": "none",
    "base_url": "http://127.0.0.1:9",
    "bridge_secret": "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0",
    "shop_url": "http://127.0.0.1:9",
}
ONE_BY_ONE = {
    "BatchSyncCustomersRequest.epos_customer_ids",
    "BatchGetOrderMatchesRequest.order_ids",
    "BatchMatchOrderCustomersRequest.orders",
}
"""Fields of batches, whose bad items are answered by position."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    async with race_environment(cluster) as made:
        for account_id in (OURS, FOREIGN):
            await made.running.add_account(account_id)
        await made.running.add_account("shop-hooked", webhook_key="user", webhook_secret="password")
        yield made


def methods() -> list[MethodDescriptor]:
    """All implemented methods of all services."""
    found = []
    for service in STUBS:
        for method in descriptor_pool.Default().FindServiceByName(f"tillsync.v1.{service}").methods:
            if f"/tillsync.v1.{service}/{method.name}" not in UNBUILT:
                found.append(method)
    return found


def has_behaviour(field: FieldDescriptor, behaviour: int) -> bool:
    options: Any = field.GetOptions()
    return behaviour in options.Extensions[field_behavior_pb2.field_behavior]


def fill(message: Any) -> Any:
    """Fills the fields that the descriptors require with valid values; of a oneof its first field."""
    for field in message.DESCRIPTOR.fields:
        required = has_behaviour(field, field_behavior_pb2.REQUIRED)
        oneof = field.containing_oneof
        chosen = oneof is not None and not oneof.name.startswith("_") and field is oneof.fields[0]
        if not required and not chosen:
            continue
        put(message, field)
    return message


def put(message: Any, field: FieldDescriptor) -> None:
    """Sets a valid value; of a message field its required fields."""
    if field.message_type is not None:
        target = getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name)
        if not field.is_repeated:
            target.SetInParent()
        if field.message_type.full_name == "google.protobuf.FieldMask":
            target.paths.append("name")
        elif not field.message_type.full_name.startswith("google."):
            fill(target)
        return
    value: Any = 7
    if field.type == FieldDescriptor.TYPE_STRING:
        value = VALID.get(field.name, "valid")
    elif field.enum_type is not None:
        value = field.enum_type.values[1].number
    elif field.type == FieldDescriptor.TYPE_BOOL:
        value = True
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


@dataclass(frozen=True)
class BadRequest:
    method: MethodDescriptor
    path: str
    how: str
    request: Any

    def __str__(self) -> str:
        return f"{self.method.name}.{self.path}: {self.how}"


TYPED_BY_PEOPLE = {
    (f"{kind}.{name}", how)
    for kind, names in {
        "Order": ("order_number", "account_email", "billing_email", "first_name", "last_name", "company", "phone"),
        "UnlinkedProduct": ("sku", "name"),
    }.items()
    for name in names
    for how in ("over-long", "with a control character")
    if how != "over-long" or not name.endswith("email")
}
"""Texts of an order.

The service corrects them and refuses no order because of them (tests/unit/domain/test_order_texts.py). It never cuts an email.
"""


def valid_request(method: MethodDescriptor) -> Any:
    return fill(GetMessageClass(method.input_type)())


def bad_requests(method: MethodDescriptor) -> Iterator[BadRequest]:
    yield from _bad_requests(method, method.input_type, "", lambda request: request)


def _bad_requests(method: MethodDescriptor, kind: Descriptor, prefix: str, reach: Callable[[Any], Any]) -> Iterator[BadRequest]:
    for field in kind.fields:
        if has_behaviour(field, field_behavior_pb2.OUTPUT_ONLY) or f"{kind.name}.{field.name}" in ONE_BY_ONE:
            continue
        path, required = prefix + field.name, has_behaviour(field, field_behavior_pb2.REQUIRED)
        if required:
            request = valid_request(method)
            reach(request).ClearField(field.name)
            yield BadRequest(method, path, "missing", request)
        for how, value in bad_values(field, required):
            if (f"{kind.name}.{field.name}", how) in TYPED_BY_PEOPLE:
                continue
            request = valid_request(method)
            if field.is_repeated:
                getattr(reach(request), field.name).append(value)
                yield BadRequest(method, f"{path}[{len(getattr(reach(request), field.name)) - 1}]", how, request)
            else:
                setattr(reach(request), field.name, value)
                yield BadRequest(method, path, how, request)
        nested = field.message_type
        if nested is not None and not nested.full_name.startswith("google."):
            yield from _bad_requests(method, nested, f"{path}[0]." if field.is_repeated else f"{path}.", _nested_reach(reach, field))


def _nested_reach(reach: Callable[[Any], Any], field: FieldDescriptor) -> Callable[[Any], Any]:
    def inner(request: Any) -> Any:
        message = reach(request)
        if field.is_repeated:
            if not getattr(message, field.name):
                put(message, field)
            return getattr(message, field.name)[0]
        if not message.HasField(field.name):
            put(message, field)
        return getattr(message, field.name)

    return inner


def bad_values(field: FieldDescriptor, required: bool) -> list[tuple[str, Any]]:
    if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
        return [("over-long", "x" * 10_000), ("with a control character", "a\x00b")]
    if field.enum_type is not None:
        return [("an unknown value", 99)] + ([("unspecified", 0)] if required or field.is_repeated else [])
    if field.type in (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32) and not field.is_repeated:
        in_oneof = field.containing_oneof is not None
        return [("negative", -1)] + ([("zero", 0)] if required or in_oneof else [])
    return []


CASES = [case for method in methods() for case in bad_requests(method)]


async def refusal(environment: RaceEnvironment, method: MethodDescriptor, request: Message, token: str = ADMIN_TOKEN) -> Refusal:
    service = method.containing_service
    async with grpc.aio.insecure_channel(environment.running.grpc_address) as channel:
        call = getattr(STUBS[service.name](channel), method.name)
        try:
            answer = await call(request, metadata=(("authorization", f"Bearer {token}"),), timeout=HANG_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Refusal.of(error)
    raise AssertionError(f"{method.name} was answered: {answer}")


async def is_nothing_stored(environment: RaceEnvironment) -> bool:
    counted = "SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM entry_history) + (SELECT count(*) FROM link)"
    return int(await environment.connection.fetchval(counted)) == 0


async def test_every_bad_value_of_every_field_is_refused_with_the_field_name(environment: RaceEnvironment) -> None:
    """One test makes some hundreds of calls and lists each one that got another answer."""
    assert len(CASES) > 200
    wrong = []
    for case in CASES:
        try:
            refused = await refusal(environment, case.method, case.request)
        except AssertionError as answered:
            wrong.append(f"{case}: {answered}"[:200])
            continue
        path = case.path.removesuffix("[0]")
        named = any(name in (case.path, path) or name.startswith(f"{path}[") for name in refused.fields)
        if refused.code is not grpc.StatusCode.INVALID_ARGUMENT or not named:
            wrong.append(f"{case}: {refused.code.name} {refused.fields or refused.message}"[:200])
    assert wrong == []
    assert await is_nothing_stored(environment)


def account_methods() -> list[MethodDescriptor]:
    return [method for method in methods() if "account_id" in method.input_type.fields_by_name and method.name != "CreateAccount"]


async def test_calls_for_unknown_account_are_answered_not_found(environment: RaceEnvironment) -> None:
    optional = {"CreateToken", "ListTokens", "RevokeToken"}
    for method in account_methods():
        request = valid_request(method)
        request.account_id = UNKNOWN
        refused = await refusal(environment, method, request)
        assert refused.code is grpc.StatusCode.NOT_FOUND, (method.name, refused)
        assert refused.reason == "ACCOUNT_NOT_FOUND" or method.name in optional, (method.name, refused)


async def test_site_token_cannot_tell_whether_another_account_exists(environment: RaceEnvironment) -> None:
    site = (await environment.running.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id=OURS)).secret
    for method in account_methods():
        refusals = []
        for account_id in (FOREIGN, UNKNOWN):
            request = valid_request(method)
            request.account_id = account_id
            refusals.append(await refusal(environment, method, request, site))
        assert refusals[0] == refusals[1], f"{method.name} shows whether an account exists"
        assert refusals[0].code is grpc.StatusCode.PERMISSION_DENIED, (method.name, refusals[0])
    assert await is_nothing_stored(environment)


@pytest.mark.parametrize("garbage", ["x", "AAAA", "e30", "ÿ", "%00", "a" * 300])
async def test_invalid_page_token_is_refused_by_every_listing(environment: RaceEnvironment, garbage: str) -> None:
    for method in methods():
        for name in ("page_token", "continuation_token"):
            if name in method.input_type.fields_by_name:
                request = valid_request(method)
                if "filter" in method.input_type.fields_by_name:
                    request.filter.queue = 1
                if "person" in method.input_type.fields_by_name:
                    request.person.email = "ada@example.test"
                setattr(request, name, garbage)
                refused = await refusal(environment, method, request)
                assert (refused.code, set(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, {name}), method.name


async def test_page_token_of_another_query_is_refused(environment: RaceEnvironment) -> None:
    client = environment.running.client
    await client.accounts.update_account(OURS, account_pb2.Account(customer_sync_enabled=False), ["customer_sync_enabled"])
    await client.sync.sync_customers(OURS, list(range(1, 11)))
    page = customer_sync_service_pb2.ListQueueRequest(account_id=OURS, queue=1, page_size=3)  # type: ignore[arg-type]
    token = (await client.sync.list_queue_page(page)).next_page_token
    assert token
    list_queue = next(method for method in methods() if method.name == "ListQueue")
    for changed in ({"queue": 2}, {"epos_customer_id": 3}, {"email": "a@example.test"}, {"account_id": FOREIGN}, {"states": [2]}):
        request = customer_sync_service_pb2.ListQueueRequest(**{"account_id": OURS, "queue": 1, "page_token": token, **changed})  # type: ignore[arg-type]
        refused = await refusal(environment, list_queue, request)
        assert (refused.code, set(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, {"page_token"}), changed
    others = {"ListLinks", "ListAccounts", "ListTokens"}
    for method in (method for method in methods() if method.name in others):
        request = valid_request(method)
        request.page_token = token
        refused = await refusal(environment, method, request)
        assert (refused.code, set(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, {"page_token"}), method.name


async def test_batch_answers_each_item_by_position(environment: RaceEnvironment) -> None:
    client = environment.running.client
    answers = await client.sync.sync_customers(FOREIGN, [5, 0, 6, -1, 2**63 - 1])
    codes = [getattr(answer, "code", grpc.StatusCode.OK) for answer in answers]
    bad, good = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK
    assert codes == [good, bad, good, bad, good]
    matches = await client.sync.get_order_matches(FOREIGN, [1, 0])
    assert [getattr(answer, "code", None) for answer in matches] == [grpc.StatusCode.NOT_FOUND, bad]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"CustomerID": 7}, {"Authorization": ""}, 401),
        ({"CustomerID": 7}, {"Authorization": "Basic eDp5"}, 401),
        ({"CustomerID": 7}, {"Authorization": "Bearer x"}, 401),
        ({"CustomerID": 7}, {"Epos-Object": ""}, 400),
        ({"CustomerID": 0}, {}, 400),
        ({"CustomerID": "seven"}, {}, 400),
        ({"CustomerID": 2**70}, {}, 400),
        ({}, {}, 400),
        ([], {}, 400),
        (-5, {}, 400),
        (b'{"CustomerID": ', {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b'{"CustomerID": NaN}', {}, 400),
        ({"CustomerID": 7}, {"Content-Type": "text/html"}, 415),
        (b" " * (300 * 1024), {}, 413),
        ({"ProductID": 7}, {"Epos-Object": "Product"}, 204),
    ],
    ids=str,
)
async def test_refused_webhook_queues_nothing(environment: RaceEnvironment, body: Any, headers: dict[str, str], status: int) -> None:
    account_id = "shop-hooked"
    before = await environment.connection.fetchval("SELECT count(*) FROM entry WHERE account_id = $1", account_id)
    sent = {
        "Epos-Object": "Customer",
        "Content-Type": "application/json",
        "Authorization": aiohttp.encode_basic_auth("user", "password"),
        **headers,
    }
    options: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with environment.running.http.post(
        f"{environment.running.http_url}/webhooks/eposnow/{account_id}",
        headers={name: value for name, value in sent.items() if value},
        **options,
    ) as response:
        assert response.status == status, await response.text()
    assert await environment.connection.fetchval("SELECT count(*) FROM entry WHERE account_id = $1", account_id) == before
