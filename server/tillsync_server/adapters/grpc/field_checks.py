"""Checks that a servicer adds to those made from the descriptors (required_fields): fields that depend on each other, list sizes, pages.

What is required, limits of length, control characters, negative ids, unknown enum values and unusable times never reach a servicer.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NoReturn, TypeVar

from google.protobuf.message import Message

from tillsync_server.domain.errors import FieldViolation, InvalidArgument

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 500

Word = TypeVar("Word", bound=IntEnum)


class FieldChecks:
    """Gathers what is wrong with a request, so that the caller learns all of it at once. ``prefix``: path before the names."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.violations: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        self.violations.append(FieldViolation(self._prefix + field, description))

    def exactly_one(self, message: Message, *fields: str) -> str:
        """The name of the one field that is set (for repeated fields: not empty); a violation of the first otherwise."""
        present = [field for field in fields if is_set(message, field)]
        if len(present) == 1:
            return present[0]
        self.add(fields[0], f"set exactly one of {', '.join(fields)}")
        return ""

    def at_most(self, field: str, values: Sequence[Any], limit: int) -> None:
        if len(values) > limit:
            self.add(field, f"at most {limit} items; send the rest in further calls")

    def raise_if_any(self) -> None:
        """InvalidArgument with every violation."""
        if self.violations:
            raise InvalidArgument(self.violations)


def is_set(message: Message, field: str) -> bool:
    """Whether a field is present; of a field without presence whether it differs from its default."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    if descriptor.has_presence:
        return message.HasField(field)
    return bool(getattr(message, field))


def refuse(field: str, description: str) -> NoReturn:
    raise InvalidArgument.of(field, description)


def page_size(asked: int) -> int:
    """0: the default. More than the maximum is lowered. Negative: InvalidArgument."""
    if asked < 0:
        refuse("page_size", f"must not be negative; 0 means {DEFAULT_PAGE_SIZE}")
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def word(kind: type[Word], number: int) -> Word | None:
    """The domain's word of an enum field; None for UNSPECIFIED. Unknown numbers have been refused before."""
    return kind(number) if number else None


def words(kind: type[Word], numbers: Sequence[int]) -> frozenset[Word]:
    return frozenset(kind(number) for number in numbers)


def positive_or_none(number: int) -> int | None:
    """0 means none in every optional id of the contract; negative ones have been refused before."""
    return number or None
