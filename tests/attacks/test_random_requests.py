"""Random messages and bodies to every method, over both edges. The error code of each says that the sender is at fault."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import grpc
import pytest
from attacks.attacked import AttackedService, raw_call
from attacks.requests import STREAMS, request_class
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from support.soak import rounds
from support.waiting import HANG_SECONDS
from tillsync_server.adapters.grpc.access import ACCESS

pytestmark = pytest.mark.processes
_OPEN = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch")
_CALLS_TILL = (
    *("ConnectShop", "CheckAccount", "SearchEposCustomers", "ListCandidates", "ResolveOrderCustomer"),
    *("ExportPerson", "ErasePerson"),
)
"""Methods that would wait for a missing till after a valid request."""
_WRONG = {"INTERNAL", "UNKNOWN", "DATA_LOSS", "CANCELLED", "ABORTED"}
_TEXTS = ["", "shop-1", "\ud800", "a\udc00b", "\x00", "é" * 300, "😀", "../", "' OR 1=1 --", "%s{}", "ada@example.test", "0" * 70]


class RandomRequests:
    """Makes random requests. The same seed makes the same requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def raw(self, path: str) -> bytes:
        """Returns a message of the method that is valid, cut or altered, or random bytes."""
        valid = self._message(request_class(path), 0).SerializeToString()
        match self._random.randrange(4):
            case 0:
                return valid
            case 1:
                return valid[: self._random.randrange(len(valid) + 1)]
            case 2:
                changed = bytearray(valid or b"\x00")
                for _ in range(1 + len(changed) // 20):
                    changed[self._random.randrange(len(changed))] = self._random.randrange(256)
                return bytes(changed)
        return self._random.randbytes(self._random.randrange(200))

    def body(self, path: str) -> bytes:
        """Returns JSON with fields of the method or with unknown ones, or invalid JSON."""
        fields = request_class(path).DESCRIPTOR.fields
        made = {field.json_name: self._json(0) for field in fields if self._random.random() < 0.6}
        if self._random.random() < 0.2:
            made[self._random.choice(_TEXTS)] = self._json(0)
        text = json.dumps(made)  # writes lone surrogates as \\ud800
        if self._random.random() < 0.2:
            text = text[: self._random.randrange(len(text) + 1)]
        return text.encode()

    def choice(self, paths: list[str]) -> str:
        return self._random.choice(paths)

    def _message(self, kind: type[Message], depth: int) -> Message:
        message = kind()
        for field in message.DESCRIPTOR.fields:
            if self._random.random() < 0.4 or depth > 3:
                continue
            count = self._random.randrange(4) if field.is_repeated else 1
            for _ in range(count):
                self._set(message, field, depth)
        return message

    def _set(self, message: Message, field: Any, depth: int) -> None:
        if field.message_type is not None:
            if field.message_type.GetOptions().map_entry:
                return
            inner = self._message(message_factory.GetMessageClass(field.message_type), depth + 1)
            if field.is_repeated:
                getattr(message, field.name).append(inner)
            else:
                getattr(message, field.name).CopyFrom(inner)
            return
        value = self._scalar(field)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)

    def _scalar(self, field: Any) -> object:
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING:
                text = self._random.choice([each for each in _TEXTS if each.isprintable() or each == "\x00"])
                return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text.encode("utf-8", "replace").decode()
            case FieldDescriptor.CPPTYPE_BOOL:
                return self._random.random() < 0.5
            case FieldDescriptor.CPPTYPE_ENUM:
                return self._random.randrange(-1, 20)
            case FieldDescriptor.CPPTYPE_INT64:
                return self._random.choice([0, 1, 7, -1, 2**63 - 1, -(2**63)])
        return self._random.choice([0, 1, 7, 2**31 - 1])

    def _json(self, depth: int) -> object:
        kinds = self._random.randrange(8 if depth < 3 else 5)
        match kinds:
            case 0:
                return self._random.choice(_TEXTS)
            case 1:
                return self._random.choice([0, 1, -1, 2**63, 1.5, 1e308])
            case 2:
                return self._random.choice([None, True, "PRIORITY_LIVE", "2026-01-01T00:00:00Z", "9" * 40])
            case 3:
                return self._random.choice(["shop-1", "1", "QUEUE_ORDERS", "QUEUE_CUSTOMERS"])
            case 4:
                return str(self._random.randrange(10))
            case 5:
                return [self._json(depth + 1) for _ in range(self._random.randrange(4))]
        return {self._random.choice(["orderId", "email", "billingEmail", "x", "\udfff", "states"]): self._json(depth + 1) for _ in range(2)}


def fuzzed_methods() -> list[str]:
    return [path for path in ACCESS if not path.endswith((*_CALLS_TILL, "CreateAccount", "UpdateAccount", "RevokeToken"))]


async def status_of(channel: grpc.aio.Channel, path: str, raw: bytes, metadata: tuple[tuple[str, str], ...]) -> str:
    try:
        if path in STREAMS:
            streaming: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
            call = streaming(raw, metadata=metadata, timeout=HANG_SECONDS)
            await call.read()
            call.cancel()
            return "OK"
        await raw_call(channel, path)(raw, metadata=metadata, timeout=HANG_SECONDS)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_random_messages_are_invalid_arguments(attacked: AttackedService) -> None:
    requests, codes = RandomRequests(1), Counter[str]()
    paths = [*fuzzed_methods(), *_OPEN]
    async with attacked.connection() as channel:
        for number in range(rounds(600, 20_000)):
            path = requests.choice(paths)
            metadata = attacked.as_role(("SITE", "ADMIN")[number % 2]) if number % 5 else ()
            raw = requests.raw(path)
            code = await status_of(channel, path, raw, metadata)
            codes[code] += 1
            assert code not in _WRONG, (path, raw)
    assert {"OK", "INVALID_ARGUMENT", "UNAUTHENTICATED"} <= codes.keys(), codes
    assert attacked.fault_lines() == []


async def test_random_bodies_are_client_errors(attacked: AttackedService) -> None:
    requests, statuses = RandomRequests(2), Counter[int]()
    paths = fuzzed_methods()
    for number in range(rounds(400, 10_000)):
        path = requests.choice(paths)
        headers = {"Content-Type": "application/json", **(attacked.bearer(("SITE", "ADMIN")[number % 2]) if number % 5 else {})}
        body = requests.body(path)
        async with attacked.http.post(attacked.url + path, data=body, headers=headers) as answer:
            statuses[answer.status] += 1
            assert answer.status < 500 or answer.status == 501, (path, body, await answer.read())
            json.loads(await answer.read())
    assert {200, 400, 401} <= statuses.keys(), statuses
    assert attacked.fault_lines() == []


@pytest.mark.parametrize("role", ["", "SITE"])
async def test_lone_surrogates_are_client_errors(attacked: AttackedService, role: str) -> None:
    headers = {"Content-Type": "application/json", **(attacked.bearer(role) if role else {})}
    for path, body in (
        ("QueueService/RetryQueueEntries", rb'{"accountId": "shop-1", "entryIds": ["\ud800"]}'),
        ("CustomerSyncService/ListQueue", rb'{"accountId": "shop-1", "queue": "QUEUE_ORDERS", "states": ["\ud800"]}'),
        ("CustomerSyncService/ListQueue", rb'{"accountId": "shop-1", "queue": "\udfff"}'),
        ("CustomerSyncService/SyncCustomer", rb'{"accountId": "shop-1", "\ud800": {"a": "\ud800"}}'),
        ("CustomerSyncService/SyncCustomer", rb'{"accountId": "\ud800", "later": 1}'),
        ("CustomerSyncService/SyncCustomer", rb'{"accountId": "shop-1", "eposCustomerId": "\ud800", "later": 1}'),
    ):
        async with attacked.http.post(f"{attacked.url}/tillsync.v1.{path}", data=body, headers=headers) as answer:
            assert answer.status == (400 if role else 401), (body, await answer.read())
            assert json.loads(await answer.read())["message"]
    assert attacked.fault_lines() == []
