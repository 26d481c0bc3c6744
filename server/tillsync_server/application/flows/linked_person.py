"""Decides whether the shop customer of an order is the person that a link was made for, and still exists (domain.shop_users).

An order may say when its customer registered, which answers the question. Otherwise the shop is asked once for all waiting orders of the
customer, because an answer is cached for a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from tillsync_server.application.flows.failure_verdicts import cause_of
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.enums import Outcome, Side
from tillsync_server.domain.errors import Refused, UpstreamError
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.domain.link import Link
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.shop_users import ShopUser, is_linked_person, whole_seconds

_CACHED_SECONDS = 60.0
_FAILURE_PAUSE_SECONDS = 15.0
"""Pause after a failed request, because a shop that is away takes seconds to fail."""


class Standing(Enum):
    LINKED = auto()
    """The linked person ordered."""
    ANOTHER = auto()
    """Another person, who has the number now, ordered."""
    FORMER = auto()
    """Another person, who had the number before or for a while, ordered. The link stays."""
    GONE = auto()
    """The linked person ordered, and does not exist in the shop any more."""
    UNKNOWN = auto()
    """Neither the order nor the shop tells who ordered."""


@dataclass(frozen=True, slots=True)
class Person:
    standing: Standing
    registered_at: datetime | None = None
    """LINKED and ANOTHER: when the user registered, if known."""
    reason: str = ""
    """UNKNOWN: why the shop did not tell."""


class ShopUsers:
    """The present users of the shop, cached for a minute. One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._clock = context.services.clock
        self._cached: dict[WooCustomerId, tuple[ShopUser | None, float]] = {}
        self._failed: tuple[UpstreamError, float] | None = None

    async def read(self, *ids: WooCustomerId) -> dict[WooCustomerId, ShopUser | None]:
        """Returns the user of each id, None if the shop has no such user. Raises UpstreamError and RunInterrupted."""
        now = self._clock()
        uncached = [each for each in ids if each not in self._cached or now - self._cached[each][1] > _CACHED_SECONDS]
        if uncached:
            if self._failed is not None and now - self._failed[1] < _FAILURE_PAUSE_SECONDS:
                raise self._failed[0]
            if (missing_settings := self._context.failures.missing_settings(Side.SHOP, Outcome.CUSTOMER_NOT_MATCHED)) is not None:
                raise Refused(Side.SHOP, missing_settings.notes[0])
            try:
                found = await self._context.shop_of_orders.read_users(uncached)
            except UpstreamError as error:
                self._failed = (error, self._clock())
                raise
            self._cached |= {each: (found.get(each), self._clock()) for each in uncached}
        return {each: self._cached[each][0] for each in ids}


class LinkedPersons:
    def __init__(self, users: ShopUsers) -> None:
        self._users = users

    async def of_order(self, link: Link, facts: OrderFacts) -> Person:
        """Returns the person who ordered under the shop customer number of ``link``. Raises RunInterrupted."""
        registered_at = facts.woo_registered_at
        if registered_at is not None:
            if not is_linked_person(link.woo_registered_at, link.create_time, registered_at):
                return await self._other(link, registered_at)
            if link.woo_gone_at is None:
                return Person(Standing.LINKED, registered_at)
        try:
            user = (await self._users.read(link.woo_customer_id))[link.woo_customer_id]
        except UpstreamError as error:
            return Person(Standing.UNKNOWN, reason=cause_of(error))
        if user is None:
            return Person(Standing.GONE)
        if user.registered_at is None:
            known = link.woo_registered_at is not None
            return Person(Standing.UNKNOWN, reason="it keeps no registration time") if known else Person(Standing.LINKED)
        if is_linked_person(link.woo_registered_at, link.create_time, user.registered_at):
            return Person(Standing.LINKED, user.registered_at)
        # the order itself says that the linked person ordered, before another person got the number
        return Person(Standing.GONE) if registered_at is not None else Person(Standing.ANOTHER, user.registered_at)

    async def _other(self, link: Link, registered_at: datetime) -> Person:
        """Returns the person of an order that is not the linked person's. The shop tells whether the linked person still has the number.

        The order may have waited while another person got the number, or a backup may have restored the linked person. If the shop does not
        tell, the account that registered later has the number.
        """
        try:
            user = (await self._users.read(link.woo_customer_id))[link.woo_customer_id]
        except UpstreamError:
            is_later = link.woo_registered_at is None or registered_at > link.woo_registered_at
            return Person(Standing.ANOTHER, registered_at) if is_later else Person(Standing.FORMER)
        # invariant: waiting-orders-end-no-later-link
        has_it = user is not None and user.registered_at is not None and whole_seconds(user.registered_at) == whole_seconds(registered_at)
        return Person(Standing.ANOTHER, registered_at) if has_it else Person(Standing.FORMER)
