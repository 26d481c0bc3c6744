"""Python's cycle collector in a process that makes many short-lived objects and hardly any cycles."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 10_000
"""Objects made since the last look before the next one; Python's own 700 costs a third of a busy worker's time. Of a gRPC call remain six
that only the collector finds (grpc's own): with 50,000 they would be ten megabytes of a busy server, and the looks no cheaper."""


def spare_the_collector() -> None:
    """Call once, after the imports: what is loaded by then is never looked at again, and young objects more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
