"""Pytest plugin for the runs of mutants (`-p mutants.pytest_catches`).

``TILLSYNC_CATCHES_FILE``: after the collection the plugin writes the tests of each invariant to this file, as JSON (name: node ids).
``TILLSYNC_MUTATED``: path of the mutated copy of the server. The run ends at once if another copy is imported.
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
        pytest.exit(f"{tillsync_server.__file__} is imported instead of the mutant", returncode=pytest.ExitCode.INTERNAL_ERROR)


def pytest_collection_finish(session: pytest.Session) -> None:
    file = os.environ.get("TILLSYNC_CATCHES_FILE")
    if file:
        Path(file).write_text(json.dumps(_found(session.items)), encoding="utf-8")


def _found(items: list[pytest.Item]) -> dict[str, list[str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for item in items:
        for marker in item.iter_markers("catches"):
            (name,) = marker.args
            # a test that runs in several shops needs only one of them, so the quickest is chosen
            case = _SHOP.sub("", item.nodeid)
            found[name][case] = min(found[name].get(case, item.nodeid), item.nodeid, key=_slowness)
    return {name: list(cases.values()) for name, cases in found.items()}


def _slowness(node_id: str) -> bool:
    return "-sqlite-" not in node_id
