"""Bodies that grow when they are inflated: refused by their size, and for strangers not inflated at all."""

from __future__ import annotations

import gzip
import zlib

import aiohttp
import grpc
import pytest
from attacks.attacked import MATCH_MANY, SYNC, Attacked, codes_of, raw_call
from support.soak import rounds
from support.waiting import HANG_SECONDS

pytestmark = pytest.mark.processes
_MEGABYTE = 1024 * 1024
_INFLATED = rounds(64, 1024) * _MEGABYTE


def bomb(wbits: int) -> bytes:
    """``_INFLATED`` bytes of nothing, a thousandth of that as sent."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    zeroes = bytes(_MEGABYTE)
    return b"".join([*(packer.compress(zeroes) for _ in range(_INFLATED // _MEGABYTE)), packer.flush()])


async def post(attacked: Attacked, body: bytes, encoding: str, headers: dict[str, str]) -> int:
    sent = {"Content-Type": "application/json", "Content-Encoding": encoding, **headers}
    async with attacked.http.post(f"{attacked.url}{SYNC}", data=body, headers=sent, timeout=aiohttp.ClientTimeout(HANG_SECONDS)) as answer:
        return answer.status


async def test_bombs_over_http(attacked: Attacked) -> None:
    bombs = {"gzip": bomb(31), "deflate": bomb(15)}
    before = attacked.memory
    for encoding, body in bombs.items():
        assert await post(attacked, body, encoding, {}) == 401
        assert await post(attacked, body, encoding, attacked.bearer("SITE")) == 400
    twice = gzip.compress(bombs["gzip"])
    assert await post(attacked, twice, "gzip", attacked.bearer("SITE")) == 400
    assert await post(attacked, twice, "gzip, gzip", attacked.bearer("SITE")) == 501
    assert attacked.memory - before < 16 * _MEGABYTE
    await attacked.serves()


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate], ids=lambda each: each.name)
async def test_bombs_over_grpc(attacked: Attacked, compression: grpc.Compression) -> None:
    before = attacked.memory
    async with attacked.connection(compression=compression) as one:
        call = raw_call(one, MATCH_MANY)
        assert await codes_of([call(bytes(_INFLATED), timeout=HANG_SECONDS)]) == {"UNAUTHENTICATED": 1}
        assert await codes_of([call(bytes(_INFLATED), metadata=attacked.as_role("SITE"), timeout=HANG_SECONDS)]) == {
            "RESOURCE_EXHAUSTED": 1
        }
    assert attacked.memory - before < 16 * _MEGABYTE
    await attacked.serves()
