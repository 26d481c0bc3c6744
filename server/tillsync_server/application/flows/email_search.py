"""Who at the till has this email, and when does "nobody" count (design section 5, *Never a twin*).

A till's search is not believed: hits are compared exactly here, and a miss counts only when this search is known to find what is there,
in whatever capitals. Where it does not, the whole list is read; one reading serves every email that waits for one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from typing import assert_never

from tillsync_server.application.flows.kind_proofs import REMEMBERED_SECONDS, SAMPLES, KindProofs, usable_samples
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.email_kinds import email_kinds
from tillsync_server.domain.errors import Throttled, Unreadable, UpstreamError
from tillsync_server.domain.matching import email_key, email_keys, resembling, respelled, same_email, search_texts
from tillsync_server.domain.vocabulary import Side
from tillsync_server.ports.till import MAX_LIST_PAGES, CustomerPage, EmailSearch, UnreadRow

_SHORT_WAITS = 5
_SHORT_WAIT_SECONDS = 20.0


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
        self._till = context.till
        self._list_page = context.list_page
        self._gone = context.gone
        self._slots = asyncio.Semaphore(context.services.settings.till_concurrency)
        self._list = _ListReader()
        self._kinds = KindProofs(
            context.services, self._till_id, self._configuration, search=self._search, read_page=self._page_of_customers
        )
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
            answer = await self._search(text)
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
        reading = await self._list.read_for(email, self._page_in_time)
        if reading.completed_here:
            await self._gone.note_customers_read(last_page=reading.last_page or None)
            await self._kinds.learn(reading.samples)
        return _found(reading.rows, email)

    async def _search(self, text: str) -> EmailSearch:
        async with self._slots:
            return await self._till.search_by_email(text)

    async def _page_of_customers(self, number: int) -> CustomerPage:
        page = await self._page(number)
        await self._gone.note_customers_read()
        return page

    async def _page(self, number: int) -> CustomerPage:
        async with self._slots:
            return await self._list_page(number)

    async def _page_in_time(self, number: int) -> CustomerPage:
        """A long reading is not thrown away because the till's allowance is short for a moment; a limit the till itself tells of is."""
        for _ in range(_SHORT_WAITS):
            try:
                return await self._page(number)
            except Throttled as throttled:
                wait = throttled.retry_after_seconds
                if throttled.status is not None or wait is None or wait > _SHORT_WAIT_SECONDS:
                    raise
                await asyncio.sleep(wait)
        return await self._page(number)

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
        page = await self._page_of_customers(1)
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
            other = respelled(email)
            for text in ([other] if other else []) + [email]:
                answer = await self._search(text)
                if answer.filter_ignored:
                    return _Search.BY_LIST
                if same_email(answer.rows, email):
                    # found as it is written there, but not in other capitals: the order's spelling may miss it
                    # invariant: case-sensitive-searches-prove-nothing
                    return _Search.PROVEN if text == other else _Search.BY_LIST
        if all(email_kinds(email) for email in samples):
            return _Search.BY_LIST  # it may find plain emails, and there is none to try it with
        # invariant: blind-searches-prove-nothing
        return _Search.UNPROVEN


def _found(rows: Sequence[TillCustomer], email: str) -> Found:
    same = tuple(same_email(rows, email))
    return Found(same, () if same else tuple(resembling(rows, email)))


def _samples(rows: Iterable[TillCustomer]) -> list[str]:
    """Emails to try the search with: plain ones and those with letters first."""
    usable = usable_samples(row.email for row in rows)
    return sorted(usable, key=lambda email: (bool(email_kinds(email)), respelled(email) is None, email))[:SAMPLES]


def _endless_list() -> Unreadable:
    text = f"Epos Now does not end its list of customers: {MAX_LIST_PAGES} pages, and still new ones; report it to Epos Now"
    return Unreadable(Side.TILL, text)


def _unreadable_list(row: UnreadRow) -> Unreadable:
    text = f"too many rows of Epos Now's customers cannot be read, so that nobody found proves nothing: {row.reason}"
    return Unreadable(Side.TILL, text)


def _may_be_theirs(row: UnreadRow, page: int) -> Unreadable:
    who = f"row {row.position} of page {page}" if row.customer_id is None else f"customer {row.customer_id}"
    return Unreadable(Side.TILL, f"{who} in Epos Now may have this email and cannot be read: {row.reason}")


@dataclass(slots=True)
class _Wanted:
    email: str
    rows: list[TillCustomer] = field(default_factory=list)
    error: UpstreamError | None = None
    served: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    rows: list[TillCustomer]
    samples: tuple[str, ...]
    """Emails of the list, one of each kind that is there."""
    last_page: int
    completed_here: bool
    """This caller did the reading (and notes it)."""


_ReadPage = Callable[[int], Awaitable[CustomerPage]]


class _ListReader:
    """Reads the whole list for all who wait when it begins; who comes later gets the next reading, as a proof must be younger than
    the question. The first in line reads for the others; when it is cancelled the next one begins anew."""

    def __init__(self) -> None:
        self._waiting: list[_Wanted] = []
        self._reading = asyncio.Lock()
        self._samples: dict[str, str] = {}

    async def read_for(self, email: str, read_page: _ReadPage) -> _Reading:
        wanted = _Wanted(email_key(email))
        self._waiting.append(wanted)
        last_page = 0
        try:
            async with self._reading:
                reads_itself = not wanted.served
                if reads_itself:
                    last_page = await self._read(list(self._waiting), read_page)
        finally:
            self._waiting.remove(wanted)
        if wanted.error is not None:
            raise wanted.error
        return _Reading(wanted.rows, tuple(self._samples.values()), last_page, reads_itself)

    async def _read(self, wanted: list[_Wanted], read_page: _ReadPage) -> int:
        """Until an empty page or one without a new id: whatever the page size, and though the list may drift meanwhile. A list that does
        not end proves nothing."""
        by_email: dict[str, list[TillCustomer]] = {each.email: [] for each in wanted}
        seen: set[Hashable] = set()
        unread: list[UnreadRow] = []
        number = 0
        error: UpstreamError | None = None
        unclear: dict[str, Unreadable] = {}
        try:
            while True:
                page = await read_page(number + 1)
                fresh = [row for row in page.with_emails if row.epos_customer_id not in seen]
                fresh_unread = [row for row in page.unknown if row.key not in seen]
                if not fresh and not fresh_unread:
                    if page.unread and not page.with_emails and all(row.customer_id is None for row in page.unread):
                        raise _unreadable_list(page.unread[0])  # the last page again, or others: without ids nobody can tell
                    break
                number += 1
                if number > MAX_LIST_PAGES:
                    raise _endless_list()
                # invariant: lists-end-without-new-customers
                for row in fresh:
                    seen.add(row.epos_customer_id)
                    self._samples.update((kind, row.email) for kind in email_kinds(row.email))
                    for key in email_keys(row.email) if row.email else ():
                        if (rows := by_email.get(key)) is not None:
                            rows.append(row)
                for other in fresh_unread:
                    seen.add(other.key)
                    # invariant: unread-rows-may-be-the-one
                    unclear.update((email, _may_be_theirs(other, number)) for email in by_email if other.may_have(email))
                unread += fresh_unread
            # One row that cannot be read is that row's fault. Where most cannot, it is ours, or that of the API version.
            if 2 * len(unread) > len(seen):
                raise _unreadable_list(unread[0])
        except UpstreamError as failed:
            error = failed
        for each in wanted:
            each.rows, each.error, each.served = by_email[each.email], error or unclear.get(each.email), True
        return number
