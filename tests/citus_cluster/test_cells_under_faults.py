"""Two cells of one cluster work under load while one is moved, and while each node is killed. No acknowledged request is lost.

`make test-citus-cluster` runs it. `make test` and CI do not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from citus_cluster.cell import Cell, running_cell
from citus_cluster.cluster import CitusCluster, answers, temporary_cluster
from citus_cluster.node import Node
from grpc import StatusCode
from support import citus
from support.acknowledged_load import everything_arrived, nothing_waits, unfinished_requests
from support.waiting import until

pytestmark = [pytest.mark.citus_cluster, pytest.mark.timeout(1200)]

ROUNDS = 3
REQUESTS = 36
"""Acknowledged updates of each cell before and after each fault, and of a spared cell during it."""
REFUSALS = 40
"""Calls of one caller that are refused while the node is dead, which takes 3 to 5 s."""
RESUMED_SECONDS = 60.0
SETTLED_SECONDS = 300.0
"""A create of a customer whose result a death has hidden is searched for again after its settle time, before it is repeated."""


async def kill_and_restart(cluster: CitusCluster, node: Node, felt_by: Sequence[Cell], spared: Sequence[Cell]) -> None:
    """Kills a node until the cells that need it were refused, and the others have gone on. Then starts the node again."""
    refused = {cell.name: cell.statuses.total() for cell in (*felt_by, *spared)}
    node.kill()
    for cell in spared:
        await cell.load.more(REQUESTS)
        assert cell.statuses.total() == refused[cell.name], f"{cell.name} felt the death of {node.name}: {cell.statuses}"
    for cell in felt_by:
        enough = refused[cell.name] + REFUSALS
        await until(lambda cell=cell, enough=enough: cell.caller.refused >= enough, cluster.report)  # type: ignore[misc]
    began = time.monotonic()
    node.start()
    for cell in felt_by:
        await until(lambda cell=cell: cell.caller.last_began > began, cluster.report, RESUMED_SECONDS)  # type: ignore[misc]
        cell.again.append(time.monotonic() - began)
    await until(lambda: answers(node), node.report)
    for cell in (*felt_by, *spared):
        await cell.load.more(REQUESTS)


async def move_there_and_back(cluster: CitusCluster, cell: Cell) -> str:
    home = await cluster.place(cell.name)
    away = next(node for node in cluster.workers if node is not home)
    refused, cell.load.slowest = cell.statuses.total(), 0.0
    seconds = []
    for target in (away, home):
        began = time.monotonic()
        await cluster.move(cell.name, target)
        seconds.append(time.monotonic() - began)
        assert await cluster.place(cell.name) is target
        await cell.load.more(REQUESTS)
    return (
        f"{cell.name} was moved in {seconds[0]:.1f} s and back in {seconds[1]:.1f} s; "
        f"slowest request {cell.load.slowest:.1f} s, {cell.statuses.total() - refused} calls refused"
    )


async def test_no_acknowledged_request_is_lost_in_a_move_or_when_a_node_dies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    programs = citus.bin_dir()
    assert programs is not None
    async with (
        temporary_cluster(programs) as cluster,
        running_cell(cluster, "cell_a", tmp_path / "a") as first,
        running_cell(cluster, "cell_b", tmp_path / "b") as second,
    ):
        cells = (first, second)
        places = [await cluster.place(cell.name) for cell in cells]
        assert places[0] is not places[1]
        async with first.loaded(), second.loaded():
            moved = await move_there_and_back(cluster, first)
            for _ in range(ROUNDS):
                await kill_and_restart(cluster, places[0], [first], [second])
                await kill_and_restart(cluster, places[1], [second], [first])
                await kill_and_restart(cluster, cluster.coordinator, cells, [])
        lost = {}
        for cell in cells:
            await nothing_waits(cell.load, SETTLED_SECONDS)
            lost[cell.name] = await unfinished_requests(cell.load)
            await everything_arrived(cell.load)
        with capsys.disabled():
            print("", moved, *(cell.line(len(lost[cell.name])) for cell in cells), sep="\n  ")
        for cell in cells:
            assert lost[cell.name] == []
            assert not cell.load.twins(), f"of {len(cell.load.emails)} shoppers"
            assert set(cell.statuses) <= {StatusCode.UNAVAILABLE}
