"""The previous release and this one on one database, under load: forward, back and forward again by rolling restarts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.acknowledged_load import FAULTS, Load, add_account, everything_arrived, loaded, nothing_waits, unfinished_requests
from support.directories import REPOSITORY, reachable_directory
from support.earlier_release import newest_release, python_path, unpack
from support.postgres import TestDatabase
from support.service import Child, child, environment, run_command
from tillsync_sandbox import SandboxShop, SandboxTill

pytestmark = [pytest.mark.processes, pytest.mark.earlier_release, pytest.mark.timeout(300)]

SCHEMA = "two_releases"
REQUESTS_A_STAGE = 12
"""Acknowledged requests of each kind while two releases run together."""


class Deployment:
    """One ``serve`` and one ``worker`` process. Each is replaced by starting the next one before the old one stops."""

    def __init__(self, variables: dict[str, str], releases: dict[str, str], directory: Path, load: Load) -> None:
        self._variables, self._releases, self._directory, self._load = variables, releases, directory, load
        self._running: dict[str, tuple[AsyncExitStack, Child]] = {}

    def variables(self, release: str) -> dict[str, str]:
        return {**self._variables, **({"PYTHONPATH": self._releases[release]} if self._releases[release] else {})}

    async def replace(self, command: str, release: str) -> None:
        stack = AsyncExitStack()
        made = stack.enter_context(child([command], self.variables(release), self._directory))
        await made.started()
        if command == "serve":
            self._load.address = f"127.0.0.1:{made.grpc_port}"
        before = self._running.get(command)
        self._running[command] = stack, made
        if before is not None:
            assert await before[1].stop() == 0, before[1].errors
            self._check(before[1])
            await before[0].aclose()

    async def stop(self) -> None:
        for stack, process in self._running.values():
            assert await process.stop() == 0, process.errors
            self._check(process)
            await stack.aclose()

    def _check(self, process: Child) -> None:
        errors = [line for line in process.errors.splitlines() if '"level": "error"' in line]
        assert not errors, errors[:3]


@pytest.fixture
def previous() -> Iterator[Path]:
    with reachable_directory("previous-") as directory:
        yield unpack(directory, newest_release())


def revisions(server: Path) -> set[str]:
    """The numbers of the revisions in a release's ``server`` folder."""
    directory = server / "tillsync_server/adapters/postgres/migrations/versions"
    return {found[1] for path in directory.iterdir() if (found := re.match(r"r?(\d{4})_", path.name))}


async def test_rolling_restarts_between_two_releases_lose_nothing_and_make_no_twin(
    database: TestDatabase, previous: Path, tmp_path: Path
) -> None:
    variables = environment(database.dsn, TILLSYNC_DB_SCHEMA=SCHEMA, TILLSYNC_ALLOWED_HOSTS="127.0.0.1")
    async with SandboxTill() as till, SandboxShop() as shop:
        load = Load(till, shop)
        deployment = Deployment(variables, {"previous": python_path(previous), "this": ""}, tmp_path, load)
        await asyncio.to_thread(run_command, ["migrate"], deployment.variables("previous"))
        await deployment.replace("serve", "previous")
        await deployment.replace("worker", "previous")
        await add_account(load)
        async with loaded(load):
            await load.more(REQUESTS_A_STAGE)
            ran = await asyncio.to_thread(run_command, ["migrate"], deployment.variables("this"))
            new = sorted(revisions(REPOSITORY / "server") - revisions(previous / "server"))
            assert ran.stdout.splitlines()[-1] == (f"applied: {', '.join(new)}" if new else "nothing to do: the schema is up to date"), ran
            for release in ("this", "previous", "this"):
                for command in ("serve", "worker"):
                    await deployment.replace(command, release)
                    await load.more(REQUESTS_A_STAGE)
        await nothing_waits(load)
        assert await unfinished_requests(load) == []
        await everything_arrived(load)
        await deployment.stop()
    assert not FAULTS & load.statuses.keys(), load.statuses
    assert not load.twins(), f"of {len(load.emails)} shoppers"
