"""Decides which shop accounts an order may link to a till customer by email. An unconfirmed email proves nothing about its owner.

An account without a ground is not linked. A link that waited for a confirmation would survive a change of the email. It would then show one
person's points to another person, who confirms the new email.
"""

from __future__ import annotations

from typing import assert_never

from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EmailConfirmation, LinkGround, TrustedAccounts
from tillsync_server.domain.order import OrderFacts

UNCONFIRMED_NOTE = (
    "not linked: the email of the shopper's account is not confirmed, so the shop shows the shopper nothing; "
    "the shopper confirms it on My Account, or you confirm it on the user's profile, or link the two by hand"
)


def ground_to_link(account: Account, facts: OrderFacts) -> LinkGround | None:
    """The ground to link the order's shop customer by the account's email. None: there is none, so the customer is not linked."""
    if facts.email_confirmation is EmailConfirmation.CONFIRMED:
        return LinkGround.CONFIRMED_EMAIL
    match account.trusted_accounts:
        case TrustedAccounts.CONFIRMED_ONLY:
            # invariant: unconfirmed-emails-are-not-linked
            return None
        case TrustedAccounts.REGISTERED_BEFORE:
            return LinkGround.TRUSTED_ACCOUNT if _is_trusted_for_its_age(account, facts) else None
        case TrustedAccounts.ALL:
            return LinkGround.TRUSTED_ACCOUNT
        case _:
            assert_never(account.trusted_accounts)


def _is_trusted_for_its_age(account: Account, facts: OrderFacts) -> bool:
    """The trust covers only the email that the account had then, because an old account can change to any email."""
    if account.trusted_before is None or facts.woo_registered_at is None:
        return False
    # invariant: trust-by-age-ends-with-the-email
    if facts.email_confirmation is EmailConfirmation.CHANGED:
        return False
    return facts.woo_registered_at < account.trusted_before
