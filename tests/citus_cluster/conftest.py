from __future__ import annotations

import pytest
from support import citus
from support.not_run import leave_out


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the tests out without the programs of Citus."""

    def thing(item: pytest.Item) -> str | None:
        return citus.THING if citus.bin_dir() is None and item.get_closest_marker("citus_cluster") else None

    leave_out(config, items, thing)
