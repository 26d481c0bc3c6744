"""``HttpClient``: every failure is an upstream error that tells whether request bytes may have been sent."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.raw_http import RawServer, http_answer, raw_server, silence
from support.waiting import GIVE_UP_SECONDS, within
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Misaddressed, Unanswered, Unreachable, Unreadable
from yarl import URL

LOOPBACK = AllowedHosts(allow_loopback=True)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(HttpClientSettings(allowed_hosts=LOOPBACK, max_answer_bytes=100_000))
    yield client
    await client.close()


async def test_answer_has_status_headers_and_the_whole_body(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(201, '{"n": 0.10, "t": "ü"}'.encode(), headers=["Content-Type: Application/JSON; charset=utf-8", "X-A: b"]))
    answer = await http.request(Side.SHOP, "POST", server.url, body=b"{}", timeout_seconds=5, headers={"X-Mine": "1"})
    assert (answer.status, answer.content_type, answer.headers["x-a"]) == (201, "application/json", "b")
    assert answer.json() == {"n": Decimal("0.10"), "t": "ü"}
    assert b"X-Mine: 1\r\n" in server.requests[0]
    assert b"User-Agent: tillsync/" in server.requests[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
async def test_redirects_are_misaddressed_and_not_followed(server: RawServer, http: HttpClient, status: int) -> None:
    where = "Location: https://ada:pw@www.example.test/shop?token=abcdef"
    server.answers(http_answer(status, headers=[where]))
    with pytest.raises(Misaddressed, match=r"www\.example\.test/shop") as caught:
        await http.request(Side.SHOP, "GET", f"{server.url}/x", timeout_seconds=5)
    assert caught.value.status == status
    assert "abcdef" not in caught.value.text
    assert "pw@" not in caught.value.text
    assert len(server.requests) == 1


async def test_answer_over_the_size_limit_is_unreadable(server: RawServer, http: HttpClient) -> None:
    endless = asyncio.Event()

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            endless.set()
            raise

    server.answers(flood)
    with pytest.raises(Unreadable, match="larger than 100000 bytes"):
        await http.request(Side.TILL, "GET", server.url, timeout_seconds=10)
    await within(endless.wait())


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_decompression_bomb_is_limited_by_its_unpacked_size(server: RawServer, http: HttpClient, encoding: str) -> None:
    plain = b"0" * 30_000_000
    packed = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    assert len(packed) < 100_000
    server.answers(http_answer(200, packed, headers=[f"Content-Encoding: {encoding}"]))
    with pytest.raises(Unreadable, match="larger than 100000 bytes"):
        await http.request(Side.TILL, "GET", server.url, timeout_seconds=10)


async def test_size_limit_can_be_set_per_request(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(200, b"x" * 200_000))
    answer = await http.request(Side.TILL, "GET", server.url, timeout_seconds=5, max_answer_bytes=200_000)
    assert len(answer.body) == 200_000
    with pytest.raises(Unreadable, match="larger than 10 bytes"):
        await http.request(Side.TILL, "GET", server.url, timeout_seconds=5, max_answer_bytes=10)


async def test_long_or_truncated_error_page_keeps_its_status(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(502, b"<title>Bad Gateway</title>" + b"x" * 900_000))
    answer = await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)
    assert (answer.status, len(answer.body)) == (502, 65536)
    server.answers(b"HTTP/1.1 503 Busy\r\nContent-Length: 5000\r\n\r\nhalf a page")
    answer = await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)
    assert (answer.status, answer.text) == (503, "half a page")


async def test_wrongly_encoded_success_is_unreadable(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(200, b"this is no gzip", headers=["Content-Encoding: gzip"]))
    with pytest.raises(Unreadable, match="not encoded as it says"):
        await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)


async def test_answer_that_is_not_http_is_unreadable(server: RawServer, http: HttpClient) -> None:
    server.answers(b"220 mail.example.test ESMTP\r\n\r\n")
    with pytest.raises(Unreadable, match="does not answer in HTTP"):
        await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)


async def test_missing_answer_is_unanswered(server: RawServer, http: HttpClient) -> None:
    server.answers(silence)
    with pytest.raises(Unanswered, match=rf"no answer from 127\.0\.0\.1 within {GIVE_UP_SECONDS:g} s"):
        await http.request(Side.TILL, "GET", server.url, timeout_seconds=GIVE_UP_SECONDS)


async def test_truncated_body_is_unanswered(server: RawServer, http: HttpClient) -> None:
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf")
    with pytest.raises(Unanswered, match="before a whole answer"):
        await http.request(Side.TILL, "GET", server.url, timeout_seconds=5)


async def test_dripping_answer_ends_at_the_total_timeout(server: RawServer, http: HttpClient) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"x")
            await writer.drain()
            try:
                async with asyncio.timeout(0.02):
                    await reader.read(1)
            except TimeoutError:
                continue

    server.answers(drip)
    with pytest.raises(Unanswered, match="within"):
        await http.request(Side.TILL, "GET", server.url, timeout_seconds=GIVE_UP_SECONDS)


async def test_connection_closed_after_the_request_is_unanswered(server: RawServer, http: HttpClient) -> None:
    server.answers(b"")
    with pytest.raises(Unanswered, match="closed the connection"):
        await http.request(Side.TILL, "POST", server.url, body=b"{}", timeout_seconds=5)
    assert len(server.requests) == 1


async def test_a_closed_port_is_unreachable(http: HttpClient) -> None:
    async with raw_server() as gone:
        url = gone.url
    with pytest.raises(Unreachable, match=r"not reached: connect: 127\.0\.0\.1 does not accept connections: Connection refused$"):
        await http.request(Side.TILL, "POST", url, body=b"{}", timeout_seconds=5)


async def test_unresolvable_name_is_unreachable(http: HttpClient) -> None:
    with pytest.raises(Unreachable, match=r"not reached: DNS: the name shop\.invalid cannot be resolved"):
        await http.request(Side.SHOP, "GET", "https://shop.invalid/", timeout_seconds=5)


@pytest.mark.parametrize("url", ["http://a..b/", f"http://{'a' * 64}.example.test/"])
async def test_invalid_name_is_unreachable(http: HttpClient, url: str) -> None:
    with pytest.raises(Unreachable, match="not reached: DNS"):
        await http.request(Side.SHOP, "GET", url, timeout_seconds=5)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://shop.example.test/", "must begin with https://"),
        ("shop.example.test", "must begin with https://"),
        ("https://", "must begin with https://"),
        ("https://shop.example.test:port/", "not a URL"),
        ("https://ck_a:cs_b@shop.example.test/", "must not contain a user name"),
    ],
)
async def test_invalid_url_is_misaddressed(http: HttpClient, url: str, problem: str) -> None:
    with pytest.raises(Misaddressed, match=problem):
        await http.request(Side.SHOP, "GET", url, timeout_seconds=5)


async def test_missing_tls_handshake_is_unreachable(server: RawServer, http: HttpClient) -> None:
    with pytest.raises(Unreachable, match="not reached: connect"):
        await http.request(Side.SHOP, "GET", server.url.replace("http:", "https:"), timeout_seconds=0.3)
    assert server.requests == []


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return chain, secret


async def test_certificates_are_checked(tmp_path: Path) -> None:
    chain, key = _certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    lookups = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal lookups
        await reader.readuntil(b"\r\n\r\n")
        lookups += 1
        writer.write(http_answer(200, b"ok"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    trusting = HttpClient(HttpClientSettings(allowed_hosts=LOOPBACK), ssl_context=ssl.create_default_context(cafile=str(chain)))
    doubting = HttpClient(HttpClientSettings(allowed_hosts=LOOPBACK))
    try:
        answer = await trusting.request(Side.SHOP, "GET", f"https://localhost:{port}/", timeout_seconds=5)
        assert answer.body == b"ok"
        with pytest.raises(Unreachable, match="not reached: TLS: the certificate of localhost is not valid"):
            await doubting.request(Side.SHOP, "GET", f"https://localhost:{port}/", timeout_seconds=5)
        with pytest.raises(Unreachable, match="not reached: TLS"):
            await trusting.request(Side.SHOP, "GET", f"https://127.0.0.1:{port}/", timeout_seconds=5)
        assert lookups == 1
    finally:
        await trusting.close()
        await doubting.close()
        server.close()
        await server.wait_closed()


async def test_encoded_url_is_sent_unchanged(server: RawServer, http: HttpClient) -> None:
    url = URL(f"{server.url}/x?email=a%2Bb%40example.test", encoded=True)
    await http.request(Side.TILL, "GET", url, timeout_seconds=5)
    assert server.requests[0].startswith(b"GET /x?email=a%2Bb%40example.test HTTP/1.1\r\n")


async def test_cookies_are_not_kept(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(200, b"{}", headers=["Set-Cookie: session=1; Path=/"]))
    await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)
    await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)
    assert b"ookie" not in server.requests[1]


@pytest.mark.parametrize("body", [b"", b"  ", b"null!", b'{"a": NaN}', b"[" * 200_00, b"\xff\xfe", b"<b>Notice</b>{}", b"1" * 5000])
async def test_invalid_json_is_unreadable(server: RawServer, http: HttpClient, body: bytes) -> None:
    server.answers(http_answer(200, body, headers=["Content-Type: application/json"]))
    answer = await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)
    with pytest.raises(Unreadable, match="HTTP 200"):
        answer.json()


async def test_byte_order_mark_is_ignored(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(200, b"\xef\xbb\xbf[1]"))
    assert (await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)).json() == [1]


async def test_answer_texts_contain_no_secrets(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(400, b"bad key hunter-2-hunter for ada.byron@example.test"))
    answer = await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5, secrets=["hunter-2-hunter"])
    assert answer.text == "bad key [redacted] for a•••@e•••.test"
    assert answer.status_text == "HTTP 400, text of 50 characters"
    assert "hunter" not in repr(answer)


async def test_unknown_charset_of_an_answer_is_decoded(server: RawServer, http: HttpClient) -> None:
    server.answers(http_answer(500, b"broken", headers=["Content-Type: text/plain; charset=klingon"]))
    assert (await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)).text == "broken"
