"""A cell on the worker of a Citus cluster: its migration, the settings that an operator must make, and a worker that dies at a commit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
from citus_cluster.cluster import DATABASE, CitusCluster, answers, temporary_cluster
from citus_cluster.node import Node
from support import citus
from support.service import environment, run_command
from support.waiting import until
from tillsync_server.adapters.grpc.failures import Failures
from tillsync_server.adapters.postgres.connections.cell import UnusableCellError
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.migrations import migrate
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings

pytestmark = [pytest.mark.citus, pytest.mark.timeout(240)]

_NUMBERS = itertools.count(1)
SHARDS = "citus.show_shards_for_app_name_prefixes"


@pytest.fixture(scope="module")
def nodes() -> Iterator[CitusCluster]:
    """A coordinator and one worker."""
    programs = citus.bin_dir()
    assert programs is not None
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        made = runner.run(stack.enter_async_context(temporary_cluster(programs, workers=1)))
        try:
            yield made
        finally:
            runner.run(stack.aclose())


@dataclass(frozen=True)
class Cell:
    name: str
    dsn: str
    environment: dict[str, str]


@pytest_asyncio.fixture
async def cell(nodes: CitusCluster) -> AsyncIterator[Cell]:
    """The role of a cell, whose schema is not made yet."""
    name = f"cell_{next(_NUMBERS)}"
    dsn = await nodes.make_cell(name)
    yield Cell(name, dsn, environment(dsn, TILLSYNC_DB_SCHEMA=name))
    await nodes.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


async def start(cell: Cell) -> None:
    async with Service(load_settings(cell.environment), serves=True, works=False):
        pass


async def doctor(cell: Cell) -> tuple[int, str]:
    ran = await asyncio.to_thread(run_command, ["doctor"], cell.environment)
    return ran.returncode, ran.stdout


async def test_migrate_makes_a_cell_and_says_on_which_node_it_lies(nodes: CitusCluster, cell: Cell) -> None:
    lines = list[str]()
    [worker] = nodes.workers
    assert (await doctor(cell))[0] == 1, "there is no schema yet"
    await migrate(cell.dsn, schema=cell.name, progress=lines.append)
    assert lines[-1] == f"the cell {cell.name} lies on 127.0.0.1:{worker.port}"
    assert await nodes.place(cell.name) is worker
    await start(cell)
    code, output = await doctor(cell)
    assert code == 0
    assert output.splitlines()[1:] == [
        f"cell: the schema {cell.name} lies on 127.0.0.1:{worker.port}",
        "the service can start on this database",
    ]


async def test_migrate_refuses_a_schema_that_is_not_distributed(nodes: CitusCluster, cell: Cell) -> None:
    await nodes.execute(f"CREATE SCHEMA {cell.name} AUTHORIZATION {cell.name}")
    with pytest.raises(UnusableCellError, match=rf"{cell.name} is not distributed: call citus_schema_distribute\('{cell.name}'\)"):
        await migrate(cell.dsn, schema=cell.name)
    connection = await asyncpg.connect(cell.dsn)
    assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = $1::text::regnamespace", cell.name) == 0
    await connection.execute(f"SELECT citus_schema_distribute('{cell.name}')")
    await connection.close()
    await migrate(cell.dsn, schema=cell.name)
    await start(cell)


@pytest.mark.parametrize(
    ("fault", "said", "remedy"),
    [
        ("ALTER ROLE {cell} RESET lock_timeout", "SET lock_timeout = '1s'", "ALTER ROLE {cell} SET lock_timeout = '1s'"),
        (f"ALTER DATABASE {DATABASE} RESET {SHARDS}", f"SET {SHARDS} = '*'", f"ALTER DATABASE {DATABASE} SET {SHARDS} = '*'"),
        (
            "SELECT citus_schema_undistribute('{cell}')",
            "call citus_schema_distribute('{cell}')",
            "SELECT citus_schema_distribute('{cell}')",
        ),
    ],
    ids=["no lock_timeout", "hidden shards", "not distributed"],
)
async def test_start_is_refused_with_the_remedy(nodes: CitusCluster, cell: Cell, fault: str, said: str, remedy: str) -> None:
    await migrate(cell.dsn, schema=cell.name)
    await nodes.execute(fault.format(cell=cell.name))
    expected = said.format(cell=cell.name)
    with pytest.raises(StartError) as refused:
        await start(cell)
    assert expected in str(refused.value)
    code, output = await doctor(cell)
    [problem] = [line for line in output.splitlines() if line.startswith("problem: ")]
    assert (code, expected in problem) == (1, True), output
    await nodes.execute(remedy.format(cell=cell.name))
    await migrate(cell.dsn, schema=cell.name)
    await start(cell)
    assert (await doctor(cell))[0] == 0


async def test_doctor_advises_settings_of_the_coordinator(nodes: CitusCluster, cell: Cell) -> None:
    await migrate(cell.dsn, schema=cell.name)
    await nodes.execute("ALTER SYSTEM SET citus.recover_2pc_interval = '60s'", "SELECT pg_reload_conf()")
    try:

        async def is_advised() -> bool:
            return "advice: a node that dies in a commit" in (await doctor(cell))[1]

        await until(is_advised)
        assert (await doctor(cell))[0] == 0
    finally:
        await nodes.execute("ALTER SYSTEM RESET citus.recover_2pc_interval", "SELECT pg_reload_conf()")


async def insert_while_the_node_dies(database: Database, node: Node) -> None:
    async with database.acquire() as connection, connection.transaction():
        await connection.execute("INSERT INTO till (till_id, tokens, refilled_at) VALUES ('till', 1, now())")
        node.kill()


async def test_node_that_dies_at_a_commit_makes_a_call_unavailable(nodes: CitusCluster, cell: Cell) -> None:
    """Citus reports XX000, which is an internal error of any other server."""
    [worker] = nodes.workers
    await migrate(cell.dsn, schema=cell.name)
    database = Database(cell.dsn, schema=cell.name, max_size=1)
    try:
        with pytest.raises(asyncpg.ConnectionFailureError) as raised:
            await insert_while_the_node_dies(database, worker)
        assert isinstance(raised.value.__cause__, asyncpg.InternalServerError)
        assert isinstance(raised.value, DATABASE_GONE)
        refusal = Failures(DATABASE_GONE).refusal_of(raised.value, "/tillsync.v1.CustomerSyncService/SyncCustomer")
        assert refusal.code.name == "UNAVAILABLE"
    finally:
        worker.start()
        await until(lambda: answers(worker), worker.report)
    try:
        async with database.acquire() as connection:
            assert await connection.fetchval("SELECT count(*) FROM till") == 0
    finally:
        await database.close()
