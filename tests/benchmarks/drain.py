"""Rows `drain` and `drain-deep`: a worker drains a full queue, compared with PgQueuer and with the least SQL for the same rows."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.child import run_child
from benchmarks.fill import fill_customers
from benchmarks.peers import pgqueuer
from benchmarks.report import Figure, Goal, of_runs, of_the_limit

_DRAIN = Goal(must=1.5, aim=1.7, unit="×")
_DEEP = Goal(must=1.3, aim=1.5, unit="×")
_ACCOUNTS = 100


async def drain(bench: Bench) -> list[Figure]:
    plan = bench.plan
    return await _beside(bench, "drain", plan.drain_entries + plan.drain_warm, _ACCOUNTS, plan.drain_warm, plan.drain_entries, _DRAIN)


async def drain_deep(bench: Bench) -> list[Figure]:
    plan = bench.plan
    return await _beside(bench, "drain-deep", plan.deep_entries, plan.deep_accounts, plan.deep_warm, plan.deep_slice, _DEEP)


async def _beside(bench: Bench, row: str, entries: int, accounts: int, warm: int, count: int, goal: Goal) -> list[Figure]:
    """Fills both queues once, and drains a new copy in each round."""
    bench.show_progress(f"filling both queues with {entries:,} entries")
    await fill_customers(await bench.make_ours("ours_filled"), entries, accounts)
    await pgqueuer.install(await bench.make_database("pgqueuer_filled"), entries)
    ours, theirs, least = [], [], []
    for number in range(bench.plan.rounds):
        async with bench.database("ours_filled") as dsn:
            ours.append((await run_child("drain", "ours", dsn, warm, count))["per_second"])
        async with bench.database("ours_filled") as dsn:
            least.append((await run_child("drain", "least-sql", dsn, warm, count))["per_second"])
        async with bench.database("pgqueuer_filled") as dsn:
            theirs.append((await run_child("drain", "pgqueuer", dsn, warm, count))["per_second"])
        bench.show_progress(f"{row} round {number + 1}: ours {ours[-1]:,.0f}/s, PgQueuer {theirs[-1]:,.0f}/s, least SQL {least[-1]:,.0f}/s")
    for name in ("ours_filled", "pgqueuer_filled"):
        await bench.drop_database(name)
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    middle = len(ours) // 2
    detail = f"{sorted(ours)[middle]:,.0f}/s, PgQueuer {sorted(theirs)[middle]:,.0f}/s"
    depth = f"drain of {count:,} over {accounts:,} accounts" if row == "drain" else f"drain, {entries:,} deep over {accounts:,} accounts"
    return [
        of_runs(row, f"{depth} / PgQueuer", goal, ratios, detail, ours_per_second=ours, pgqueuer_per_second=theirs),
        of_the_limit(row, depth, ours, least),
    ]
