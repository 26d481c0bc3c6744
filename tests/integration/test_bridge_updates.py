"""Updates of the bridge from a whole service: a shop gets its release in pieces, and the operator sees versions and wrong files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.bridge_releases import make_release
from support.postgres import TestDatabase
from support.service import RunningService, running_service
from support.waiting import until
from tillsync.v1 import token_pb2
from tillsync_server.adapters.bridge_releases.release_folder import PIECE_BYTES

pytestmark = pytest.mark.integration
KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "releases"
    make_release(folder, "8.0.0", KEY, published=datetime.now(UTC) - timedelta(days=400))
    make_release(folder, "9.4.0", KEY)
    (folder / "rings.toml").write_text('["8.0.0"]\npercent = 100\n["9.4.0"]\naccounts = ["shop-1"]\n', encoding="utf-8")
    return folder


@pytest_asyncio.fixture
async def service(database: TestDatabase, directory: Path) -> AsyncIterator[RunningService]:
    async with running_service(database.dsn, works=False, changes={"TILLSYNC_BRIDGE_RELEASES_DIR": str(directory)}) as running:
        for account_id in ("shop-1", "shop-2"):
            await running.add_account(account_id)
        yield running


async def site_token(service: RunningService, account_id: str) -> str:
    return (await service.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id=account_id, name="bridge")).secret


async def call(service: RunningService, method: str, message: dict[str, Any], token: str, version: str = "0.1.0") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "User-Agent": f"tillsync-bridge/{version}"} if token else {}
    url = f"{service.http_url}/tillsync.v1.BridgeService/{method}"
    async with service.http.post(url, json=message, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_shop_gets_the_release_of_its_ring_in_pieces(service: RunningService, directory: Path) -> None:
    token = await site_token(service, "shop-1")
    status, update = await call(service, "GetBridgeUpdate", {"accountId": "shop-1", "bridgeVersion": "0.1.0"}, token)
    assert (status, update["version"]) == (200, "9.4.0")
    manifest = (directory / "tillsync-bridge-9.4.0.json").read_bytes()
    assert base64.b64decode(update["manifest"]) == manifest
    [signature] = update["signatures"]
    KEY.public_key().verify(base64.b64decode(signature), manifest)
    package = b""
    while True:
        message = {"accountId": "shop-1", "version": "9.4.0", "offset": str(len(package))}
        status, piece = await call(service, "ReadBridgePackage", message, token)
        assert status == 200
        data = base64.b64decode(piece.get("data", ""))
        assert len(data) <= PIECE_BYTES
        if not data:
            break
        package += data
    assert hashlib.sha256(package).digest() == hashlib.sha256((directory / "tillsync-bridge-9.4.0.zip").read_bytes()).digest()
    assert await call(service, "GetBridgeUpdate", {"accountId": "shop-1", "bridgeVersion": "9.4.0"}, token) == (200, {})


async def test_other_shop_gets_only_what_its_rings_offer(service: RunningService) -> None:
    token = await site_token(service, "shop-2")
    _, update = await call(service, "GetBridgeUpdate", {"accountId": "shop-2", "bridgeVersion": "0.1.0"}, token)
    assert update["version"] == "8.0.0"
    for message in ({"accountId": "shop-2", "version": "9.4.0"}, {"accountId": "shop-2", "version": "../../etc/passwd"}):
        status, refused = await call(service, "ReadBridgePackage", message, token)
        assert (status, refused["code"], refused["details"][0]["debug"]["reason"]) == (404, "not_found", "BRIDGE_RELEASE_NOT_FOUND")
    status, refused = await call(service, "GetBridgeUpdate", {"accountId": "shop-2", "bridgeVersion": "1.x"}, token)
    assert (status, refused["code"]) == (400, "invalid_argument")


async def test_callers_without_a_right_get_nothing(service: RunningService) -> None:
    message = {"accountId": "shop-1", "version": "9.4.0"}
    status, refused = await call(service, "ReadBridgePackage", message, "")
    assert (status, refused["code"]) == (401, "unauthenticated")
    status, refused = await call(service, "ReadBridgePackage", message, await site_token(service, "shop-2"))
    assert (status, refused["code"]) == (403, "permission_denied")
    for method in ("ListBridgeReleases", "ListBridgeVersions"):
        status, refused = await call(service, method, {}, await site_token(service, "shop-1"))
        assert (status, refused["code"]) == (403, "permission_denied")


async def test_operator_sees_each_version_and_what_it_is_offered(service: RunningService) -> None:
    for account_id, version in (("shop-1", "7.1.0"), ("shop-2", "8.0.0")):
        token = await site_token(service, account_id)
        await call(service, "GetBridgeUpdate", {"accountId": account_id, "bridgeVersion": version}, token, version)

    async def all_seen() -> bool:
        return len([each async for each in service.client.bridges.list_versions(page_size=1)]) == 2

    await until(all_seen)
    seen = [each async for each in service.client.bridges.list_versions(page_size=1)]
    assert [(each.account_id, each.version, each.offered_version, each.is_outdated) for each in seen] == [
        ("shop-1", "7.1.0", "9.4.0", True),
        ("shop-2", "8.0.0", "", False),
    ]


async def test_operator_sees_the_rings_and_a_wrong_file(database: TestDatabase, directory: Path) -> None:
    (directory / "tillsync-bridge-9.4.0.json.sig").unlink()
    async with running_service(database.dsn, works=False, changes={"TILLSYNC_BRIDGE_RELEASES_DIR": str(directory)}) as service:
        listed = await service.client.bridges.list_releases()
    assert [(release.version, release.percent) for release in listed.releases] == [("8.0.0", 100)]
    text = "is missing: copy all three files of the release (.zip, .json.sig, .json)"
    assert [(problem.file, problem.text) for problem in listed.problems] == [("tillsync-bridge-9.4.0.json.sig", text)]
    async with running_service(database.dsn, works=False) as service:
        listed = await service.client.bridges.list_releases()
    assert (listed.has_directory, len(listed.releases)) == (False, 0)
