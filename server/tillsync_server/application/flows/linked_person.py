"""Is the shop customer of an order the person that a link was made for, and is that person still there (domain.shop_users)?

An order that says when its customer registered answers for itself. Otherwise the shop is asked: once for all orders of the customer that
wait together, because an answer is believed for a minute.
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

_BELIEVED_SECONDS = 60.0
_SILENT_SECONDS = 15.0
"""A shop that could not be asked is not asked again for so long: one that is away takes seconds to say nothing."""


class Standing(Enum):
    LINKED = auto()
    """The linked person."""
    ANOTHER = auto()
    """The number was given to another person, who ordered."""
    FORMER = auto()
    """The order is of another person who had the number before, or for a while: the link stands."""
    GONE = auto()
    """The linked person, whom the shop does not have any more."""
    NOT_TOLD = auto()
    """Neither the order nor the shop says it."""


@dataclass(frozen=True, slots=True)
class Person:
    standing: Standing
    registered_at: datetime | None = None
    """LINKED and ANOTHER: when the user registered, where that is known."""
    because: str = ""
    """NOT_TOLD: why the shop did not say it."""


class ShopUsers:
    """Users of the shop, as it has them now. One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._clock = context.services.clock
        self._known: dict[WooCustomerId, tuple[ShopUser | None, float]] = {}
        self._failed: tuple[UpstreamError, float] | None = None

    async def ask(self, *ids: WooCustomerId) -> dict[WooCustomerId, ShopUser | None]:
        """None: the shop has no such user. Raises UpstreamError and RunInterrupted."""
        now = self._clock()
        unknown = [each for each in ids if each not in self._known or now - self._known[each][1] > _BELIEVED_SECONDS]
        if unknown:
            if self._failed is not None and now - self._failed[1] < _SILENT_SECONDS:
                raise self._failed[0]
            if (incomplete := self._context.failures.missing_settings(Side.SHOP, Outcome.CUSTOMER_NOT_MATCHED)) is not None:
                raise Refused(Side.SHOP, incomplete.notes[0])
            try:
                found = await self._context.shop_of_orders.read_users(unknown)
            except UpstreamError as error:
                self._failed = (error, self._clock())
                raise
            self._known |= {each: (found.get(each), self._clock()) for each in unknown}
        return {each: self._known[each][0] for each in ids}


class LinkedPersons:
    def __init__(self, users: ShopUsers) -> None:
        self._users = users

    async def of_order(self, link: Link, facts: OrderFacts) -> Person:
        """Who the order's shop customer, whose number ``link`` has, is. Raises RunInterrupted."""
        said = facts.woo_registered_at
        if said is not None:
            if not is_linked_person(link.woo_registered_at, link.create_time, said):
                return await self._other(link, said)
            if link.woo_gone_at is None:
                return Person(Standing.LINKED, said)
        try:
            user = (await self._users.ask(link.woo_customer_id))[link.woo_customer_id]
        except UpstreamError as error:
            return Person(Standing.NOT_TOLD, because=cause_of(error))
        if user is None:
            return Person(Standing.GONE)
        if user.registered_at is None:
            known = link.woo_registered_at is not None
            return Person(Standing.NOT_TOLD, because="it keeps no registration time") if known else Person(Standing.LINKED)
        if is_linked_person(link.woo_registered_at, link.create_time, user.registered_at):
            return Person(Standing.LINKED, user.registered_at)
        # the order's own word stands: it was the linked person's, before the number was given to another one
        return Person(Standing.GONE) if said is not None else Person(Standing.ANOTHER, user.registered_at)

    async def _other(self, link: Link, said: datetime) -> Person:
        """The order is not the linked person's. Whether the link's time is over says the shop: an order may have waited while the number
        was given away, or a backup has brought the linked person back. Otherwise the later account has the number."""
        try:
            user = (await self._users.ask(link.woo_customer_id))[link.woo_customer_id]
        except UpstreamError:
            is_later = link.woo_registered_at is None or said > link.woo_registered_at
            return Person(Standing.ANOTHER, said) if is_later else Person(Standing.FORMER)
        # invariant: waiting-orders-end-no-later-link
        has_it = user is not None and user.registered_at is not None and whole_seconds(user.registered_at) == whole_seconds(said)
        return Person(Standing.ANOTHER, said) if has_it else Person(Standing.FORMER)
