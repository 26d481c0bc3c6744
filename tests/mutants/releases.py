"""Mutants of the work between different releases. The older side loses nothing, and only a bridge may be newer than the service."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop, value

RELEASES = [
    Mutant("intents-stand-under-every-form", "an intent is stored under the present form of the email only", value("IT[:1]")),
    Mutant(
        "facts-are-compared-in-both-forms",
        "the service compares facts in the present form of the email only",
        value("frozenset((self.facts_hash(),))"),
    ),
    Mutant("refused-events-are-kept", "the service drops an event that the shop's bridge cannot read", drop()),
    Mutant("only-bridges-send-unknown-fields", "the server ignores a misspelt field of any caller", condition("False")),
]
