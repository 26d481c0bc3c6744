"""Every `buf curl` line of the README is run, as it stands there, against a real service."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, RunningService, running_service
from support.waiting import within

ROOT = Path(__file__).resolve().parents[2]
LINES = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("buf curl ")]
pytestmark = pytest.mark.processes


@asynccontextmanager
async def service_of_the_readme(database: TestDatabase) -> AsyncIterator[RunningService]:
    """With the account the README speaks of."""
    async with running_service(database.dsn) as service:
        await service.add_account("shop-a")
        await service.client.sync.sync_customer("shop-a", 1)
        yield service


def place_imports() -> None:
    """What `make check` and buf need beside protos/: the google protos of an installed wheel."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / "generate_protos.py"), "--imports"], check=True, timeout=60)


async def run_line(line: str, service: RunningService) -> tuple[int, str, str]:
    """In a shell at the top of the repository, on the ports of this service."""
    here = line.replace("127.0.0.1:50051", service.grpc_address).replace("http://127.0.0.1:8080", service.http_url)
    process = await asyncio.create_subprocess_shell(
        here,
        cwd=ROOT,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/nonexistent", "TOKEN": ADMIN_TOKEN, "BUF_CACHE_DIR": "/tmp"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await within(process.communicate())
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


def test_the_readme_has_such_lines() -> None:
    assert len(LINES) >= 6


@pytest.mark.parametrize("line", LINES, ids=[line.rpartition("/")[2] for line in LINES])
async def test_a_line_of_the_readme_works(line: str, database: TestDatabase) -> None:
    place_imports()
    async with service_of_the_readme(database) as service:
        code, output, errors = await run_line(line, service)
    assert code == 0, errors
    if "--list-methods" in line:
        assert "tillsync.v1.CustomerSyncService/ListQueue" in output
        assert "grpc.health.v1.Health/Check" in output
    else:
        answer = json.loads(output)
        expected = {"SyncCustomer": "entry", "GetAccount": "account", "ListMessages": "messages", "Check": "status"}
        method = line.rpartition("/")[2]
        if method in expected:
            assert expected[method] in answer
        if "QUEUE_CUSTOMERS" in line:
            assert answer["entries"], "the queue of the account is listed"
