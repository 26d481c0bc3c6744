"""Runs the five first steps of the README unchanged against a real service. Tests of docs/ use the helpers of this file."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.directories import REPOSITORY
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, PROGRAM, RunningService, command_environment, running_service
from support.waiting import within
from tillsync_sandbox import SandboxTill

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
INSTALL = "python3 -m venv ~/tillsync-venv && . ~/tillsync-venv/bin/activate && pip install ./clients/python ./server"
pytestmark = pytest.mark.processes


@asynccontextmanager
async def service_of_the_readme(database: TestDatabase) -> AsyncIterator[RunningService]:
    """A service with the account that the README names."""
    async with running_service(database.dsn) as service:
        await service.add_account("shop-a")
        await service.client.sync.sync_customer("shop-a", 1)
        yield service


def place_imports() -> None:
    """Places the google protos of an installed wheel beside protos/, where `make check` and buf need them."""
    subprocess.run([sys.executable, str(REPOSITORY / "scripts" / "generate_protos.py"), "--imports"], check=True, timeout=60)


async def run_line(line: str, service: RunningService) -> tuple[int, str, str]:
    """Runs the line in a shell at the top of the repository, with the ports of this service."""
    here = line.replace("127.0.0.1:50051", service.grpc_address).replace("http://127.0.0.1:8080", service.http_url)
    process = await asyncio.create_subprocess_shell(
        here,
        cwd=REPOSITORY,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/nonexistent", "TOKEN": ADMIN_TOKEN, "BUF_CACHE_DIR": "/tmp"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await within(process.communicate())
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


def first_steps() -> list[str]:
    """Returns the commands of the README's five steps, in order, without their comments."""
    section = README.partition("## A first real shop, in five steps\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return [line.partition("    #")[0].strip() for block in blocks for line in block.splitlines()]


async def test_first_steps_connect_a_till_and_a_shop(database: TestDatabase) -> None:
    """Runs the steps against a running service. tests/acceptance/test_wheel.py tests the installation.

    The till is the sandbox instead of Epos Now.
    """
    steps = first_steps()
    assert steps[:4] == [
        INSTALL,
        "export TILLSYNC_PUBLIC_URL=https://sync.example.test",
        "tillsync serve",
        "export TILLSYNC_TOKEN=@$HOME/.local/share/tillsync/admin-token",
    ]
    public = {"TILLSYNC_PUBLIC_URL": "https://sync.example.test"}
    async with SandboxTill() as till, running_service(database.dsn, changes=public) as service:
        till.store.add_customer(90001, forename="Guests")
        answers = {"till-key": till.switches.api_key, "till-secret": till.switches.api_secret, "webhook-key": "u", "webhook-secret": "p"}
        printed: list[str] = []
        for step in steps[4:]:
            typed = "".join(f"{answers[option]}\n" for option in re.findall(r"--([a-z-]+) -(?= |$)", step))
            if step.endswith("account check shop-a"):
                secrets = f"--till-key {answers['till-key']} --till-secret {answers['till-secret']}"
                await run_in_shell(f"tillsync account set shop-a --till-url {till.origin} {secrets}", service)
            printed.append(await run_in_shell(step, service, typed, code=1 if "check" in step else 0))
        account, connect, webhooks, check, queue = printed
        assert "90001" in account
        assert "tillsync1." in connect
        assert "/webhooks/eposnow/till/shop-a" in webhooks
        assert re.search(r"till +\W* *credentials", check), check
        assert "something is wrong" in check, "no shop has connected yet"
        assert queue


async def run_in_shell(line: str, service: RunningService, answers: str = "", *, code: int = 0) -> str:
    """Returns the output. ``answers`` are the answers to the command's questions."""
    process = await asyncio.create_subprocess_shell(
        line,
        env={
            **command_environment(TILLSYNC_ADDRESS=service.grpc_address, TILLSYNC_TOKEN=ADMIN_TOKEN),
            "PATH": f"{PROGRAM.parent}:/usr/bin:/bin",
            "COLUMNS": "200",
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await within(process.communicate(answers.encode()))
    assert process.returncode == code, output.decode()
    return output.decode()
