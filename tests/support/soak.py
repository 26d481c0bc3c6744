"""How often a test repeats what it does. ``TILLSYNC_TEST_SOAK=1``: long runs, which find what is rare; otherwise short ones."""

from __future__ import annotations

import os
from typing import Any, TypeVar

T = TypeVar("T")

SOAK = os.environ.get("TILLSYNC_TEST_SOAK", "") not in ("", "0")


def rounds(short: T, long: T) -> T:
    """``short`` by default. ``long`` must only repeat the same or wait longer for the same: no assertion may depend on it alone."""
    return long if SOAK else short


def examples(short: int, long: int, **others: Any) -> Any:
    """Settings of Hypothesis with so many examples."""
    from hypothesis import settings

    return settings(max_examples=rounds(short, long), deadline=None, **others)
