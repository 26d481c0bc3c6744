"""Each wrong protocol at each port of a real ``tillsync serve``. The caller or the log gets one sentence about the mistake.

The log has no byte that the caller sent."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs
from support.certificates import self_signed
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, Child, child, environment, run_command
from support.waiting import HANG_SECONDS, until, within
from tillsync_client import FailedPreconditionError, NotReachedError, TillsyncClient, TillsyncError, UnavailableError
from tillsync_server.adapters.http.wrong_protocol import HTTP_PORT, WrongProtocol, WrongProtocols, detect_protocol

pytestmark = pytest.mark.processes
MARK = b"bytes-of-the-caller"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TLS_HELLO = b"\x16\x03\x01\x00\x40\x01" + MARK
PROXY_LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + MARK


@dataclass
class Ports:
    serving: Child
    grpc: int
    http: int
    certificate: Path | None

    def logged(self) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.serving.errors.splitlines()]  # raises if a line is no JSON
        return [line for line in lines if line["event"] == "wrong_protocol"]

    async def log_line(self, kind: str) -> dict[str, object]:
        await until(lambda: any(line["kind"] == kind for line in self.logged()), lambda: self.serving.errors)
        [line] = [line for line in self.logged() if line["kind"] == kind]
        return line

    @property
    def trust(self) -> ssl.SSLContext | None:
        return None if self.certificate is None else ssl.create_default_context(cafile=str(self.certificate))


@asynccontextmanager
async def ports(database: TestDatabase, directory: Path, *, tls: bool) -> AsyncIterator[Ports]:
    variables = environment(database.dsn, TILLSYNC_DATA_DIR=str(directory), TILLSYNC_LOG_LEVEL="debug")
    certificate = None
    if tls:
        certificate, key = self_signed(directory)
        variables |= {"TILLSYNC_TLS_CERT_FILE": str(certificate), "TILLSYNC_TLS_KEY_FILE": str(key)}
    with child(["serve", "--no-worker"], variables, directory) as serving:
        await serving.started()
        yield Ports(serving, serving.grpc_port, int(serving.http_url.rpartition(":")[2]), certificate)
        assert MARK.decode() not in serving.errors
        assert await serving.stop() == 0


async def exchange(port: int, sent: bytes, trust: ssl.SSLContext | None = None) -> bytes:
    """Sends the bytes in two pieces, and returns everything that the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    received = b""
    try:
        for piece in (sent[:12], sent[12:]):  # the first piece has ``PROXY TCP4``, which a proxy never splits
            writer.write(piece)
            await asyncio.sleep(0.02)
        while part := await within(reader.read(65536)):
            received += part
    except ConnectionError:
        pass
    finally:
        writer.close()
    return received


def handshake_without_trust(port: int) -> None:
    """A handshake that sends the alert of an untrusted certificate. asyncio's client sends none before Python 3.12."""
    with socket.create_connection(("127.0.0.1", port)) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")


async def call_error(address: str, certificate: Path | None = None) -> TillsyncError:
    roots = None if certificate is None else certificate.read_bytes()
    async with TillsyncClient(address, ADMIN_TOKEN, root_certificates=roots, deadline_seconds=HANG_SECONDS) as client:
        with pytest.raises(TillsyncError) as raised:
            await client.accounts.get_account("shop-1")
    return raised.value


async def test_plain_ports_answer_each_wrong_protocol_with_its_sentence(database: TestDatabase, tmp_path: Path) -> None:
    async with ports(database, tmp_path, tls=False) as at:
        for sent, kind in ((TLS_HELLO, "tls"), (PROXY_LINE, "proxy"), (b"\x00" + MARK, "not_http"), (MARK * 4, "not_http")):
            status, _, body = (await exchange(at.http, sent)).partition(b"\r\n")
            sentence = WrongProtocol[kind.upper()].at(HTTP_PORT)
            assert (status, sentence in body.decode()) == (b"HTTP/1.1 400 Bad Request", True), sent
            assert (await at.log_line(kind))["reason"] == sentence
        malformed = await exchange(at.http, b"GET /healthz HTTP/1.1\r\nA B: " + MARK + b"\r\n\r\n")
        assert b" 400 " in malformed
        assert (await at.log_line("malformed"))["times"] == 1

        refused = await call_error(f"127.0.0.1:{at.http}")
        assert isinstance(refused, FailedPreconditionError), refused
        assert refused.message == WrongProtocol.HTTP2.at(HTTP_PORT)
        assert "TILLSYNC_GRPC_LISTEN" in refused.message
        silent = asyncio.create_task(exchange(at.http, PREFACE))  # the server closes this connection
        for port in (at.grpc, at.http):
            tls = await call_error(f"https://127.0.0.1:{port}")
            assert isinstance(tls, NotReachedError)
            assert f"127.0.0.1:{port} speaks plain text, and this address means TLS: write http://127.0.0.1:{port}" in tls.message
        assert b"gRPC is served at" in await silent, "the sentence is in the GOAWAY frame"
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{at.serving.http_url}/tillsync") as response:
                assert (response.status, "nothing is served at this path" in await response.text()) == (404, True)
            async with http.get(f"{at.serving.http_url}/tillsync.v1.CatalogService/ListMessages") as response:
                assert (response.status, response.headers["Allow"]) == (405, "POST")
                assert await response.text() == "this path takes POST only\n"
            path, headers = "/tillsync.v1.CatalogService/ListMessages", {"Content-Type": "application/grpc-web+proto"}
            async with http.post(at.serving.http_url + path, data=b"\0\0\0\0\0", headers=headers) as response:
                assert (response.status, response.headers["grpc-status"]) == (415, "12")
                assert "TILLSYNC_GRPC_LISTEN" in response.headers["grpc-message"]
                assert "TILLSYNC_GRPC_LISTEN" in await response.text()
            async with http.get(f"{at.serving.http_url}/healthz") as response:
                assert response.status == 200, "a valid request still gets its answer"
        operations = int(at.serving.operations_url.rpartition(":")[2])
        assert b"the operations port (TILLSYNC_OPERATIONS_LISTEN)" in await exchange(operations, TLS_HELLO)


async def test_tls_ports_answer_each_wrong_protocol_with_its_sentence(database: TestDatabase, tmp_path: Path) -> None:
    async with ports(database, tmp_path, tls=True) as at:
        assert WrongProtocol.PROXY.at(HTTP_PORT).encode() in await exchange(at.http, PROXY_LINE)
        for sent in (b"GET / HTTP/1.1\r\nHost: " + MARK + b"\r\n\r\n", PREFACE, b"\x00" + MARK):
            assert WrongProtocol.PLAIN_TEXT.at(HTTP_PORT).encode() in await exchange(at.http, sent), sent
        assert (await at.log_line("plain_text"))["times"] == 1, "the next line of this kind comes after a minute"
        for port, message in (
            (at.grpc, f"speaks TLS, and this address means plain text: write https://127.0.0.1:{at.grpc}"),
            (at.http, "speaks HTTP, not gRPC: take the gRPC port"),
        ):
            plain = await call_error(f"http://127.0.0.1:{port}")
            assert isinstance(plain, NotReachedError)
            assert f"127.0.0.1:{port} {message}" in plain.message
            untrusted = await call_error(f"https://127.0.0.1:{port}")
            assert isinstance(untrusted, NotReachedError)
            assert f"the certificate of 127.0.0.1:{port} is not trusted: self-signed certificate" in untrusted.message
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(handshake_without_trust, at.http)
        assert "TILLSYNC_TLS_CERT_FILE" in str((await at.log_line("untrusted"))["reason"])
        refused = await call_error(f"https://127.0.0.1:{at.http}", at.certificate)
        assert (type(refused), refused.message) == (FailedPreconditionError, WrongProtocol.HTTP2.at(HTTP_PORT))
        assert WrongProtocol.PROXY.at(HTTP_PORT).encode() in await exchange(at.http, PROXY_LINE, at.trust), (
            "a proxy may send its line inside TLS"
        )
        assert b"200 OK" in await exchange(at.http, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", at.trust)


async def test_command_line_shows_the_mistake_in_one_line(database: TestDatabase, tmp_path: Path) -> None:
    async with ports(database, tmp_path, tls=False) as at:
        for address, code, message in (
            (f"127.0.0.1:{at.http}", 1, "gRPC is served at TILLSYNC_GRPC_LISTEN"),
            (f"https://127.0.0.1:{at.grpc}", 3, "speaks plain text, and this address means TLS"),
            ("127.0.0.1:1", 3, "nothing listens at 127.0.0.1:1: see that the service runs"),
        ):
            run = await asyncio.to_thread(run_command, ["account", "list"], {"TILLSYNC_ADDRESS": address, "TILLSYNC_TOKEN": ADMIN_TOKEN})
            assert (run.returncode, run.stdout, run.stderr.count("\n")) == (code, "", 1), run.stderr
            assert message in run.stderr


async def test_client_with_an_earlier_answer_does_not_report_not_reached(database: TestDatabase, tmp_path: Path) -> None:
    """The service has stopped. Its earlier answer proves that address and protocol are right."""
    with child(["serve", "--no-worker"], environment(database.dsn, TILLSYNC_DATA_DIR=str(tmp_path)), tmp_path) as serving:
        await serving.started()
        async with TillsyncClient(f"127.0.0.1:{serving.grpc_port}", ADMIN_TOKEN) as client:
            assert [account async for account in client.accounts.list_accounts()] == []
            assert await serving.stop() == 0
            with pytest.raises(UnavailableError) as raised:
                await client.accounts.get_account("shop-1")
        assert not isinstance(raised.value, NotReachedError)


@pytest.mark.parametrize(
    ("first", "found"),
    [
        (b"GET / HTTP/1.1\r\n", None),
        (b"\r\nPOST /x", None),
        (b"PROPFIND /x", None),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", WrongProtocol.HTTP2),
        (b"\x16\x03\x01", WrongProtocol.TLS),
        (b"PROXY TCP4", WrongProtocol.PROXY),
        (b"\r\n\r\n\x00\r\nQUIT\n!", WrongProtocol.PROXY),
        (b"SSH-2.0-OpenSSH_9.6\r\n", WrongProtocol.NOT_HTTP),
        (b"{}", WrongProtocol.NOT_HTTP),
        (b"A" * 33, WrongProtocol.NOT_HTTP),
    ],
)
def test_detect_protocol_decides_by_the_first_bytes(first: bytes, found: WrongProtocol | None) -> None:
    assert detect_protocol(first) is found
    early = [detect_protocol(first[:length]) for length in range(1, len(first))]
    assert not [each for each in early if isinstance(each, WrongProtocol) and each is not found], (
        "a shorter prefix is never taken for another protocol"
    )
    assert found is None or None not in early


def test_log_has_one_line_a_minute_with_the_count() -> None:
    now = 0.0
    log = WrongProtocols(HTTP_PORT, lambda: now)
    with capture_logs() as lines:
        for second in range(130):
            now = float(second)
            assert log.report(WrongProtocol.TLS) == WrongProtocol.TLS.at(HTTP_PORT)
    assert [line["times"] for line in lines] == [1, 60, 60]
