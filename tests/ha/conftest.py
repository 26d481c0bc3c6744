from __future__ import annotations

import pytest
from ha.machine import PROGRAMS
from support.not_run import leave_out

THING = "Patroni, etcd, HAProxy and PostgreSQL 15"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the tests out if a program is missing. Only root on Debian can install them."""
    missing = [program for program in PROGRAMS if not program.exists()]

    def thing(item: pytest.Item) -> str | None:
        return THING if missing and item.get_closest_marker("high_availability") else None

    leave_out(config, items, thing)
