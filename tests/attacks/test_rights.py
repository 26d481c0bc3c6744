"""The rights matrix: every method, caller and account, over both edges. A caller without the right gets only the refusal."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import grpc
import pytest
from attacks.attacked import AttackedService, raw_call
from attacks.requests import METHODS, STREAMS, message_of, request_class
from google.protobuf import json_format
from support.waiting import HANG_SECONDS, within
from tillsync_server.adapters.grpc.access import ACCESS
from tillsync_server.domain.enums import Role

pytestmark = pytest.mark.processes
_ACCOUNTS = ("shop-1", "shop-2", "nobody", "")
_CALLERS = {
    "nobody": (None, ""),
    "wrong token": (None, ""),
    "SITE": (Role.SITE, "shop-1"),
    "OTHER_SITE": (Role.SITE, "shop-2"),
    "SERVICE": (Role.SERVICE, ""),
    "SUPPORT": (Role.SUPPORT, ""),
    "ADMIN": (Role.ADMIN, ""),
}
"""Role and account of each caller."""
_REVOKES_TOKENS = "AccountService/DisconnectShop"
_AT_ONCE = 16


@dataclass(frozen=True)
class Case:
    path: str
    caller: str
    account: str

    @property
    def expected(self) -> str:
        """Expected refusal, or empty. Empty means any status of an empty request except a refusal for missing rights."""
        role, own = _CALLERS[self.caller]
        if role is None:
            return "UNAUTHENTICATED"
        if role not in ACCESS[self.path]:
            return "PERMISSION_DENIED"
        has_account = "account_id" in METHODS[self.path].input_type.fields_by_name
        return "PERMISSION_DENIED" if has_account and self.account and own not in ("", self.account) else ""

    @property
    def keeps_tokens(self) -> bool:
        """Whether the call revokes no token. Later cases need the tokens."""
        return not (self.path.endswith(_REVOKES_TOKENS) and not self.expected)


ALL = [Case(path, caller, account) for path in ACCESS for caller in _CALLERS for account in _ACCOUNTS]
CASES = [case for case in ALL if case.keeps_tokens]


def authorization(attacked: AttackedService, case: Case) -> str:
    if case.caller == "nobody":
        return ""
    return f"Bearer {attacked.tokens.get(case.caller, 'tls_wrong')}"


def deviation(case: Case, code: str) -> str:
    refused = code in ("UNAUTHENTICATED", "PERMISSION_DENIED")
    return "" if (code == case.expected if case.expected else not refused and code != "INTERNAL") else f"{case}: {code}"


async def deviations(checks: list[asyncio.Task[str]]) -> list[str]:
    return [wrong for wrong in await within(asyncio.gather(*checks), seconds=3 * HANG_SECONDS) if wrong]


async def test_grpc_refuses_exactly_the_calls_without_the_right(attacked: AttackedService) -> None:
    places = asyncio.Semaphore(_AT_ONCE)
    async with attacked.connection() as channel:

        async def check(case: Case) -> str:
            header = authorization(attacked, case)
            metadata = (("authorization", header),) if header else ()
            request = message_of(case.path, case.account).SerializeToString()
            async with places:
                try:
                    if case.path in STREAMS:
                        streaming: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(case.path)
                        await streaming(request, metadata=metadata, timeout=HANG_SECONDS).read()
                    else:
                        await raw_call(channel, case.path)(request, metadata=metadata, timeout=HANG_SECONDS)
                except grpc.aio.AioRpcError as error:
                    return deviation(case, error.code().name)
            return deviation(case, "OK")

        assert await deviations([asyncio.ensure_future(check(case)) for case in CASES]) == []


async def test_connect_refuses_exactly_the_calls_without_the_right(attacked: AttackedService) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def check(case: Case) -> str:
        header = authorization(attacked, case)
        headers = {"Content-Type": "application/json", **({"Authorization": header} if header else {})}
        body = json_format.MessageToJson(message_of(case.path, case.account))
        async with places, attacked.http.post(attacked.url + case.path, data=body, headers=headers) as answer:
            code = "OK" if answer.status == 200 else json.loads(await answer.read())["code"].upper()
        return deviation(case, code)

    cases = [case for case in CASES if case.path not in STREAMS]
    assert await deviations([asyncio.ensure_future(check(case)) for case in cases]) == []


def test_matrix_has_every_method() -> None:
    assert {case.path for case in CASES} == set(ACCESS)
    assert all(request_class(path) for path in ACCESS)
    assert len(CASES) > 900
