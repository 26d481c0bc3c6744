"""Mutants of erasure. It removes one person from all stored data, and no other person."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop

PRIVACY = [
    Mutant("erased-links-leave-no-values", "the values of an erased link stay in the shop without an error", drop()),
    Mutant("records-prove-no-number", "a former owner of an email is erased together with its present owner", condition("True")),
]
