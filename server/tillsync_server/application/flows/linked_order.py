"""Decides what a link answers for an order of its shop customer number, by the person who ordered (linked_person.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.linked_person import LinkedPersons, Person, Standing
from tillsync_server.domain.enums import Outcome
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.link import Link
from tillsync_server.domain.matching import MatchByEmail
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.verdict import Verdict


class LinkedOrders:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext, persons: LinkedPersons) -> None:
        self._services = context.services
        self._lane = context.lane
        self._persons = persons

    async def person(self, link: Link, facts: OrderFacts) -> Person | None:
        """Returns the person who ordered. None: the till customer is gone, and the order does not say that another person has the number.

        If the till customer is gone, the shop is asked only if the order contradicts the link. Raises RunInterrupted.
        """
        if link.epos_gone_at is None:
            return await self._persons.of_order(link, facts)
        if facts.woo_registered_at is None:
            return None
        person = await self._persons.of_order(link, facts)
        return person if person.standing in (Standing.ANOTHER, Standing.FORMER) else None

    async def answer(self, link: Link, person: Person) -> Verdict | None:
        """Returns the link's verdict. None: the link does not decide this order, which is then matched by email."""
        match person.standing:
            case Standing.LINKED:
                return await self._of_linked(link, person.registered_at)
            case Standing.GONE:
                return await self._of_deleted(link)
            case Standing.ANOTHER:
                if link.woo_gone_at is None:
                    await self._services.order_linker.end_of_person(self._lane.lease, link)
                return None
            case Standing.FORMER:
                return None
            case Standing.UNKNOWN:
                return _of_unknown(link, person.reason)
            case _:
                assert_never(person.standing)

    async def _of_linked(self, link: Link, registered_at: datetime | None) -> Verdict:
        lease = self._lane.lease
        if registered_at is not None and (link.woo_registered_at is None or link.woo_gone_at is not None):
            await self._services.order_linker.confirm_person(lease, link, registered_at)
        if self._services.now() - link.last_read_at > timedelta(seconds=self._services.settings.linked_check_seconds):
            await self._services.order_linker.check_soon(lease, link.epos_customer_id)
        return matched_by_link(link.epos_customer_id)

    async def _of_deleted(self, link: Link) -> Verdict:
        customer_id, number = link.epos_customer_id, link.woo_customer_id
        if link.woo_gone_at is None:
            await self._services.shop_state.mark_gone(self._lane.lease, woo=[number], of=[customer_id])
        note = f"shop customer {number} is deleted in the shop: nothing is written there"
        return Verdict.finished(Outcome.MATCHED_LINK, note).for_customer(customer_id)


def matched_by_link(customer_id: EposCustomerId) -> Verdict:
    return Verdict.finished(Outcome.MATCHED_LINK).for_customer(customer_id)


def _of_unknown(link: Link, reason: str) -> Verdict | None:
    """Returns the verdict if neither the order nor the shop tells who ordered."""
    customer_id, number = link.epos_customer_id, link.woo_customer_id
    if link.woo_gone_at is not None:
        return None
    if link.woo_registered_at is None:
        return matched_by_link(customer_id)  # link and order have no registration time: decide as before times were recorded
    action = f"asking the shop whether shop customer {number} is still the one who is linked to customer {customer_id}"
    note = f"{action}: {reason}; try again once it can say"
    return Verdict.held(Outcome.CUSTOMER_NOT_MATCHED, note, candidate_ids=(customer_id,))


def plan_of_linked_number(plan: MatchByEmail, link: Link, person: Person) -> MatchByEmail:
    """Changes the plan for a number that was linked. No customer is created for it, and a pair whose shop customer is proven gone is not
    linked again."""
    number, customer_id = link.woo_customer_id, link.epos_customer_id
    if person.standing is Standing.ANOTHER:
        was = f"shop customer {number} is another person than the one who was linked to customer {customer_id}"
        none_found = f"{was}: no customer in Epos Now has this email, and none is created by itself: choose the customer"
        return replace(plan, creates=False, none_found=none_found)
    if person.standing is Standing.FORMER:
        former = f"the number of shop customer {number} belongs to another account than the one that ordered"
        none_found = f"{former}: no customer in Epos Now has this email: choose the customer"
        return replace(plan, links=False, not_linked_because=f"not linked: {former}", creates=False, none_found=none_found)
    gone = f"shop customer {number} was found deleted in the shop ({person.reason})"
    none_found = f"{gone}: no customer in Epos Now has this email: choose the customer"
    return replace(plan, links=False, not_linked_because=f"not linked: {gone}", creates=False, none_found=none_found)
