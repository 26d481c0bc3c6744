"""Who at the till has this email, and when does "nobody" count (docs/architecture.md#never-a-twin).

A till's search is not believed: hits are compared exactly here, and a miss counts only when this search is known to find what is there,
in whatever capitals. Where it does not, the whole list is read; one reading serves every email that waits for one.
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
from tillsync_server.application.flows.kind_proofs import REMEMBERED_SECONDS, SAMPLES, KindProofs, usable_samples
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.search_requests import SearchRequests
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.email_kinds import email_kinds
from tillsync_server.domain.matching import exact_matches, resembling_customers, search_texts, with_swapped_case
from tillsync_server.ports.till import ListedCustomer


@dataclass(frozen=True, slots=True)
class Found:
    """``customers``: all with exactly this email after normalising, by ascending id."""

    customers: tuple[TillCustomer, ...]
    resembling: tuple[TillCustomer, ...] = ()
    """Nobody has exactly this email, and these have one that contains it (``matching.resembling``)."""
    unproven_because: str = ""
    """Not empty: nobody was found, and that proves nothing. Only said where a proof was asked for."""


class _Search(Enum):
    """What this till's search is worth."""

    PROVEN = auto()
    BY_LIST = auto()
    """It ignores the filter, tells capitals apart, or there is no email to try it with: only the whole list proves a miss."""
    NOBODY_THERE = auto()
    """The list is empty: that proves a miss, and says nothing about the search."""
    UNPROVEN = auto()
    """It does not find a customer that the list shows."""


class CustomersByEmail:
    """One per lease and configuration: its orders share the proof and the readings of the list. Raises UpstreamError."""

    def __init__(self, context: LaneContext) -> None:
        self._services = context.services
        self._till_id = context.account.till_id
        self._configuration = context.account.till_configuration
        self._deletion_check = context.deletion_check
        self._requests = SearchRequests(context)
        self._list = CustomerList(self._requests)
        self._kinds = KindProofs(context.services, self._till_id, self._configuration, self._requests)
        self._proving = asyncio.Lock()
        self._known: tuple[_Search, float] | None = None
        """With the time on the process's clock until when it is believed."""
        self._unproven_at = -math.inf
        """Whoever asks later finds out anew: somebody who mended the till and tries again is not to be answered from memory."""

    async def find(self, email: str, *, prove_miss: bool) -> Found:
        """Every answer rests on requests that began after the call. ``prove_miss``: find out whether nobody means nobody."""
        texts = search_texts(email)
        rows: list[TillCustomer] = []
        for text in texts:
            answer = await self._requests.search(text)
            if answer.filter_ignored:
                return await self.find_in_list(email)
            answer.check()  # a row that the till found by this email and nobody can read: neither "found" nor "nobody"
            rows += answer.rows
        found = _found(rows, email)
        if found.customers:
            await self._kinds.note_found(email)
            return found
        if not prove_miss:
            return found
        search = await self._search_worth()
        match search:
            case _Search.PROVEN:
                return found if await self._kinds.are_there(email) else await self.find_in_list(email)
            case _Search.NOBODY_THERE:
                return found
            case _Search.BY_LIST:
                return await self.find_in_list(email)
            case _Search.UNPROVEN:
                text = "Epos Now's search does not find customers that are there, so nobody found proves nothing"
                return replace(found, unproven_because=text)
            case _:
                assert_never(search)

    async def find_in_list(self, email: str) -> Found:
        """A completed reading of the whole list is proof, whatever the search says."""
        reading = await self._list.read_for(email)
        if reading.is_own:
            await self._deletion_check.note_customers_read(last_page=reading.last_page or None)
            await self._kinds.learn(reading.samples)
        return _found(reading.rows, email)

    # what the search is worth

    async def _search_worth(self) -> _Search:
        asked_at = self._services.clock()
        async with self._proving:  # the first to miss finds out for all
            if asked_at <= self._unproven_at:
                return _Search.UNPROVEN
            if self._known is not None and self._services.clock() < self._known[1]:
                return self._known[0]
            worth = _Search.PROVEN if await self._is_noted_proven() else await self._try_out()
            if worth is _Search.UNPROVEN:
                self._unproven_at = self._services.clock()
            elif worth is not _Search.NOBODY_THERE:
                seconds = min(REMEMBERED_SECONDS, self._services.settings.search_proof_seconds)
                self._known = (worth, self._services.clock() + seconds)
            return worth

    async def _is_noted_proven(self) -> bool:
        proven_at = (await self._services.knowledge.get(self._till_id, self._configuration)).search_proven_at
        valid = timedelta(seconds=self._services.settings.search_proof_seconds)
        return proven_at is not None and self._services.now() - proven_at < valid

    async def _try_out(self) -> _Search:
        page = await self._requests.customers_page(1)
        if not page.rows and not page.unread:
            return _Search.NOBODY_THERE
        worth = await self._worth_for(_samples(page.with_emails))
        if worth is _Search.PROVEN:
            await self._services.knowledge.note_search_proven(self._till_id, self._configuration)
        else:
            await self._services.knowledge.note_search_unproven(self._till_id, self._configuration)
        return worth

    async def _worth_for(self, samples: list[str]) -> _Search:
        if not samples:
            return _Search.BY_LIST
        for email in samples:
            other = with_swapped_case(email)
            for text in ([other] if other else []) + [email]:
                answer = await self._requests.search(text)
                if answer.filter_ignored:
                    return _Search.BY_LIST
                if exact_matches(answer.rows, email):
                    # found as it is written there, but not in other capitals: the order's spelling may miss it
                    # invariant: case-sensitive-searches-prove-nothing
                    return _Search.PROVEN if text == other else _Search.BY_LIST
        if all(email_kinds(email) for email in samples):
            return _Search.BY_LIST  # it may find plain emails, and there is none to try it with
        # invariant: blind-searches-prove-nothing
        return _Search.UNPROVEN


def _found(rows: Sequence[TillCustomer], email: str) -> Found:
    same = tuple(exact_matches(rows, email))
    return Found(same, () if same else tuple(resembling_customers(rows, email)))


def _samples(rows: Iterable[ListedCustomer]) -> list[str]:
    """Emails to try the search with: plain ones and those with letters first."""
    usable = usable_samples(row.email for row in rows)
    return sorted(usable, key=lambda email: (bool(email_kinds(email)), with_swapped_case(email) is None, email))[:SAMPLES]
