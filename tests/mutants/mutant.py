from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    guards: int | str
    """An invariant of the engine by its number, or another promise by its name."""
    what: str
    file: str
    """Below ``server/``."""
    old: str
    new: str
    tests: str
    """What pytest is asked to run: file, or file and `-k` expression after a space."""

    @property
    def promise(self) -> str:
        return f"invariant {self.guards}" if isinstance(self.guards, int) else self.guards
