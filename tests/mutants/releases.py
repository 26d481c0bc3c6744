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
    Mutant("old-releases-refuse-new-schemas", "a release runs on a schema that a newer release has contracted", condition("False")),
    Mutant("invalid-indexes-are-built-again", "an index whose build ended early stays invalid, and migrate fails", condition("False")),
    Mutant("codes-of-later-releases-are-readable", "a call fails because a later release stored a new code", condition("True")),
    Mutant("only-bridges-send-unknown-fields", "the server ignores a misspelt field of any caller", condition("False")),
]
