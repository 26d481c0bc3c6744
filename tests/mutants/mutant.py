"""Defines a mutant: the name of an invariant, and the change that removes its mechanism.

One marker beside the mechanism has the name (``markers.py``), and so do one or more tests (``@pytest.mark.catches``). The change replaces
the marked code. It names no file, function or variable, and does not depend on the layout of lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Part(Enum):
    """The part of the marked code that a change replaces."""

    WHOLE = auto()
    CONDITION = auto()
    """The condition of an `if`, `while`, guard or conditional expression."""
    VALUE = auto()
    """The value that is returned, yielded, assigned or passed."""
    CAUGHT = auto()
    """The exceptions of an `except`."""
    ENTRY = auto()
    """The place before the first statement inside a `with`."""


@dataclass(frozen=True)
class Change:
    """``code`` is in the marked file's language. None removes the part. Every language has the placeholder `IT`; ``python.py`` has more."""

    part: Part
    code: str | None


@dataclass(frozen=True)
class Mutant:
    name: str
    """Name of the invariant in kebab-case, as in the marker and the tests."""
    what: str
    """What happens without the mechanism."""
    change: Change


def drop() -> Change:
    """Removes the statement, element or conjunct."""
    return Change(Part.WHOLE, None)


def becomes(code: str) -> Change:
    return Change(Part.WHOLE, code)


def condition(code: str) -> Change:
    return Change(Part.CONDITION, code)


def value(code: str) -> Change:
    return Change(Part.VALUE, code)


def catches(code: str) -> Change:
    return Change(Part.CAUGHT, code)


def begins_with(code: str) -> Change:
    return Change(Part.ENTRY, code)


class DoesNotApply(Exception):
    """The marker is missing or appears twice, or the code after it does not fit the change."""
