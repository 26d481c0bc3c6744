"""A coordinator and workers with Citus on loopback, set up by the commands of an operator. A cell is a schema."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from citus_cluster.node import Node
from ha.machine import free_ports
from support.directories import reachable_directory
from support.waiting import until
from tillsync_server.adapters.postgres.embedded.identity import run_as

DATABASE = "tillsync"
WORKERS = 2
SETTINGS = {
    "shared_preload_libraries": "citus",
    "wal_level": "logical",
    "max_prepared_transactions": "200",
    "max_connections": "200",
    "citus.recover_2pc_interval": "5s",
}
_PLACE = """
SELECT n.nodeport FROM pg_dist_schema d JOIN pg_dist_partition t ON t.colocationid = d.colocationid
JOIN pg_dist_shard s ON s.logicalrelid = t.logicalrelid JOIN pg_dist_placement p ON p.shardid = s.shardid
JOIN pg_dist_node n ON n.groupid = p.groupid AND n.noderole = 'primary' WHERE d.schemaid = $1::text::regnamespace LIMIT 1
"""


class CitusCluster:
    def __init__(self, directory: Path, programs: Path, settings: Mapping[str, str], workers: int = WORKERS) -> None:
        names = ["coordinator", *(f"worker{number + 1}" for number in range(workers))]
        self.coordinator, *self.workers = (
            Node(name, directory / name, programs, port, SETTINGS | dict(settings))
            for name, port in zip(names, free_ports(len(names)), strict=True)
        )

    @property
    def nodes(self) -> list[Node]:
        return [self.coordinator, *self.workers]

    async def start(self) -> None:
        """Starts all nodes and joins the workers to the coordinator."""
        for node in self.nodes:
            await asyncio.to_thread(node.make)
            node.start()
        for node in self.nodes:
            await until(lambda node=node: answers(node, "postgres"), node.report)  # type: ignore[misc]
            await execute(node, "postgres", f"CREATE DATABASE {DATABASE}")
            await execute(node, DATABASE, "CREATE EXTENSION citus")
        await self.execute(
            f"ALTER DATABASE {DATABASE} SET citus.show_shards_for_app_name_prefixes = '*'",
            f"SELECT citus_set_coordinator_host('127.0.0.1', {self.coordinator.port})",
            *(f"SELECT citus_add_node('127.0.0.1', {worker.port})" for worker in self.workers),
        )

    async def execute(self, *statements: str) -> None:
        """Runs statements at the coordinator as the superuser, who has no lock_timeout."""
        await execute(self.coordinator, DATABASE, *statements)

    async def make_cell(self, cell: str) -> str:
        """Makes the role of a cell, which makes its schema by `tillsync migrate`. Returns the DSN of the cell's processes."""
        await self.execute(
            f"CREATE ROLE {cell} LOGIN",
            f"ALTER ROLE {cell} SET lock_timeout = '1s'",
            f"GRANT CREATE ON DATABASE {DATABASE} TO {cell}",
        )
        return self.coordinator.dsn(DATABASE, cell)

    async def place(self, cell: str) -> Node:
        """The worker that has the cell."""
        connection = await asyncpg.connect(self.coordinator.dsn(DATABASE))
        port = await connection.fetchval(_PLACE, cell)
        await connection.close()
        return next(node for node in self.workers if node.port == port)

    async def move(self, cell: str, to: Node) -> None:
        """Moves a cell to another worker while it works. Returns after Citus has removed what the move has left behind."""
        await self.execute(f"SELECT citus_schema_move('{cell}', '127.0.0.1', {to.port})", "CALL citus_cleanup_orphaned_resources()")

    def stop(self) -> None:
        for node in reversed(self.nodes):
            node.kill()

    def report(self) -> str:
        return "\n".join(node.report() for node in self.nodes)


async def execute(node: Node, database: str, *statements: str) -> None:
    connection = await asyncpg.connect(node.dsn(database))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def answers(node: Node, database: str = DATABASE) -> bool:
    try:
        await execute(node, database, "SELECT 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


@asynccontextmanager
async def running_cluster(
    programs: Path, directory: Path, settings: Mapping[str, str] | None = None, *, workers: int = WORKERS
) -> AsyncIterator[CitusCluster]:
    """Yields a cluster under ``directory``, which the PostgreSQL user must be able to enter. ``settings`` apply to every node."""
    if not run_as().can_reach(programs):  # a clone in root's home is closed to that user
        root = programs.parents[4]
        programs = shutil.copytree(root, directory / "programs", symlinks=True) / programs.relative_to(root)
    cluster = CitusCluster(directory, programs, settings or {}, workers)
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.stop()


@asynccontextmanager
async def temporary_cluster(programs: Path, *, workers: int = WORKERS) -> AsyncIterator[CitusCluster]:
    with reachable_directory("citus-") as directory:
        async with running_cluster(programs, directory, workers=workers) as cluster:
            yield cluster
