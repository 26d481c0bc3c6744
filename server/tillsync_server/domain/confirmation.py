"""An email is a claim until it is confirmed: which shop accounts an order may link to a till customer. Pure.

An account without a ground is not linked at all. A link that waited for a confirmation would outlast a change of the email, and then
show one person's points to whoever confirms another email.
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
    """Why the order's shop customer may be linked by the account's email. None: nothing vouches for it."""
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
    """With the email it had then: an older account may claim any email today."""
    if account.trusted_before is None or facts.woo_registered_at is None:
        return False
    # invariant: trust-by-age-ends-with-the-email
    if facts.email_confirmation is EmailConfirmation.CHANGED:
        return False
    return facts.woo_registered_at < account.trusted_before
