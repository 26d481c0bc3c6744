"""The pytest plugin of a run of mutants (`-p mutants.pytest_catches`).

``TILLSYNC_CATCHES_FILE``: write there which tests catch which invariant (JSON, name: node ids) after the collection.
``TILLSYNC_MUTATED``: the mutated copy of the server. The run ends at once where another one is imported.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from pathlib import Path

import pytest

_SHOP = re.compile(r"(?:wordpress|real)[\w.]*-(?:mariadb|sqlite)-\w+")


def pytest_sessionstart() -> None:
    import tillsync_server

    mutated = os.environ.get("TILLSYNC_MUTATED")
    assert tillsync_server.__file__ is not None
    if mutated and not Path(tillsync_server.__file__).is_relative_to(mutated):
        pytest.exit(f"not the mutant but {tillsync_server.__file__} is imported", returncode=pytest.ExitCode.INTERNAL_ERROR)


def pytest_collection_finish(session: pytest.Session) -> None:
    file = os.environ.get("TILLSYNC_CATCHES_FILE")
    if file:
        Path(file).write_text(json.dumps(_found(session.items)), encoding="utf-8")


def _found(items: list[pytest.Item]) -> dict[str, list[str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for item in items:
        for marker in item.iter_markers("catches"):
            (name,) = marker.args
            # where a test runs in several shops, one is enough: the quickest
            case = _SHOP.sub("", item.nodeid)
            found[name][case] = min(found[name].get(case, item.nodeid), item.nodeid, key=_slowness)
    return {name: list(cases.values()) for name, cases in found.items()}


def _slowness(node_id: str) -> bool:
    return "-sqlite-" not in node_id
