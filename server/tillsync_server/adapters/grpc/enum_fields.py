"""Converts checked enum fields to the domain's enums.

request_checks refuses missing required fields, texts that are too long, control characters, negative ids, unknown enum values and
unusable times before a servicer runs. The use cases check fields that depend on each other.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

Member = TypeVar("Member", bound=IntEnum)


def enum_or_none(kind: type[Member], number: int) -> Member | None:
    """Returns the domain's member for an enum field, or None for UNSPECIFIED. Unknown numbers have been refused before."""
    return kind(number) if number else None
