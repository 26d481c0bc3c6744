"""Mutants of the rule that an unconfirmed email gives no access to the till customer's data."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, value

CONFIRMED_EMAILS = [
    Mutant("unconfirmed-emails-are-not-linked", "an order links by an unconfirmed email", value("LinkGround.TRUSTED_ACCOUNT")),
    Mutant("trust-by-age-ends-with-the-email", "an account that is trusted for its age is trusted for any later email", condition("False")),
    Mutant("only-a-mailed-key-confirms", "every new password confirms the email", condition("false")),
    Mutant("confirmation-links-are-signed", "a confirmation link works with any signature", condition("false")),
]
