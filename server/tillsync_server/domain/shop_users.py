"""Whose number is it: a shop user's number and the time at which that user registered are one person together.

WordPress gives a number again after a restored backup, and older MySQL after a restart. An email says nothing here: people change it far
more often than numbers come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tillsync_server.domain.ids import WooCustomerId

ADOPTED_WITHIN = timedelta(days=1)
"""A link that does not know the time adopts the one it hears, unless the user registered so much later than the link was made: nobody is
linked before there is an account. The clocks of shop and service may differ by less."""


@dataclass(frozen=True, slots=True)
class ShopUser:
    """A user as the shop has it now. ``registered_at``: WordPress' ``user_registered``, whole seconds; None: the shop has none."""

    woo_customer_id: WooCustomerId
    registered_at: datetime | None


def is_linked_person(linked_registered_at: datetime | None, linked_at: datetime, registered_at: datetime) -> bool:
    """Whether the user who registered at ``registered_at`` is the one that the link of this number was made for.

    ``linked_registered_at``: what the link knows; ``linked_at``: when it was made.
    """
    if linked_registered_at is not None:
        # invariant: a-number-is-not-a-person
        return whole_seconds(linked_registered_at) == whole_seconds(registered_at)
    return registered_at <= linked_at + ADOPTED_WITHIN


def whole_seconds(moment: datetime) -> datetime:
    """WordPress keeps no fractions."""
    return moment.replace(microsecond=0)
