"""Three machines with the files of deploy/high-availability, behind HAProxy. Only addresses and folders of the files change."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from ha.machine import HAPROXY, Machine, free_ports, own_directory, start_program
from support.directories import REPOSITORY, reachable_directory
from support.waiting import until

FILES = REPOSITORY / "deploy" / "high-availability"
COUNT = 3
START_SECONDS = 120.0
_HTTP_SECONDS = aiohttp.ClientTimeout(total=5)


class Cluster:
    """PostgreSQL of three machines, of which Patroni makes one the primary."""

    def __init__(self, directory: Path, http: aiohttp.ClientSession) -> None:
        self._directory, self._http = directory, http
        self._haproxy: subprocess.Popen[bytes] | None = None
        *ports, self._proxy_port = free_ports(4 * COUNT + 1)
        self.machines = [
            Machine(
                f"pg{number + 1}",
                own_directory(directory / f"pg{number + 1}"),
                client_port=ports[4 * number],
                peer_port=ports[4 * number + 1],
                rest_port=ports[4 * number + 2],
                database_port=ports[4 * number + 3],
            )
            for number in range(COUNT)
        ]
        addresses = self._addresses()
        for machine in self.machines:
            machine.configuration = self._patroni(machine, addresses)
            machine.etcd_variables = self._etcd(machine, addresses)

    def _addresses(self) -> dict[str, str]:
        """Loopback addresses by the addresses of the files."""
        made = {"127.0.0.1:5000": f"127.0.0.1:{self._proxy_port}", "10.0.0.0/24": "127.0.0.1/32"}
        for number, machine in enumerate(self.machines, start=11):
            ports = {2379: machine.client_port, 2380: machine.peer_port, 8008: machine.rest_port, 5432: machine.database_port}
            made |= {f"10.0.0.{number}:{port}": f"127.0.0.1:{own}" for port, own in ports.items()}
        return made

    def _patroni(self, machine: Machine, addresses: dict[str, str]) -> str:
        text = (FILES / "patroni.yml").read_text(encoding="utf-8")
        number = self.machines.index(machine) + 11
        own = {
            "name: pg1": f"name: {machine.name}",
            **{f": 10.0.0.11:{port}": f": 10.0.0.{number}:{port}" for port in (8008, 5432)},
            "/var/lib/postgresql/15/tillsync": str(machine.data_directory),
            "/var/lib/postgresql/tillsync.pgpass": str(machine.directory / "pgpass"),
            "/var/run/postgresql": str(machine.directory),
            "mode: automatic": "mode: 'off'",  # the watchdog would restart the machine of the tests
        }
        return _replaced(text, own | addresses)

    def _etcd(self, machine: Machine, addresses: dict[str, str]) -> dict[str, str]:
        lines = [line for line in (FILES / "etcd.env").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        made = dict(line.split("=", 1) for line in lines)
        number = self.machines.index(machine) + 11
        made = {
            name: value if name == "ETCD_INITIAL_CLUSTER" else value.replace("10.0.0.11", f"10.0.0.{number}")
            for name, value in made.items()
        }
        return {name: _replaced(value, addresses) for name, value in made.items()} | {"ETCD_NAME": machine.name}

    async def start(self) -> None:
        """Starts all machines, makes role and database of tillsync, and starts HAProxy."""
        for machine in self.machines:
            machine.start()
        await until(self._is_complete, self.report, START_SECONDS)
        connection = await asyncpg.connect(self._dsn("postgres", "change-me-1", await self.primary(), "postgres"))
        await connection.execute("CREATE ROLE tillsync LOGIN PASSWORD 'change-me-4'")
        await connection.execute("CREATE DATABASE tillsync OWNER tillsync")
        await connection.execute("GRANT pg_read_all_stats TO tillsync")
        await connection.close()
        configuration = self._directory / "haproxy.cfg"
        text = (FILES / "haproxy.cfg").read_text(encoding="utf-8")
        rest_ports = {
            f" 10.0.0.{number}:5432 check port 8008": f" 127.0.0.1:{each.database_port} check port {each.rest_port}"
            for number, each in enumerate(self.machines, 11)
        }
        configuration.write_text(_replaced(text, rest_ports | self._addresses()), encoding="utf-8")
        configuration.chmod(0o644)
        self._haproxy = start_program([str(HAPROXY), "-db", "-f", str(configuration)], self._directory / "haproxy.log")
        await until(self._proxy_leads_to_the_primary, self.report)

    def stop(self) -> None:
        if self._haproxy is not None:
            self._haproxy.kill()
            self._haproxy.wait(timeout=10)
        for machine in self.machines:
            machine.kill()

    def _dsn(self, user: str, password: str, machine: Machine, database: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{machine.database_port}/{database}?sslmode=disable"

    @property
    def proxy_dsn(self) -> str:
        return f"postgresql://tillsync:change-me-4@127.0.0.1:{self._proxy_port}/tillsync?sslmode=disable"

    @property
    def hosts_dsn(self) -> str:
        """The machines' own addresses, without HAProxy."""
        hosts = ",".join(f"127.0.0.1:{machine.database_port}" for machine in self.machines)
        return f"postgresql://tillsync:change-me-4@{hosts}/tillsync?target_session_attrs=read-write&sslmode=disable"

    async def primary(self) -> Machine:
        """The machine whose Patroni is the primary. Raises AssertionError if none is."""
        for machine in self.machines:
            if await self._answers(machine, "primary"):
                return machine
        raise AssertionError("no machine is the primary")

    async def has_synchronous_standby(self) -> bool:
        return any([await self._answers(machine, "sync") for machine in self.machines])

    async def follows(self, machine: Machine) -> bool:
        """Returns whether ``machine`` is a standby that streams from the primary without a gap."""
        members = {member["name"]: member for member in await self._members()}
        leader = next((member for member in members.values() if member["role"] in ("leader", "master", "primary")), None)
        own = members.get(machine.name)
        return (
            own is not None
            and leader is not None
            and await self._answers(machine, "replica")
            and (own.get("timeline"), own.get("lag")) == (leader.get("timeline"), 0)
        )

    async def _proxy_leads_to_the_primary(self) -> bool:
        """Returns whether connections reach the primary only. HAProxy takes every machine for the primary until its checks have failed."""
        return all([await self._is_writable() for _ in range(2 * COUNT)])

    async def _is_writable(self) -> bool:
        try:
            connection = await asyncpg.connect(self.proxy_dsn, timeout=5)
            in_recovery: bool = await connection.fetchval("SELECT pg_is_in_recovery()")
            await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # HAProxy ends the sessions of a machine that it marks down
            return False
        return not in_recovery

    async def _is_complete(self) -> bool:
        """Returns whether there is a primary with two standbys, one of them synchronous."""
        roles = [await self._answers(machine, "replica") for machine in self.machines]
        primaries = [await self._answers(machine, "primary") for machine in self.machines]
        return sum(roles) == COUNT - 1 and sum(primaries) == 1 and await self.has_synchronous_standby()

    async def _answers(self, machine: Machine, path: str) -> bool:
        try:
            async with self._http.get(f"http://127.0.0.1:{machine.rest_port}/{path}", timeout=_HTTP_SECONDS) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _members(self) -> list[dict[str, Any]]:
        for machine in self.machines:
            try:
                async with self._http.get(f"http://127.0.0.1:{machine.rest_port}/cluster", timeout=_HTTP_SECONDS) as response:
                    answer = await response.json()
                    return list(answer["members"])
            except (aiohttp.ClientError, TimeoutError):
                continue
        return []

    async def report(self) -> str:
        """The members of the cluster, and the end of each machine's log."""
        logs = [f"{machine.name}: {_end(machine.patroni_log)}" for machine in self.machines]
        return "\n".join([str(await self._members()), *logs])


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def _end(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-1500:] if log.exists() else "(no log)"


@asynccontextmanager
async def running_cluster() -> AsyncIterator[Cluster]:
    with reachable_directory("ha-") as directory:
        async with aiohttp.ClientSession() as http:
            cluster = Cluster(directory, http)
            try:
                await cluster.start()
                yield cluster
            finally:
                cluster.stop()
