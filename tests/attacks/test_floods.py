"""Floods of unauthenticated calls, of wrong tokens and of one token. Other callers are still served, and no call ends as CANCELLED."""

from __future__ import annotations

import asyncio
import secrets

import grpc
import grpc.aio
import pytest
from attacks.attacked import MATCH_MANY, SYNC, AttackedService, codes_of, raw_call, sync_request
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from support.soak import rounds
from support.waiting import HANG_SECONDS, within
from tillsync_server.adapters.grpc.message_limits import MAX_REQUEST_BYTES

pytestmark = pytest.mark.processes
_MEGABYTE = 1024 * 1024


@pytest.mark.catches("strangers-hold-no-place")
async def test_silent_unauthenticated_calls_lock_no_caller_out(attacked: AttackedService) -> None:
    async with attacked.connection() as channel:
        silent: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(SYNC)
        calls = [silent() for _ in range(5000)]
        await within(asyncio.gather(*(call.code() for call in calls[:20])))
        await attacked.assert_serves()
        assert await calls[0].code() is grpc.StatusCode.UNAUTHENTICATED
        for call in calls:
            call.cancel()
    await attacked.assert_serves()


async def test_silent_health_checks_are_ended(attacked: AttackedService) -> None:
    check = "/grpc.health.v1.Health/Check"
    async with attacked.connection() as channel, attacked.connection() as other:
        silent: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(check)
        calls = [silent() for _ in range(100)]
        assert (await within(raw_call(other, check)(b""))) == b"\x08\x01", "serving, to whoever comes by another connection"
        codes = [(await within(call.code())).name for call in calls]
    assert set(codes) == {"RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"}
    assert codes.count("INVALID_ARGUMENT") >= 8, "those that were waited for, two seconds each"


async def test_request_above_the_size_of_its_method_is_an_invalid_argument(attacked: AttackedService) -> None:
    async with attacked.connection() as channel:
        large = b"\x12\x00" * (5 * _MEGABYTE // 2)
        refused = await codes_of([raw_call(channel, MATCH_MANY)(large, metadata=attacked.as_role("SITE"), timeout=HANG_SECONDS)])
    assert refused == {"INVALID_ARGUMENT": 1}


async def test_calls_without_a_request_take_no_turn(attacked: AttackedService) -> None:
    async with attacked.connection() as channel:
        slow: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(MATCH_MANY)
        calls = [slow(metadata=attacked.as_role("SITE")) for _ in range(2)]
        sent = raw_call(channel, MATCH_MANY)(b"\x0a\x06shop-1", metadata=attacked.as_role("SITE"), timeout=HANG_SECONDS / 4)
        assert await codes_of([sent]) == {"INVALID_ARGUMENT": 1}
        for call in calls:
            call.cancel()


async def test_flood_of_wrong_tokens_locks_no_caller_out(attacked: AttackedService) -> None:
    count = rounds(300, 3000)
    async with attacked.connection() as channel:
        guess = raw_call(channel, SYNC)
        guesses = [guess(sync_request(), metadata=(("authorization", f"Bearer tls_{secrets.token_hex(16)}"),)) for _ in range(count)]
        flood = asyncio.create_task(codes_of(guesses))
        await attacked.assert_serves()
        assert await flood == {"UNAUTHENTICATED": count}
    assert attacked.process.errors.count('"TOO_MANY_WRONG_TOKENS"') == 1, "a flood is told once a minute"


@pytest.mark.parametrize(
    ("size", "count", "kept"),
    [
        (64 * 1024, rounds(1600, 10_000), 10 * _MEGABYTE),
        # the process keeps parts of freed buffers, in proportion to the concurrent calls
        (MAX_REQUEST_BYTES - 1024, rounds(160, 10_000), 48 * _MEGABYTE),
    ],
    ids=["of-64-kB", "of-4-MB"],
)
async def test_refused_calls_do_not_grow_memory(attacked: AttackedService, size: int, count: int, kept: int) -> None:
    """The service keeps nothing of a refused request, with or without a token."""
    nonsense, at_once = b"\xff" * size, 16

    async def refuse(count: int, path: str, metadata: tuple[tuple[str, str], ...], code: str) -> None:
        async with attacked.connection() as channel:
            call = raw_call(channel, path)
            for _ in range(count // at_once):
                refused = await codes_of([call(nonsense, metadata=metadata, timeout=HANG_SECONDS) for _ in range(at_once)])
                assert refused == {code: at_once}

    await refuse(count // 4, MATCH_MANY, attacked.as_role("SITE"), "INVALID_ARGUMENT")  # warms up the buffers that the process reuses
    before = attacked.memory
    await refuse(count, MATCH_MANY, attacked.as_role("SITE"), "INVALID_ARGUMENT")
    await refuse(rounds(32, 320), SYNC, (), "UNAUTHENTICATED")
    assert attacked.memory - before < kept


@pytest.mark.parametrize("count", [1200, 4500])
async def test_burst_is_served_or_refused_with_a_retry_delay(attacked: AttackedService, count: int) -> None:
    refusals: list[grpc.aio.AioRpcError] = []
    async with attacked.connection() as channel:
        sync = raw_call(channel, SYNC)

        async def send(number: int) -> str:
            try:
                await sync(sync_request(number), metadata=attacked.as_role("SITE"), timeout=HANG_SECONDS)
            except grpc.aio.AioRpcError as error:
                refusals.append(error)
                return error.code().name
            return "OK"

        ended = await asyncio.gather(*(send(number) for number in range(1, count + 1)))
    assert set(ended) <= {"OK", "RESOURCE_EXHAUSTED"}
    assert ended.count("OK") >= 1200
    for error in refusals:
        assert seconds_to_wait(error) > 0
    await attacked.assert_serves()


async def test_burst_over_http_is_served(attacked: AttackedService) -> None:
    async def send(number: int) -> int:
        body = {"accountId": "shop-1", "eposCustomerId": str(number)}
        async with attacked.http.post(f"{attacked.url}{SYNC}", json=body, headers=attacked.bearer("SITE")) as answer:
            return answer.status

    assert set(await asyncio.gather(*(send(number) for number in range(1, rounds(400, 1200))))) == {200}


def seconds_to_wait(error: grpc.aio.AioRpcError) -> float:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    pushback = dict(error.trailing_metadata() or ())["grpc-retry-pushback-ms"]
    seconds: float = retry.retry_delay.ToTimedelta().total_seconds()
    assert int(pushback) == round(seconds * 1000)
    return seconds
