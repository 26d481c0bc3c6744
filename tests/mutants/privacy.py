"""Erasing one person reaches that person everywhere, and nobody else."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop

PRIVACY = [
    Mutant("erased-links-leave-no-values", "the values of an erased link stay in the shop, and nobody is told", drop()),
    Mutant("records-prove-no-number", "whoever had an email once is erased with its present owner", condition("True")),
]
