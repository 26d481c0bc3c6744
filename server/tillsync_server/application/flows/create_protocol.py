"""Prevents a twin. It searches, commits an intent, checks the permit, creates once and searches again (docs/invariants.md#never-a-twin).

Each exit leaves a state from which no other run, in any process, creates a second customer:

- before the intent is committed: nothing;
- intent committed, create provably not sent, or refused: the intent is cleared;
- create sent, no readable answer: the intent is UNKNOWN until it settles;
- stopped, cancelled or without a database at any point after the intent: the intent stays OPEN, and settles like an unknown one;
- id known: the intent is DONE and names the customer, also while the till's search does not show the customer yet.

A settled intent proves nothing. It is replaced only after a search that began after it had settled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from tillsync_server.application.flows.email_search import CustomersByEmail
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer
from tillsync_server.domain.emails import email_forms, normalise_email
from tillsync_server.domain.enums import Outcome, Side
from tillsync_server.domain.errors import (
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    RunInterrupted,
    Throttled,
    Unavailable,
    Unreachable,
    UpstreamError,
)
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.intent import Intent, IntentState
from tillsync_server.domain.matching import creation_obstacle, ids_shown
from tillsync_server.domain.verdict import Disposition, Verdict
from tillsync_server.ports.lanes import ClaimedEntry
from tillsync_server.ports.till import WritePermit

_OUTCOME = Outcome.CUSTOMER_NOT_MATCHED
_ROUNDS = 4
_FIRST_CHECK_SECONDS = 2.0
MAX_CANDIDATES = 100
"""Most candidates that a held order stores, the oldest first. ListCandidates searches the till."""
_SEND_WITHIN = 2 / 7
_ANSWERED_WITHIN = 2 / 3
"""Shares of the settle time. With the default of 105 s a create is sent within 30 s of the intent. It is given up after a timeout of 15 s,
and after 70 s whatever the timeout. So the till has 60 s to store what it was sent."""
UNPROVEN_RETRY_SECONDS = 300.0
"""Pause before the next try without a proof. A person may ask for an earlier try, which creates nothing without the proof either."""


@dataclass(frozen=True, slots=True)
class Holders:
    """The till customers that have the email now, at least one, in ascending order. ``created``: the one that this run created, if any."""

    customer_ids: tuple[EposCustomerId, ...]
    created: EposCustomerId | None = None


class IntentTooOld(RunInterrupted):
    """The intent is too old for its create to be sent: the request might still be under way when the intent settles."""


class IntentPermit:
    """The lane's permit, limited by the age of the intent.

    The lease alone is not enough. A process that was suspended can renew a lease that no other process has taken. Meanwhile the lane of
    another account on the same till may have seen the intent settle and created the customer.
    """

    def __init__(self, lane: WritePermit, clock: Callable[[], float], opened_at: float, settle_seconds: float) -> None:
        """``opened_at``: ``clock`` before the intent was opened, so that its age here is never less than in the database."""
        self._lane = lane
        self._clock = clock
        self._opened_at = opened_at
        self._settle_seconds = settle_seconds

    def seconds_allowed(self, setting_seconds: float) -> float:
        age = self._clock() - self._opened_at
        # invariant: old-intents-send-nothing
        if age > self._settle_seconds * _SEND_WITHIN:
            raise IntentTooOld(f"the intent is {age:.1f} s old")
        return min(self._lane.seconds_allowed(setting_seconds), self._settle_seconds * _ANSWERED_WITHIN - age)


def provably_not_stored(error: UpstreamError) -> bool:
    """True if the create had no effect: it was never sent, or the till refused it. After any other error the till may have stored it."""
    match error:
        case Unreachable() | Throttled() | CredentialsRefused() | Missing():
            return True
        case Refused():
            return error.status != 408
        case Misaddressed():  # without a status it was not sent; a redirect may come after the create
            return error.status is None or 400 <= error.status < 500
        case _:
            # invariant: lost-answers-are-no-refusals
            return False


def resembling_found(customers: Sequence[TillCustomer]) -> Verdict:
    """Returns the verdict if no customer has exactly the order's email and these customers' emails contain it. Creating one more would make
    a twin, and matching one would be a guess."""
    ids = tuple(each.epos_customer_id for each in customers)
    return Verdict.held(
        _OUTCOME,
        "no customer in Epos Now has exactly this email, and there are customers whose email contains it in another spelling: choose the "
        "customer, or correct the email in Epos Now and retry the order",
        f"in Epos Now with this email in another spelling: {ids_shown(ids)}",
        candidate_ids=ids[:MAX_CANDIDATES],
    )


class CreateProtocol:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext, emails: CustomersByEmail) -> None:
        self._context = context
        self._services = context.services
        self._lane = context.lane
        self._till_id = context.account.till_id
        self._owner = context.lane.owner_tag
        self._emails = emails

    async def find_or_create(self, customer: NewTillCustomer, *, for_order: ClaimedEntry | None = None) -> Holders | Verdict:
        """Returns the customers with this email, or a verdict if the order must wait or a person must act.

        Raises UpstreamError from reads (no create was sent) and RunInterrupted.

        ``for_order``: nothing is created if the entry's facts, links or settings have changed when the create is sent (invariant 6).
        """
        email, settle_seconds = normalise_email(customer.email), self._services.settings.settle_seconds
        keys, replaceable = self._intent_keys(customer.email), dict[str, Intent]()
        for _ in range(_ROUNDS + len(keys) - 1):
            # invariant: settled-intents-need-a-new-search
            found = await self._emails.find(customer.email, prove_miss=True)
            if found.customers:
                return Holders(tuple(each.epos_customer_id for each in found.customers))
            # invariant: resembling-emails-are-for-a-person
            if found.resembling:
                return resembling_found(found.resembling)
            # invariant: unproven-searches-create-nothing
            if found.unproven_because:
                return self._wait_for_proof(found.unproven_because)
            if (obstacle := creation_obstacle(customer)) is not None:
                return Verdict.held(_OUTCOME, f"creating the customer: {obstacle}")
            opened_at = self._services.clock()
            try:
                existing = await self._services.intents.open(
                    self._till_id,
                    keys,
                    self._context.account.account_id,
                    self._owner,
                    settle_seconds=settle_seconds,
                    replaces=tuple(replaceable.values()),
                )
            except Unavailable:
                break
            # invariant: standing-intents-block-creates
            if existing is None:
                permit = IntentPermit(self._lane, self._services.clock, opened_at, settle_seconds)
                return await self._create(customer, keys, permit, for_order)
            answer = await self._check_intent(existing, email)
            if answer is not None:
                return answer
            replaceable[existing.email] = existing  # only after a search that begins from now on
        return Verdict.postponed(
            _OUTCOME,
            "creating the customer: others create the same email just now",
            not_before=self._services.now() + timedelta(seconds=_FIRST_CHECK_SECONDS),
        )

    def _intent_keys(self, email: str) -> tuple[str, ...]:
        """Returns the email in every form, because a process of the release before opens and finds an intent under its own form only."""
        # invariant: intents-stand-under-every-form
        return email_forms(email)

    async def _check_intent(self, existing: Intent, email: str) -> Holders | Verdict | None:
        """Returns None if the intent may be replaced after a search that begins from now on."""
        match existing.state:
            case IntentState.DONE:
                return await self._check_created(existing, email)
            case IntentState.UNKNOWN:
                # invariant: unknown-intents-settle-first
                if existing.is_settled:
                    return None
                return Verdict.postponed(
                    _OUTCOME,
                    "creating the customer was not answered before: Epos Now may still store it, so it is searched for again before "
                    "anything is created",
                    not_before=existing.settled_at,
                    side=Side.TILL,
                )
            case IntentState.OPEN:
                if existing.is_settled:
                    return None
                return Verdict.postponed(
                    _OUTCOME,
                    "a create of a customer with this email is under way or was broken off: it is searched for again before anything is "
                    "created",
                    not_before=self._next_check(existing),
                )
            case _:
                assert_never(existing.state)

    def _next_check(self, existing: Intent) -> datetime:
        """Returns when to check the intent again. The create of another account mostly ends within a second, so the pauses begin short and
        grow. An intent of this account was interrupted, because a lane never runs two orders of one email at a time."""
        if existing.account_id == self._context.account.account_id:
            return existing.settled_at
        age = existing.read_at - existing.create_time
        return min(existing.settled_at, existing.read_at + max(age, timedelta(seconds=_FIRST_CHECK_SECONDS)))

    async def _check_created(self, existing: Intent, email: str) -> Holders | Verdict | None:
        """Returns the customer of a DONE intent that the search does not show, if the till has it and it still has this email.

        Long after the create this is not enough, because a till may go on serving a deleted customer by id. Then the list decides.
        """
        if existing.epos_customer_id is None:
            raise ValueError("a done intent names its customer")
        try:
            customer = await self._context.till.read_customer(existing.epos_customer_id)
        except Missing as missing:
            unproven = await self._context.deletion_check.of_customer(missing)
            if unproven is None:
                return None
            raise unproven from missing
        if normalise_email(customer.email) != email:
            return None
        if not existing.is_settled:
            return Holders((customer.epos_customer_id,))
        listed = (await self._emails.find_in_list(customer.email)).customers
        return Holders(tuple(each.epos_customer_id for each in listed)) if listed else None

    async def _create(
        self, customer: NewTillCustomer, keys: tuple[str, ...], permit: IntentPermit, for_order: ClaimedEntry | None
    ) -> Holders | Verdict:
        """Creates the customer under this run's intent. An error that is not caught here leaves the intent OPEN on purpose, because it may
        be a stop after the create was sent."""
        intents, owner = self._services.intents, self._owner
        try:
            await self._lane.renew_if_needed()
            # invariant: creates-rest-on-current-facts
            if for_order is not None and not await self._services.order_linker.is_still_valid(self._lane.lease, for_order):
                raise RunInterrupted("settings, links or the order have changed")
            customer_id = await self._context.till.create_customer(customer, permit)
        # invariant: stopped-creates-keep-their-intent
        except RunInterrupted as interrupted:
            await intents.clear(self._till_id, keys, owner)
            if not isinstance(interrupted, IntentTooOld):
                raise
            return Verdict.postponed(
                _OUTCOME,
                "creating the customer: its turn came too late, nothing was sent",
                not_before=self._services.now() + timedelta(seconds=_FIRST_CHECK_SECONDS),
            )
        except UpstreamError as error:
            return await self._not_created(error, keys)
        await intents.complete(self._till_id, keys, owner, customer_id)
        try:
            found = await self._emails.find(customer.email, prove_miss=False)
        except UpstreamError as error:
            stage = f"customer {customer_id} was created; searching for others with the same email"
            return await self._context.failures.classify_error(error, _OUTCOME, stage)
        ids = {
            customer_id,
            # invariant: creates-are-followed-by-a-search
            *(each.epos_customer_id for each in found.customers),
        }
        return Holders(tuple(sorted(ids)), created=customer_id)

    async def _not_created(self, error: UpstreamError, keys: tuple[str, ...]) -> Verdict:
        intents, owner, stage = self._services.intents, self._owner, "creating the customer in Epos Now"
        if provably_not_stored(error):
            await intents.clear(self._till_id, keys, owner)
            return await self._context.failures.classify_error(error, _OUTCOME, stage, refusal_is_final=True)
        await intents.mark_unknown(self._till_id, keys, owner)
        verdict = await self._context.failures.classify_error(error, _OUTCOME, stage)
        note = "Epos Now may have stored the customer all the same: it is searched for again before anything is created"
        verdict = replace(verdict, notes=(*verdict.notes, note))
        if verdict.disposition is Disposition.RETRY:  # a retry decides nothing before the intent settles
            wait = max(verdict.retry_after_seconds or 0.0, self._services.settings.settle_seconds)
            verdict = replace(verdict, retry_after_seconds=wait)
        return verdict

    def _wait_for_proof(self, reason: str) -> Verdict:
        return Verdict.postponed(
            _OUTCOME,
            f"no customer is created: {reason}",
            wait_seconds=UNPROVEN_RETRY_SECONDS,
            side=Side.TILL,
        )
