"""Scripts shared by all fakes: the step before each answer, and the faults that calls raise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

Step: TypeAlias = Callable[[str], Awaitable[None]]
"""Awaited with ``port.method`` before an answer. A test that replaces it chooses which call continues next, or never."""
Faults: TypeAlias = dict[str, "Exception | list[Exception | None]"]
"""Faults by method. Every call raises a single error. The next calls raise the items of a list in order; None means no error."""


async def no_step(_name: str) -> None:
    return None


def next_fault(faults: Faults, method: str) -> Exception | None:
    scripted = faults.get(method)
    if isinstance(scripted, list):
        return scripted.pop(0) if scripted else None
    return scripted


def raise_fault(faults: Faults, method: str) -> None:
    if (fault := next_fault(faults, method)) is not None:
        raise fault
