"""Identifies shop users. A user's id and registration time together identify one person.

WordPress reuses ids after a restored backup, and older MySQL after a restart. The email cannot identify a person, because people change it
far more often than ids are reused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tillsync_server.domain.ids import WooCustomerId

ADOPTED_WITHIN = timedelta(days=1)
"""A link without a registration time adopts the reported one, unless it is later than the link's creation by more than this. A user
registers before being linked, and the clocks of shop and service differ by less than this."""


@dataclass(frozen=True, slots=True)
class ShopUser:
    """A user as the shop has it now. ``registered_at``: WordPress' ``user_registered`` in whole seconds. None: the shop has none."""

    woo_customer_id: WooCustomerId
    registered_at: datetime | None


def is_linked_person(linked_registered_at: datetime | None, linked_at: datetime, registered_at: datetime) -> bool:
    """Whether the link of this user id was made for the user who registered at ``registered_at``.

    ``linked_registered_at``: the link's registration time, or None. ``linked_at``: the link's creation time.
    """
    if linked_registered_at is not None:
        # invariant: a-number-is-not-a-person
        return whole_seconds(linked_registered_at) == whole_seconds(registered_at)
    return registered_at <= linked_at + ADOPTED_WITHIN


def whole_seconds(moment: datetime) -> datetime:
    """``moment`` without its fraction, because WordPress stores none."""
    return moment.replace(microsecond=0)
