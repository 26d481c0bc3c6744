"""What servicers read of fields whose single values have been checked (request_checks): numbers as the domain's words.

What is required, limits of length, control characters, negative ids, unknown enum values and unusable times never reach a servicer.
Fields that depend on each other are the use cases' to check.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

Word = TypeVar("Word", bound=IntEnum)


def word(kind: type[Word], number: int) -> Word | None:
    """The domain's word of an enum field; None for UNSPECIFIED. Unknown numbers have been refused before."""
    return kind(number) if number else None
