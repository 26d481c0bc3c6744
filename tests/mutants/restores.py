"""Mutants of the repair of a restored database. It does no work before, and no older value stays in the shop."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop

RESTORES = [
    Mutant("restored-databases-do-not-work", "a restored database works before the shops were asked", condition("False")),
    Mutant("restored-hashes-are-forgotten", "a restored database trusts its hashes of the values in the shop", drop()),
]
