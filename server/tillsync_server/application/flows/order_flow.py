"""Finds the till customer of an order (docs/architecture.md#the-life-of-an-order). domain.matching has the rules.

A usable link answers without a request to the till. It answers most orders, and a read for each would spend the till's allowance. A
customer entry that finds the till customer gone makes the link unusable. A link answers only for the person that it was made for
(linked_person.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from tillsync_server.application.flows.create_protocol import MAX_CANDIDATES, CreateProtocol, Holders
from tillsync_server.application.flows.email_search import CustomersByEmail
from tillsync_server.application.flows.failure_verdicts import cause_of
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.linked_order import LinkedOrders, matched_by_link, plan_of_linked_number
from tillsync_server.application.flows.linked_person import LinkedPersons, ShopUsers
from tillsync_server.domain.enums import LinkGround, Outcome, Side
from tillsync_server.domain.errors import Missing, UpstreamError
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.domain.matching import (
    HoldForPerson,
    HoldWithCandidates,
    MatchByEmail,
    UseDefaultCustomer,
    cut_names,
    ids_shown,
    new_customer,
    plan_by_email,
    plan_without_customer,
    with_products,
)
from tillsync_server.domain.order import OrderFacts
from tillsync_server.domain.order_arrival import ORDER_ID_REUSED_NOTE
from tillsync_server.domain.shop_users import is_linked_person
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry
from tillsync_server.ports.links import OrderLinkOutcome

_NOT_MATCHED = Outcome.CUSTOMER_NOT_MATCHED
_DECISIONS = 3
"""Most decisions of one run. A run decides again when a link was made meanwhile."""
_CONFLICT_RETRY_SECONDS = 5.0


class OrderFlow:
    """One per lease and configuration, so that its orders share searches, proofs and list readings."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._account = context.account
        self._emails = CustomersByEmail(context)
        self._creation = CreateProtocol(context, self._emails)
        self._users = ShopUsers(context)
        self._linked = LinkedOrders(context, LinkedPersons(self._users))

    async def run(self, entry: ClaimedEntry) -> Verdict:
        """Returns a verdict for all that the till answers. Raises RunInterrupted and the errors of the database."""
        if entry.facts is None:
            raise ValueError(f"order entry {entry.entry_id} has no facts")
        try:
            verdict = await self._decide(entry, entry.facts)
        except UpstreamError as error:
            verdict = await self._context.failures.classify_error(error, _NOT_MATCHED, "looking for the customer in Epos Now")
        verdict = with_products(verdict, entry.facts.unlinked_products)
        return replace(verdict, notes=(*verdict.notes, ORDER_ID_REUSED_NOTE)) if entry.facts.is_of_reused_id else verdict

    async def _decide(self, entry: ClaimedEntry, facts: OrderFacts) -> Verdict:
        for _ in range(_DECISIONS):
            verdict = await self._decide_once(entry, facts)
            if verdict is not None:
                return verdict
        return Verdict.postponed(
            _NOT_MATCHED,
            "linking the customer: others change the links of these customers just now",
            not_before=self._services.now() + timedelta(seconds=_CONFLICT_RETRY_SECONDS),
        )

    async def _decide_once(self, entry: ClaimedEntry, facts: OrderFacts) -> Verdict | None:
        """Returns None if a link was made meanwhile, and the order must be decided again."""
        if self._account.customer_sync_enabled and entry.chosen_epos_customer_id is not None:
            return await self._by_choice(entry.chosen_epos_customer_id, facts)
        plan = plan_without_customer(self._account, facts)
        match plan:
            case UseDefaultCustomer(reason):
                return self._to_default(reason)
            case HoldForPerson(reason):
                return Verdict.held(_NOT_MATCHED, reason)
            case MatchByEmail():
                return await self._by_email(entry, facts, plan, None)
            case None:
                return await self._by_shop_customer(entry, facts)
            case _:
                assert_never(plan)

    # the steps of the ladder

    async def _by_shop_customer(self, entry: ClaimedEntry, facts: OrderFacts) -> Verdict | None:
        """Decides by the customer's link, else by email."""
        if facts.woo_customer_id is None:
            raise ValueError("only an order of a shop customer goes on to links")
        link = await self._services.links.by_woo(self._account.account_id, facts.woo_customer_id)
        person = None if link is None else await self._linked.person(link, facts)
        if link is not None and link.epos_gone_at is None and person is not None:
            answer = await self._linked.answer(link, person)
            if answer is not None:
                return answer
        marked = await self._services.links.is_marked_do_not_auto_link(self._account.account_id, facts.woo_customer_id)
        plan = plan_by_email(self._account, facts, unlinked_by_hand=marked)
        match plan:
            case HoldForPerson(reason):
                return Verdict.held(_NOT_MATCHED, reason)
            case HoldWithCandidates():
                return await self._hold_with_candidates(plan)
            case MatchByEmail():
                if link is not None and person is not None:
                    plan = plan_of_linked_number(plan, link, person)
                    facts = facts if person.registered_at is None else replace(facts, woo_registered_at=person.registered_at)
                return await self._by_email(entry, facts, plan, link)
            case _:
                assert_never(plan)

    def _to_default(self, reason: str) -> Verdict:
        customer_id = self._account.default_epos_customer_id
        if customer_id is None:
            return Verdict.held(_NOT_MATCHED, "no default customer is set in the account: set it, then this order is requeued", reason)
        return Verdict.finished(Outcome.DEFAULT_CUSTOMER, reason).for_customer(customer_id)

    async def _by_choice(self, customer_id: EposCustomerId, facts: OrderFacts) -> Verdict:
        """Takes the customer that a person chose for this order, above guest policy, links and emails. Checks only that it exists."""
        if facts.woo_customer_id is not None:
            link = await self._services.links.by_woo(self._account.account_id, facts.woo_customer_id)
            if link is not None and link.is_usable and link.epos_customer_id == customer_id:
                return matched_by_link(customer_id)
        if (missing_settings := self._context.failures.missing_settings(Side.TILL, _NOT_MATCHED)) is not None:
            return missing_settings
        try:
            await self._context.till.read_customer(customer_id)
        except Missing as missing:
            unproven = await self._context.deletion_check.of_customer(missing)
            if unproven is not None:
                raise unproven from missing
            return Verdict.held(_NOT_MATCHED, f"the customer chosen by hand, {customer_id}, is deleted in Epos Now: choose another one")
        return Verdict.finished(Outcome.MATCHED_EMAIL, "chosen by hand; not linked").for_customer(customer_id)

    async def _hold_with_candidates(self, plan: HoldWithCandidates) -> Verdict:
        ids: list[EposCustomerId] = []
        if plan.email:
            if (missing_settings := self._context.failures.missing_settings(Side.TILL, _NOT_MATCHED)) is not None:
                return missing_settings
            found = await self._emails.find(plan.email, prove_miss=False)
            ids = [each.epos_customer_id for each in found.customers or found.resembling]
        return Verdict.held(_NOT_MATCHED, plan.reason, _candidates_note(ids), candidate_ids=tuple(ids[:MAX_CANDIDATES]))

    async def _by_email(self, entry: ClaimedEntry, facts: OrderFacts, plan: MatchByEmail, broken: Link | None) -> Verdict | None:
        if (missing_settings := self._context.failures.missing_settings(Side.TILL, _NOT_MATCHED)) is not None:
            return missing_settings
        if plan.creates:
            answer = await self._creation.find_or_create(new_customer(facts, plan.email), for_order=entry)
            if isinstance(answer, Verdict):
                return answer
            if len(answer.customer_ids) > 1:
                return self._hold_duplicates(answer)
        else:
            found = await self._emails.find(plan.email, prove_miss=False)
            answer = Holders(tuple(each.epos_customer_id for each in found.customers))
            if plan.none_found and not answer.customer_ids:
                return Verdict.held(_NOT_MATCHED, plan.none_found)
            if plan.none_found and len(answer.customer_ids) > 1:
                return self._hold_duplicates(answer)
            if len(answer.customer_ids) != 1:
                count_note = f"{len(answer.customer_ids)} customers have" if answer.customer_ids else "no customer has"
                resembling = ", ".join(str(each.epos_customer_id) for each in found.resembling[:10])
                resembling_note = f"; in another spelling: {resembling}" if resembling else ""
                return self._to_default(f"{plan.not_linked_because}; {count_note} its billing email in Epos Now{resembling_note}")
        [customer_id] = answer.customer_ids
        outcome = Outcome.MATCHED_EMAIL if answer.created is None else Outcome.CUSTOMER_CREATED
        cut = cut_names(facts) if answer.created is not None else ()
        if plan.links and facts.woo_customer_id is not None:
            verdict = await self._link(entry, customer_id, facts, outcome, plan.ground, broken)
            return verdict if verdict is None or not cut else replace(verdict, notes=(*verdict.notes, *cut))
        if facts.woo_customer_id is None:
            await self._services.order_linker.requeue_held_of_guest(self._context.lane.lease, entry, email=facts.billing_email_normalised)
        return Verdict.finished(outcome, plan.not_linked_because, *cut).for_customer(customer_id)

    def _hold_duplicates(self, answer: Holders) -> Verdict:
        ids = answer.customer_ids
        notes = [_candidates_note(ids)]
        if answer.created is not None:
            notes.insert(0, f"customer {answer.created} was created, and another one with the same email turned up at the same time")
        if self._account.default_epos_customer_id in ids:
            notes.append(f"{self._account.default_epos_customer_id} is the default customer, which cannot be linked")
        return Verdict.held(Outcome.DUPLICATE_EMAIL, *notes, candidate_ids=ids[:MAX_CANDIDATES])

    async def _link(
        self,
        entry: ClaimedEntry,
        customer_id: EposCustomerId,
        facts: OrderFacts,
        outcome: Outcome,
        ground: LinkGround,
        broken: Link | None,
    ) -> Verdict | None:
        woo_customer_id = facts.woo_customer_id
        if woo_customer_id is None:
            raise ValueError("a guest cannot be linked")
        if broken is not None and broken.epos_gone_at is not None and broken.epos_customer_id == customer_id:
            try:
                await self._context.till.read_customer(customer_id)
            except Missing:  # if linked again, its entry would find it gone again, and this order would run for ever
                note = f"Epos Now's search still finds customer {customer_id}, which is deleted there"
                return Verdict.retry(_NOT_MATCHED, f"linking the customer: {note}", side=Side.TILL)
        if customer_id == self._account.default_epos_customer_id:
            reason = f"the only customer with this email, {customer_id}, is the default customer, which cannot be linked"
            return Verdict.held(_NOT_MATCHED, reason, candidate_ids=(customer_id,))
        existing = (await self._services.links.by_epos(self._account.account_id, [customer_id])).get(customer_id)
        # a till customer is never taken from another shop customer, unless that shop customer is gone
        if existing is not None and existing.woo_customer_id != woo_customer_id and existing.woo_gone_at is None:
            held = await self._verdict_of_holder(existing, woo_customer_id, outcome)
            if held is not None:
                return held
        linked = await self._services.order_linker.link(
            self._context.lane.lease,
            entry,
            epos_customer_id=customer_id,
            woo_customer_id=woo_customer_id,
            origin=LinkOrigin.MATCHED_EMAIL if outcome is Outcome.MATCHED_EMAIL else LinkOrigin.CREATED,
            ground=ground,
            replaces=broken,
            woo_registered_at=facts.woo_registered_at,
        )
        match linked:
            case OrderLinkOutcome.LINKED:
                replaced = () if broken is None else (f"the link to customer {broken.epos_customer_id} was broken and is replaced",)
                return Verdict.finished(outcome, f"linked to shop customer {woo_customer_id}", *replaced).for_customer(customer_id)
            case OrderLinkOutcome.CONFLICT:
                return None
            case OrderLinkOutcome.STALE:
                return Verdict.postponed(
                    _NOT_MATCHED, "settings, links or the order changed while this was decided: it is decided again", not_before=None
                )
            case _:
                assert_never(linked)

    async def _verdict_of_holder(self, existing: Link, woo_customer_id: WooCustomerId, outcome: Outcome) -> Verdict | None:
        """Returns None if the linked shop customer does not exist any more, so that the till customer may be linked."""
        customer_id, holder_id = existing.epos_customer_id, existing.woo_customer_id
        reason = f"the only customer with this email, {customer_id}, is linked to another shop customer, {holder_id}"
        held = Verdict.held(_NOT_MATCHED, reason, candidate_ids=(customer_id,))
        try:
            users = await self._users.read(holder_id, woo_customer_id)
        except UpstreamError as error:
            return replace(held, notes=(*held.notes, f"whether that one is still there: {cause_of(error)}"))
        holder, lease = users[holder_id], self._context.lane.lease
        if holder is None:
            await self._services.shop_state.mark_gone(lease, woo=[holder_id], of=[customer_id])
            return None
        registered_at = holder.registered_at
        if registered_at is not None and not is_linked_person(existing.woo_registered_at, existing.create_time, registered_at):
            await self._services.order_linker.end_of_person(lease, existing)
            return None
        if users[woo_customer_id] is None:
            deleted = f"not linked: shop customer {woo_customer_id} is deleted in the shop"
            return Verdict.finished(outcome, deleted).for_customer(customer_id)
        return held


def _candidates_note(ids: Sequence[EposCustomerId]) -> str:
    return f"in Epos Now with this email: {ids_shown(ids)}" if ids else "no customer in Epos Now has this email"
