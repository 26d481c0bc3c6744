"""The primary's machine dies under load. Every acknowledged request is carried out, no twin is made, and the service resumes in 30 s.

`make test-ha` runs it. `make test` and CI do not.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ha.cluster import Cluster, running_cluster
from ha.machine import Machine
from support.acknowledged_load import FAULTS, Load, add_account, everything_arrived, loaded, nothing_waits, unfinished_requests
from support.deployment import deployment
from support.waiting import until
from tillsync_sandbox import SandboxShop, SandboxTill

pytestmark = [pytest.mark.high_availability, pytest.mark.timeout(1200)]

RESUMED_SECONDS = 30.0
COMEBACK_SECONDS = 180.0
SETTLED_SECONDS = 300.0
"""A create of a customer whose result a death has hidden is searched for again after its settle time, before it is repeated."""
REQUESTS = 36
"""Acknowledged updates before and after each death."""
REWOUND = re.compile(r"running pg_rewind")


@dataclass
class Observed:
    """What one run measured. Times are in seconds since a death."""

    acknowledged: list[float] = field(default_factory=list)
    """Until a call that began after the death was acknowledged."""
    carried_out: list[float] = field(default_factory=list)
    """Until a change that was acknowledged after the death was in the shop."""
    came_back: list[float] = field(default_factory=list)
    """Between the start of the dead machine and its streaming from the new primary."""
    rewound: int = 0

    def lines(self, load: Load) -> list[str]:
        return [
            f"acknowledged again after {_seconds(self.acknowledged)}; in the shop again after {_seconds(self.carried_out)}",
            f"the old primary streamed again {_seconds(self.came_back)} after its start, {self.rewound} times by pg_rewind",
            f"{len(load.orders):,} orders of {len(load.emails):,} shoppers and {load.updates.total():,} updates were acknowledged",
            f"{load.statuses.total():,} calls were refused ({', '.join(code.name for code in load.statuses)})",
        ]


def _seconds(times: list[float]) -> str:
    return ", ".join(f"{each:.1f}" for each in times) + " s"


async def kill_and_restart(cluster: Cluster, load: Load, observed: Observed) -> None:
    await until(cluster.has_synchronous_standby, cluster.report)
    await load.more(REQUESTS)
    primary = await cluster.primary()
    killed = time.monotonic()
    primary.kill()
    await until(lambda: load.last_began > killed, cluster.report, 4 * RESUMED_SECONDS)
    observed.acknowledged.append(time.monotonic() - killed)
    turn = max(load.points.values()) + 1
    rows = load.shop.store.bridge_rows
    await until(
        lambda: any(row.points is not None and int(row.points) >= turn for row in rows.values()), cluster.report, 4 * RESUMED_SECONDS
    )
    observed.carried_out.append(time.monotonic() - killed)
    await restart(cluster, primary, observed)
    await load.more(REQUESTS)


async def restart(cluster: Cluster, machine: Machine, observed: Observed) -> None:
    began = time.monotonic()
    logged = len(machine.patroni_log.read_text(encoding="utf-8"))
    machine.start()
    await until(lambda: cluster.follows(machine), cluster.report, COMEBACK_SECONDS)
    observed.came_back.append(time.monotonic() - began)
    observed.rewound += bool(REWOUND.search(machine.patroni_log.read_text(encoding="utf-8")[logged:]))


@pytest.mark.parametrize(("through", "deaths"), [("HAProxy", 3), ("several hosts in DATABASE_URL", 1)])
async def test_no_acknowledged_request_is_lost_when_the_primary_dies(
    through: str, deaths: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    observed = Observed()
    async with running_cluster() as cluster, SandboxTill() as till, SandboxShop() as shop:
        load = Load(till, shop)
        async with deployment(cluster.proxy_dsn if through == "HAProxy" else cluster.hosts_dsn, tmp_path, load):
            await add_account(load)
            async with loaded(load):
                for _ in range(deaths):
                    await kill_and_restart(cluster, load, observed)
            await nothing_waits(load, SETTLED_SECONDS)
            assert await unfinished_requests(load) == []
            await everything_arrived(load)
    with capsys.disabled():
        print(f"\nthrough {through}:", *observed.lines(load), sep="\n  ")
    assert not load.twins(), f"of {len(load.emails)} shoppers"
    assert not FAULTS & load.statuses.keys(), load.statuses
    assert max(observed.acknowledged) <= RESUMED_SECONDS, observed
