"""Parses values of switches from JSON. Each value must have the type of its field in the dataclass of the switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import get_args, get_type_hints


@dataclass(frozen=True, slots=True)
class Range:
    least: float | None = 0
    most: float | None = None

    def __str__(self) -> str:
        least = "" if self.least is None else f" from {self.least:g}"
        return least if self.most is None else f"{least} to {self.most:g}"

    def __contains__(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


def parse_switch_values(switches: type, changes: Mapping[str, object], ranges: Mapping[str, Range] | None = None) -> dict[str, object]:
    """Converts changes of switches. ``ranges`` has the ranges of numbers that do not begin at 0.

    Raises ValueError, which names the switch and its valid values.
    """
    kinds = get_type_hints(switches)
    unknown = next((name for name in changes if name not in kinds), None)
    if unknown is not None:
        raise ValueError(f"{unknown}: no such switch; there are {', '.join(kinds)}")
    return {name: _parse_value(name, kinds[name], value, (ranges or {}).get(name, Range())) for name, value in changes.items()}


def _parse_value(name: str, kind: object, value: object, numbers: Range) -> object:
    if isinstance(kind, UnionType):
        if value is None:
            return None
        [kind] = (each for each in get_args(kind) if each is not NoneType)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _parse_choice(name, kind, value)
    if kind is int or kind is float:
        return _parse_number(name, kind, value, numbers)
    if kind is bool or kind is str:
        if isinstance(value, kind):
            return value
        raise ValueError(f"{name}: {'true or false' if kind is bool else 'a text'}, not {value!r}")
    return _parse_texts(name, value)


def _parse_choice(name: str, choices: type[StrEnum], value: object) -> StrEnum:
    for choice in choices:
        if choice.value == value:
            return choice
    raise ValueError(f"{name}: one of {', '.join(choices)}, not {value!r}")


def _parse_number(name: str, kind: type[int | float], value: object, numbers: Range) -> int | float:
    if isinstance(value, (int, kind)) and not isinstance(value, bool) and value in numbers:
        return value
    raise ValueError(f"{name}: a {'whole ' if kind is int else ''}number{numbers}, not {value!r}")


def _parse_texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError(f"{name}: a list of texts, not {value!r}")
