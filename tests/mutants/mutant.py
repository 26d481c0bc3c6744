"""What a mutant is: the name of an invariant, and the change that takes its mechanism out.

The name stands once as a marker beside the mechanism (``markers.py``) and once or more on tests (``@pytest.mark.catches``). A change says
what becomes of the marked thing. It names no file, function or variable, and knows nothing of the layout of lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Part(Enum):
    """Of the marked thing, what is replaced."""

    WHOLE = auto()
    CONDITION = auto()
    """Of an `if`, `while`, guard or conditional expression."""
    VALUE = auto()
    """What is returned, yielded, assigned or passed."""
    CAUGHT = auto()
    """The exceptions of an `except`."""
    ENTRY = auto()
    """Before the first statement inside a `with`."""


@dataclass(frozen=True)
class Change:
    """``code`` in the marked file's language; None: the part goes. Placeholders in it are for ``python.py``, and `IT` for all."""

    part: Part
    code: str | None


@dataclass(frozen=True)
class Mutant:
    name: str
    """Of the invariant, in kebab-case: what the marker and the tests say."""
    what: str
    """What happens in the mutant."""
    change: Change


def drop() -> Change:
    """The statement, element or conjunct goes."""
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
    """The marker is missing or doubled, or what follows it is not what the change is for."""
