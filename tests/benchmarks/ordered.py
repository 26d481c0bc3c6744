"""Row `ordered`: several orders of each customer, processed in order per customer, compared with procrastinate's locks.

Both have the same queue of 50,000: 10 orders of each of 5,000 customers, the first of all before the second of all. We drain ours to the
end. procrastinate would need minutes, so only its first part is measured, while its queue is full and no job waits for a lock.
"""

from __future__ import annotations

import json
import statistics

from benchmarks.bench import Bench
from benchmarks.child import run_child
from benchmarks.fill import fill_orders
from benchmarks.peers import procrastinate
from benchmarks.report import Figure, Goal, of_runs

_GOAL = Goal(must=40, aim=40, unit="×")
_ACCOUNTS = 100


async def ordered(bench: Bench) -> list[Figure]:
    plan = bench.plan
    keys, each = plan.ordered_keys, plan.ordered_each
    await fill_orders(await bench.make_ours("ours_orders"), keys, each, _ACCOUNTS)
    await procrastinate.install(await bench.make_database("procrastinate_jobs"), keys, each)
    ours, theirs, out_of_order = [], [], 0
    for number in range(plan.rounds):
        async with bench.database("ours_orders") as dsn:
            warm = keys * each - plan.ordered_ours
            mine = await run_child("drain", "ours-ordered", dsn, warm, plan.ordered_ours, json.dumps({"keys": keys}))
        async with bench.database("procrastinate_jobs") as dsn:
            peer = await run_child("drain", "procrastinate", dsn, plan.ordered_peer // 10, plan.ordered_peer)
        ours.append(mine["per_second"])
        theirs.append(peer["per_second"])
        out_of_order += mine["out_of_order"]
        bench.show_progress(f"ordered round {number + 1}: ours {ours[-1]:,.0f}/s, procrastinate {theirs[-1]:,.0f}/s")
    for name in ("ours_orders", "procrastinate_jobs"):
        await bench.drop_database(name)
    if out_of_order:
        raise RuntimeError(f"{out_of_order} entries of ours started out of their customer's order")
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    detail = f"{statistics.median(ours):,.0f}/s, procrastinate {statistics.median(theirs):,.0f}/s; none out of order"
    what = f"order kept per customer ({keys:,} keys) / procrastinate with locks"
    return [of_runs("ordered", what, _GOAL, ratios, detail, ours_per_second=ours, procrastinate_per_second=theirs)]
