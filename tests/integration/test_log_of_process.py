"""The log of a real ``tillsync serve`` whose ports get malformed requests. Each line is JSON and has no data of the callers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.certificates import self_signed
from support.directories import reachable_directory
from support.postgres import TestDatabase
from support.service import child, environment

pytestmark = pytest.mark.processes

PERSON = "ada@example.test"
MALFORMED = (
    b"GET /webhooks/eposnow/ada@example.test HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%s HTTP/9.9\r\nX-Name: ada@example.test\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"ada@example.test" * 4,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
    b"\x00" * 300,
    b"POST /tillsync.v1.QueueService/ListQueue HTTP/1.1\r\nHost: x\r\nContent-Length: zwei\r\n\r\nada@example.test",
)


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_malformed_requests_are_logged_as_json_without_their_content(database: TestDatabase, directory: Path, tls: bool) -> None:
    variables = environment(database.dsn, TILLSYNC_DATA_DIR=str(directory / "data"), TILLSYNC_LOG_FORMAT="json")
    if tls:
        certificate, key = self_signed(directory)
        variables |= {"TILLSYNC_TLS_CERT_FILE": str(certificate), "TILLSYNC_TLS_KEY_FILE": str(key)}
    with child(["serve"], variables, directory) as service:
        await service.started()
        http_port = urlsplit(service.http_url).port
        assert http_port is not None
        client_ports = [await send(port, content) for port in (service.grpc_port, http_port) for content in MALFORMED]
        assert await service.stop() == 0
    lines = [json.loads(line) for line in service.errors.splitlines()]
    assert {"started", "stopping", "stopped"} <= {line["event"] for line in lines}
    assert not [line for line in lines if "dropped" in line]
    for trace in (PERSON, "example.test", "%s", "%r", "{}", *(f":{port}" for port in client_ports)):
        assert trace not in service.errors
    kinds = [line["kind"] for line in lines if line["event"] == "wrong_protocol"]
    assert len(kinds) == len(set(kinds)) > 0, "one line for each kind"


async def send(port: int, content: bytes) -> int:
    """Sends ``content`` over a new connection and returns the client's port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client_port: int = writer.get_extra_info("sockname")[1]
    writer.write(content)
    try:
        async with asyncio.timeout(0.5):
            await reader.read(1000)
    except (TimeoutError, OSError):
        pass
    writer.close()
    return client_port
