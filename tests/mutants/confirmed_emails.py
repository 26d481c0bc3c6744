"""An email is a claim until it is confirmed: nothing of the till's customer reaches whoever only claims the email."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, value

CONFIRMED_EMAILS = [
    Mutant(
        "unconfirmed-emails-are-not-linked", "an order links by an email that nobody has confirmed", value("LinkGround.TRUSTED_ACCOUNT")
    ),
    Mutant("trust-by-age-ends-with-the-email", "an account trusted for its age is trusted for any email it claims", condition("False")),
    Mutant("only-a-mailed-key-confirms", "any new password confirms the email", condition("false")),
    Mutant("confirmation-links-are-signed", "a link is followed whatever its signature", condition("false")),
]
