"""Numbers of repetitions in tests. ``TILLSYNC_TEST_SOAK=1`` makes long runs, which find rare failures."""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import settings

T = TypeVar("T")

SOAK = os.environ.get("TILLSYNC_TEST_SOAK", "") not in ("", "0")


def rounds(short: T, long: T) -> T:
    """``short`` by default. ``long`` must only repeat or wait longer. No assertion may depend on it alone."""
    return long if SOAK else short


# no deadline for an example, because it would measure the load of the machine
settings.register_profile("short", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=1000)
settings.load_profile(rounds("short", "soak"))
