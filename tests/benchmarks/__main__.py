"""Runs the benchmarks: `make bench`, `make bench QUICK=1`, `make bench BENCH_ARGS="--only drain --json result.json"`."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import asyncpg
import structlog
import uvloop
from benchmarks import machine
from benchmarks.bench import Bench, new_server
from benchmarks.beside_flood import beside_flood
from benchmarks.calls import batch, lone, sync
from benchmarks.catch_up import catch_up
from benchmarks.drain import drain, drain_deep
from benchmarks.hung import hung
from benchmarks.latency import latency
from benchmarks.listing import listing
from benchmarks.memory import memory
from benchmarks.on_citus import on_citus
from benchmarks.order_answered import order_answered
from benchmarks.order_beside_bulk import order_beside_bulk
from benchmarks.ordered import ordered
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.report import Figure, markdown, print_table
from benchmarks.shop_requests import shop_requests
from benchmarks.snapshot import snapshot
from benchmarks.statements import statements
from benchmarks.till_requests import till_requests
from benchmarks.webhook_to_shop import webhook_to_shop
from rich.console import Console
from tillsync_server.composition.gc_tuning import tune_gc

ROWS: dict[str, Callable[[Bench], Awaitable[list[Figure]]]] = {
    "webhook": webhook_to_shop,
    "order": order_answered,
    "sync": sync,
    "lone": lone,
    "batch": batch,
    "beside-flood": beside_flood,
    "drain": drain,
    "drain-deep": drain_deep,
    "ordered": ordered,
    "latency": latency,
    "list": listing,
    "shop-requests": shop_requests,
    "till-requests": till_requests,
    "catch-up": catch_up,
    "order-beside-bulk": order_beside_bulk,
    "hung": hung,
    "snapshot": snapshot,
    "statements": statements,
    "memory": memory,
    "citus": on_citus,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run one smaller round, for a rough result")
    parser.add_argument("--only", action="append", choices=list(ROWS), metavar="ROW", help=f"run only these rows: {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, help="number of rounds (default: 5, quick: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write machine and table to this file, in the form of docs/benchmarks.md"
    )
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    if arguments.rounds:
        plan = replace(plan, rounds=arguments.rounds)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    tune_gc()
    directory = Path(tempfile.mkdtemp(prefix="tillsync-bench-", dir="/var/tmp"))
    directory.chmod(0o711)  # PostgreSQL's user needs to pass through it
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as in the service's processes; producers run in this process
            return runner.run(_run(plan, arguments.only or list(ROWS), directory, arguments.json, arguments.markdown))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _run(plan: Plan, rows: Sequence[str], directory: Path, json_file: Path | None, markdown_file: Path | None) -> int:
    console = Console() if sys.stdout.isatty() else Console(width=160)
    began = time.monotonic()
    figures: list[Figure] = []
    failed: list[str] = []
    async with new_server(directory / "postgres") as server:
        connection = await asyncpg.connect(server.dsn())
        facts = await machine.facts(connection) | {"plan": f"{plan.name}, median of {plan.rounds}"}
        await connection.close()
        for name, value in facts.items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
        bench = Bench(plan, server, directory, console)
        for row in [row for row in ROWS if row in rows]:
            console.print(f"● {row}", style="bold")
            try:
                figures += await ROWS[row](bench)
            except Exception:
                failed.append(row)
                console.print(traceback.format_exc(), style="red", highlight=False, soft_wrap=True)
    facts["took"] = f"{time.monotonic() - began:.0f} s"
    print_table(console, figures)
    console.print(f"took {facts['took']}" + (f"; NOT MEASURED: {', '.join(failed)}" if failed else ""))
    if json_file is not None:
        json_file.write_text(json.dumps({"machine": facts, "rows": [figure.as_json() for figure in figures]}, indent=1), encoding="utf-8")
    if markdown_file is not None:
        markdown_file.write_text(
            "\n".join(f"- {name}: {value}" for name, value in facts.items()) + "\n\n" + markdown(figures), encoding="utf-8"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
