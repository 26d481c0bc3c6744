"""Runs every example of docs/api.md unchanged against a real service."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest
from acceptance.test_readme_commands import place_imports, run_line, service_of_the_readme
from support.directories import REPOSITORY
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN
from support.waiting import within

PAGE = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LINES = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
SCRIPTS = [text for kind, text in BLOCKS if kind == "python"]
ANSWERED = {"GetAccount": "account", "ListMessages": "messages", "Check": "status"}
ENTRY_ID = r"[0-9a-f-]{36}"
pytestmark = pytest.mark.processes


def test_tests_run_every_block_of_the_page() -> None:
    assert {kind for kind, _ in BLOCKS} == {"python", "sh"}
    assert {line.split()[0] for line in LINES} == {"grpcurl", "buf", "curl"}
    assert len(SCRIPTS) == 3
    assert len([line for line in LINES if line.startswith("buf ")]) >= 6


@pytest.mark.parametrize("line", LINES, ids=[f"{line.split()[0]}-{re.split('[/ ]', line)[-1]}" for line in LINES])
async def test_line_of_the_page_succeeds(line: str, database: TestDatabase) -> None:
    place_imports()
    async with service_of_the_readme(database) as service:
        code, output, errors = await run_line(line, service)
    assert code == 0, errors + output
    if "--list-methods" in line:
        assert "tillsync.v1.CustomerSyncService/ListQueue" in output
        assert "grpc.health.v1.Health/Check" in output
    elif (method := line.rpartition("/")[2]) in ANSWERED:
        assert ANSWERED[method] in json.loads(output)
    elif "QUEUE_CUSTOMERS" in line:
        assert json.loads(output)["entries"], "ListQueue lists the account's entries"
    elif line.endswith("SyncCustomer"):
        # Reflection sends no JSON names, so grpcurl prints the proto names.
        name = "entry_id" if line.startswith("grpcurl ") else "entryId"
        assert re.fullmatch(ENTRY_ID, json.loads(output)["entry"][name])
    elif line.endswith("ListQueue"):
        assert "entries" not in json.loads(output), "no order is held"
    elif "describe" in line:
        assert "int64 epos_customer_id = 2" in output
    else:
        assert "tillsync.v1.CustomerSyncService" in output


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        *zip(
            SCRIPTS,
            (
                rf"{ENTRY_ID} False\n\['epos_customer_id: is required and must be greater than 0'\]\n",
                rf"{ENTRY_ID} False\n\['epos_customer_id: is required and must be greater than 0'\]\n",
                r"ENTRY_STATE_(PENDING|HELD) .*\n",
            ),
            strict=True,
        )
    ],
    ids=["asyncio", "blocking", "order"],
)
async def test_script_of_the_page_succeeds(script: str, expected: str, database: TestDatabase, tmp_path: Path) -> None:
    async with service_of_the_readme(database) as service:
        (tmp_path / "example.py").write_text(script.replace("127.0.0.1:50051", service.grpc_address), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "example.py",
            cwd=tmp_path,
            env={"PYTHONPATH": ":".join(path for path in sys.path if path), "TOKEN": ADMIN_TOKEN},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await within(process.communicate())
    assert process.returncode == 0, errors.decode()
    assert re.fullmatch(expected, output.decode()), output.decode()
