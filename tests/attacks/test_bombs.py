"""The service refuses decompression bombs by their inflated size. It does not inflate bodies of unauthenticated callers."""

from __future__ import annotations

import gzip
import zlib

import aiohttp
import grpc
import pytest
from attacks.attacked import MATCH_MANY, SYNC, AttackedService, codes_of, raw_call
from support.soak import rounds
from support.waiting import HANG_SECONDS

pytestmark = pytest.mark.processes
_MEGABYTE = 1024 * 1024
_INFLATED = rounds(64, 1024) * _MEGABYTE


def bomb(wbits: int) -> bytes:
    """Returns ``_INFLATED`` zero bytes, compressed to about a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    zeroes = bytes(_MEGABYTE)
    return b"".join([*(packer.compress(zeroes) for _ in range(_INFLATED // _MEGABYTE)), packer.flush()])


async def post(attacked: AttackedService, body: bytes, encoding: str, headers: dict[str, str]) -> int:
    sent = {"Content-Type": "application/json", "Content-Encoding": encoding, **headers}
    async with attacked.http.post(f"{attacked.url}{SYNC}", data=body, headers=sent, timeout=aiohttp.ClientTimeout(HANG_SECONDS)) as answer:
        return answer.status


async def test_decompression_bombs_over_http_are_refused(attacked: AttackedService) -> None:
    bombs = {"gzip": bomb(31), "deflate": bomb(15)}
    before = attacked.memory
    for encoding, body in bombs.items():
        assert await post(attacked, body, encoding, {}) == 401
        assert await post(attacked, body, encoding, attacked.bearer("SITE")) == 400
    twice = gzip.compress(bombs["gzip"])
    assert await post(attacked, twice, "gzip", attacked.bearer("SITE")) == 400
    assert await post(attacked, twice, "gzip, gzip", attacked.bearer("SITE")) == 501
    assert attacked.memory - before < 16 * _MEGABYTE
    await attacked.assert_serves()


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate], ids=lambda each: each.name)
async def test_decompression_bombs_over_grpc_are_refused(attacked: AttackedService, compression: grpc.Compression) -> None:
    before = attacked.memory
    async with attacked.connection(compression=compression) as channel:
        call = raw_call(channel, MATCH_MANY)
        assert await codes_of([call(bytes(_INFLATED), timeout=HANG_SECONDS)]) == {"UNAUTHENTICATED": 1}
        assert await codes_of([call(bytes(_INFLATED), metadata=attacked.as_role("SITE"), timeout=HANG_SECONDS)]) == {
            "RESOURCE_EXHAUSTED": 1
        }
    assert attacked.memory - before < 16 * _MEGABYTE
    await attacked.assert_serves()
