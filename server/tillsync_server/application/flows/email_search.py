"""Finds the till customers with an email, and decides whether a miss is proven (docs/invariants.md#never-a-twin).

The till's search is not trusted. Hits are compared exactly here, and a miss counts only if the search is proven to find existing customers,
in any capitals. Otherwise the whole list is read, and one reading serves every email that waits for it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import assert_never

from tillsync_server.application.flows.customer_list import CustomerList
from tillsync_server.application.flows.kind_proofs import CACHED_SECONDS, SAMPLES, KindProofs, usable_samples
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.search_requests import SearchRequests
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.email_kinds import email_kinds
from tillsync_server.domain.matching import exact_matches, resembling_customers, search_texts, with_swapped_case
from tillsync_server.ports.till import ListedCustomer
from tillsync_server.ports.tills import TillKnowledge

_JUST_RESTORED_TEXT = "the database was restored a moment ago, and Epos Now may still store a customer that was being created before"


@dataclass(frozen=True, slots=True)
class Found:
    """``customers``: all customers with exactly this email after normalising, in ascending order of their ids."""

    customers: tuple[TillCustomer, ...]
    resembling: tuple[TillCustomer, ...] = ()
    """No customer has exactly this email, and the emails of these contain it (``matching.resembling``)."""
    unproven_because: str = ""
    """Not empty: no customer was found, and that proves nothing. Set only if a proof was asked for."""


class _SearchProof(Enum):
    """How far this till's search proves a miss."""

    PROVEN = auto()
    BY_LIST = auto()
    """Only the whole list proves a miss: the search ignores the filter or is case-sensitive, or no email is there to probe it with."""
    EMPTY_LIST = auto()
    """The list is empty, which proves a miss, and nothing about the search."""
    UNPROVEN = auto()
    """The search does not find a customer that the list shows."""
    JUST_RESTORED = auto()
    """The database was restored. The till may still store a customer that a lost process was creating."""


class CustomersByEmail:
    """One per lease and configuration, so that its orders share the proof and the readings of the list. Methods raise UpstreamError."""

    def __init__(self, context: LaneContext) -> None:
        self._services = context.services
        self._till_id = context.account.till_id
        self._configuration = context.account.till_configuration
        self._deletion_check = context.deletion_check
        self._requests = SearchRequests(context)
        self._list = CustomerList(self._requests)
        self._kinds = KindProofs(context.services, self._till_id, self._configuration, self._requests)
        self._proving = asyncio.Lock()
        self._cached_proof: tuple[_SearchProof, float] | None = None
        """With the time on the process's clock until which it is valid."""
        self._unproven_at = -math.inf
        """A negative result is not cached: a later search probes the till again, because a person may have repaired it."""

    async def find(self, email: str, *, prove_miss: bool) -> Found:
        """Returns an answer from requests that began after the call. ``prove_miss``: also check whether a miss is proven."""
        texts = search_texts(email)
        rows: list[TillCustomer] = []
        for text in texts:
            answer = await self._requests.search(text)
            if answer.filter_ignored:
                listed = await self.find_in_list(email)
                return await self._unless_just_restored(listed) if prove_miss else listed
            answer.check()  # raises for a found row that cannot be read, which is neither a hit nor a miss
            rows += answer.rows
        found = _found(rows, email)
        if found.customers:
            await self._kinds.record_found(email)
            return found
        if not prove_miss:
            return found
        proof = await self._proof_of_search()
        match proof:
            case _SearchProof.PROVEN:
                return found if await self._kinds.is_proven_for(email) else await self.find_in_list(email)
            case _SearchProof.EMPTY_LIST:
                return found
            case _SearchProof.BY_LIST:
                return await self.find_in_list(email)
            case _SearchProof.UNPROVEN:
                text = "Epos Now's search does not find customers that are there, so nobody found proves nothing"
                return replace(found, unproven_because=text)
            case _SearchProof.JUST_RESTORED:
                return replace(found, unproven_because=_JUST_RESTORED_TEXT)
            case _:
                assert_never(proof)

    async def find_in_list(self, email: str) -> Found:
        """Searches the whole list. A completed reading is proof, whatever the search returns."""
        reading = await self._list.read_for(email)
        if reading.is_own:
            await self._deletion_check.note_customers_read(last_page=reading.last_page or None)
            await self._kinds.probe_missing(reading.samples)
        return _found(reading.rows, email)

    # proof of the search

    async def _unless_just_restored(self, found: Found) -> Found:
        """Returns the result of a list. A miss is unproven while the till may store a customer that a lost process was creating."""
        if found.customers or found.resembling:
            return found
        knowledge = await self._services.knowledge.get(self._till_id, self._configuration)
        is_just_restored = self._proof_after_restore(knowledge) is _SearchProof.JUST_RESTORED
        return replace(found, unproven_because=_JUST_RESTORED_TEXT) if is_just_restored else found

    async def _proof_of_search(self) -> _SearchProof:
        asked_at = self._services.clock()
        async with self._proving:  # the first miss probes the search for all
            if asked_at <= self._unproven_at:
                return _SearchProof.UNPROVEN
            if self._cached_proof is not None and self._services.clock() < self._cached_proof[1]:
                return self._cached_proof[0]
            knowledge = await self._services.knowledge.get(self._till_id, self._configuration)
            proof = self._proof_after_restore(knowledge)
            if proof is None:
                proof = _SearchProof.PROVEN if self._is_stored_as_proven(knowledge) else await self._probe_search()
            if proof is _SearchProof.UNPROVEN:
                self._unproven_at = self._services.clock()
            elif proof not in (_SearchProof.EMPTY_LIST, _SearchProof.JUST_RESTORED):
                seconds = min(CACHED_SECONDS, self._services.settings.search_proof_seconds)
                self._cached_proof = (proof, self._services.clock() + seconds)
            return proof

    def _proof_after_restore(self, knowledge: TillKnowledge) -> _SearchProof | None:
        """Returns a proof for the time after a restore of the database, else None. The database has lost the intents of customers that were
        created shortly before, and a till's search may not show such a customer yet."""
        seconds, settings = knowledge.seconds_since_restore, self._services.settings
        # invariant: restored-tills-settle-first
        if seconds is not None and seconds < settings.settle_seconds:
            return _SearchProof.JUST_RESTORED
        # invariant: restored-tills-prove-by-list
        if seconds is not None and seconds < settings.restored_list_seconds:
            return _SearchProof.BY_LIST
        return None

    def _is_stored_as_proven(self, knowledge: TillKnowledge) -> bool:
        proven_at = knowledge.search_proven_at
        valid = timedelta(seconds=self._services.settings.search_proof_seconds)
        return proven_at is not None and self._services.now() - proven_at < valid

    async def _probe_search(self) -> _SearchProof:
        page = await self._requests.customers_page(1)
        if not page.rows and not page.unread:
            return _SearchProof.EMPTY_LIST
        proof = await self._probe_with(_samples(page.with_emails))
        if proof is _SearchProof.PROVEN:
            await self._services.knowledge.note_search_proven(self._till_id, self._configuration)
        else:
            await self._services.knowledge.note_search_unproven(self._till_id, self._configuration)
        return proof

    async def _probe_with(self, samples: list[str]) -> _SearchProof:
        if not samples:
            return _SearchProof.BY_LIST
        for email in samples:
            other = with_swapped_case(email)
            for text in ([other] if other else []) + [email]:
                answer = await self._requests.search(text)
                if answer.filter_ignored:
                    return _SearchProof.BY_LIST
                if exact_matches(answer.rows, email):
                    # found in its own spelling, and not in other capitals: the spelling of an order may miss it
                    # invariant: case-sensitive-searches-prove-nothing
                    return _SearchProof.PROVEN if text == other else _SearchProof.BY_LIST
        if all(email_kinds(email) for email in samples):
            return _SearchProof.BY_LIST  # the search may find plain emails, and no plain email is there to probe it with
        # invariant: blind-searches-prove-nothing
        return _SearchProof.UNPROVEN


def _found(rows: Sequence[TillCustomer], email: str) -> Found:
    same = tuple(exact_matches(rows, email))
    return Found(same, () if same else tuple(resembling_customers(rows, email)))


def _samples(rows: Iterable[ListedCustomer]) -> list[str]:
    """Returns emails to probe the search with: plain emails first, and among them those with letters."""
    usable = usable_samples(row.email for row in rows)
    return sorted(usable, key=lambda email: (bool(email_kinds(email)), with_swapped_case(email) is None, email))[:SAMPLES]
