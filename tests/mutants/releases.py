"""What holds where parts of different releases meet: nothing is lost on an older side, and only a bridge may be newer than the service."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop, value

RELEASES = [
    Mutant("intents-stand-under-every-form", "an intent stands under the present form of the email only", value("IT[:1]")),
    Mutant("facts-are-compared-in-both-forms", "facts are compared in the present form only", value("frozenset((self.facts_hash(),))")),
    Mutant("refused-events-are-kept", "an event that the shop's bridge cannot read is not kept", drop()),
    Mutant("only-bridges-send-unknown-fields", "a misspelt field of anybody is passed over in silence", condition("False")),
]
