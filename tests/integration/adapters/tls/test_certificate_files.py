"""The service serves a certificate renewed in its files without a restart, and keeps the former one if the new pair is invalid."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs
from support.certificates import HOUR, self_signed, serial_of, serial_served
from support.postgres import TestDatabase
from support.service import environment
from support.waiting import HANG_SECONDS, until
from tillsync_server.adapters.tls.certificate_files import CertificateError, CertificateFiles
from tillsync_server.composition import service as composition
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings

pytestmark = pytest.mark.integration
YEAR = dt.timedelta(days=365)
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def new_pair(directory: Path, **options: Any) -> Path:
    directory.mkdir()
    self_signed(directory, **options)
    return directory


@pytest.mark.parametrize("renewed_as_rsa", [False, True])
async def test_both_ports_serve_a_renewed_certificate_and_keep_open_connections(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renewed_as_rsa: bool
) -> None:
    """Kubernetes replaces a secret in this way. The files are symlinks through a directory symlink that one step replaces."""
    monkeypatch.setattr(composition, "CERTIFICATE_SECONDS", 0.05)
    old, new = new_pair(tmp_path / "v1"), new_pair(tmp_path / "v2", lasts=YEAR, is_rsa=renewed_as_rsa)
    data, certificate, key = tmp_path / "..data", tmp_path / "certificate.pem", tmp_path / "key.pem"
    data.symlink_to(old.name)
    certificate.symlink_to("..data/certificate.pem")
    key.symlink_to("..data/key.pem")
    changes = {"TILLSYNC_TLS_CERT_FILE": str(certificate), "TILLSYNC_TLS_KEY_FILE": str(key)}
    async with Service(load_settings(environment(database.dsn, **changes)), works=False) as service:

        async def served_serials() -> set[int]:
            http = await asyncio.to_thread(serial_served, service.http_port)
            return {http, await asyncio.to_thread(serial_served, service.grpc_port, alpn="h2")}

        old_serial, new_serial = serial_of(certificate), serial_of(new / "certificate.pem")
        assert await served_serials() == {old_serial}
        trust = ssl.create_default_context(cafile=str(certificate))
        reader, writer = await asyncio.open_connection("127.0.0.1", service.http_port, ssl=trust)
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        async with grpc.aio.secure_channel(f"127.0.0.1:{service.grpc_port}", credentials) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=HANG_SECONDS)
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING

            (tmp_path / "..new").symlink_to(new.name)
            os.replace(tmp_path / "..new", data)

            async def is_new() -> bool:
                return await served_serials() == {new_serial}

            await until(is_new, lambda: f"old {old_serial}, new {new_serial}")
            end = x509.load_pem_x509_certificate((new / "certificate.pem").read_bytes()).not_valid_after_utc.timestamp()
            assert service.metrics.registry.get_sample_value("tillsync_certificate_end_timestamp_seconds") == end
            writer.write(REQUEST)
            assert b"200 OK" in await asyncio.wait_for(reader.readline(), HANG_SECONDS)
            assert (await health.Check(health_pb2.HealthCheckRequest(), timeout=HANG_SECONDS)).status
            assert not watch.done()
            watch.cancel()
        writer.close()


async def test_invalid_pair_leaves_the_former_one_in_service(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    other, ended, future = (
        new_pair(tmp_path / "other", lasts=YEAR),
        new_pair(tmp_path / "ended", begins=-3 * HOUR, lasts=-HOUR),
        new_pair(tmp_path / "future", begins=HOUR, lasts=YEAR),
    )
    first = certificate.read_bytes()
    files = CertificateFiles(certificate, key)
    faults: dict[str, Callable[[], object]] = {
        "is not the key of the certificate": lambda: shutil.copy(other / "certificate.pem", certificate),
        "holds no PEM certificate chain": lambda: certificate.write_bytes(first[: len(first) // 2]),
        "certificate.pem cannot be read": certificate.unlink,
        "ended on": lambda: shutil.copytree(ended, tmp_path, dirs_exist_ok=True),
        "is not valid before": lambda: shutil.copytree(future, tmp_path, dirs_exist_ok=True),
        "holds no PEM private key": lambda: key.write_text("half a key"),
    }
    for reason, damage in faults.items():
        damage()
        with capture_logs() as logs:
            for _ in range(3):
                await files.reload()
        [refused] = [line for line in logs if line["event"] == "certificate_refused"]
        assert reason in refused["reason"], "one line for each change, not for each reload"
        assert files.pair.chain == first
    shutil.copytree(other, tmp_path, dirs_exist_ok=True)
    with capture_logs() as logs:
        await files.reload()
    assert [line["event"] for line in logs] == ["certificate_replaced"]
    assert files.pair.chain == (other / "certificate.pem").read_bytes()


async def test_log_warns_daily_before_and_after_the_certificate_ends(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, lasts=20 * 24 * HOUR)
    now = dt.datetime.now(dt.UTC)
    elapsed = dt.timedelta()
    files = CertificateFiles(certificate, key, clock=lambda: now + elapsed)
    logged: list[tuple[int, str]] = []
    for hours in range(0, 22 * 24, 8):
        elapsed = dt.timedelta(hours=hours)
        with capture_logs() as logs:
            await files.reload()
        logged += [(hours, line["event"]) for line in logs]
    assert logged[0] == (6 * 24, "certificate_ends_soon")
    assert [hours for hours, _ in logged] == [*range(6 * 24, 22 * 24, 24)], "once a day"
    assert {event for hours, event in logged if hours >= 20 * 24} == {"certificate_ended"}


def test_key_with_a_passphrase_is_refused_without_a_prompt(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"words"))
    key.write_bytes(loaded.private_bytes(*form))
    with pytest.raises(CertificateError, match=r"key\.pem has a passphrase; store it without one"):
        CertificateFiles(certificate, key)
