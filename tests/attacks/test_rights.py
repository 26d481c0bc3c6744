"""The rights matrix: every method, by every caller, for every account, over both edges. Who may not is told so, and nothing else."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import grpc
import pytest
from attacks.attacked import Attacked, raw_call
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
"""Role and own account."""
_ENDS_TOKENS = "AccountService/DisconnectShop"
_AT_ONCE = 16


@dataclass(frozen=True)
class Case:
    path: str
    caller: str
    account: str

    @property
    def expected(self) -> str:
        """The code, or empty: whatever the method makes of an empty request, but no refusal of rights."""
        role, own = _CALLERS[self.caller]
        if role is None:
            return "UNAUTHENTICATED"
        if role not in ACCESS[self.path]:
            return "PERMISSION_DENIED"
        has_account = "account_id" in METHODS[self.path].input_type.fields_by_name
        return "PERMISSION_DENIED" if has_account and self.account and own not in ("", self.account) else ""

    @property
    def is_harmless(self) -> bool:
        """The tokens are still needed."""
        return not (self.path.endswith(_ENDS_TOKENS) and not self.expected)


ALL = [Case(path, caller, account) for path in ACCESS for caller in _CALLERS for account in _ACCOUNTS]
CASES = [case for case in ALL if case.is_harmless]


def authorization(attacked: Attacked, case: Case) -> str:
    if case.caller == "nobody":
        return ""
    return f"Bearer {attacked.tokens.get(case.caller, 'tls_wrong')}"


def deviation(case: Case, code: str) -> str:
    refused = code in ("UNAUTHENTICATED", "PERMISSION_DENIED")
    return "" if (code == case.expected if case.expected else not refused and code != "INTERNAL") else f"{case}: {code}"


async def in_turn(checks: list[asyncio.Task[str]]) -> list[str]:
    return [wrong for wrong in await within(asyncio.gather(*checks), seconds=3 * HANG_SECONDS) if wrong]


async def test_over_grpc(attacked: Attacked) -> None:
    places = asyncio.Semaphore(_AT_ONCE)
    async with attacked.connection() as one:

        async def check(case: Case) -> str:
            header = authorization(attacked, case)
            metadata = (("authorization", header),) if header else ()
            request = message_of(case.path, case.account).SerializeToString()
            async with places:
                try:
                    if case.path in STREAMS:
                        streaming: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = one.unary_stream(case.path)
                        await streaming(request, metadata=metadata, timeout=HANG_SECONDS).read()
                    else:
                        await raw_call(one, case.path)(request, metadata=metadata, timeout=HANG_SECONDS)
                except grpc.aio.AioRpcError as error:
                    return deviation(case, error.code().name)
            return deviation(case, "OK")

        assert await in_turn([asyncio.ensure_future(check(case)) for case in CASES]) == []


async def test_over_connect(attacked: Attacked) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def check(case: Case) -> str:
        header = authorization(attacked, case)
        headers = {"Content-Type": "application/json", **({"Authorization": header} if header else {})}
        body = json_format.MessageToJson(message_of(case.path, case.account))
        async with places, attacked.http.post(attacked.url + case.path, data=body, headers=headers) as answer:
            code = "OK" if answer.status == 200 else json.loads(await answer.read())["code"].upper()
        return deviation(case, code)

    cases = [case for case in CASES if case.path not in STREAMS]
    assert await in_turn([asyncio.ensure_future(check(case)) for case in cases]) == []


def test_the_matrix_is_whole() -> None:
    assert {case.path for case in CASES} == set(ACCESS)
    assert all(request_class(path) for path in ACCESS)
    assert len(CASES) > 900
