"""Reads a till's whole customer list for the emails that wait for it (docs/architecture.md#never-a-twin).

One reading serves every email that waits when the reading begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from tillsync_server.application.flows.search_requests import SearchRequests
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.email_kinds import email_kinds
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Unreadable, UpstreamError
from tillsync_server.domain.matching import email_key, email_keys
from tillsync_server.ports.till import MAX_LIST_PAGES, CustomerPage, ListedCustomer, UnreadRow


@dataclass(frozen=True, slots=True)
class ListReading:
    rows: list[TillCustomer]
    samples: tuple[str, ...]
    """Emails of the list, one of each kind that is there."""
    last_page: int
    completed_here: bool
    """This caller did the reading (and notes it)."""


@dataclass(slots=True)
class _Wanted:
    email: str
    rows: list[TillCustomer] = field(default_factory=list)
    error: UpstreamError | None = None
    served: bool = False


class CustomerList:
    """Reads the whole list for all who wait when it begins; who comes later gets the next reading, as a proof must be younger than
    the question. The first in line reads for the others; when it is cancelled the next one begins anew."""

    def __init__(self, requests: SearchRequests) -> None:
        self._requests = requests
        self._waiting: list[_Wanted] = []
        self._reading = asyncio.Lock()
        self._samples: dict[str, str] = {}

    async def read_for(self, email: str) -> ListReading:
        wanted = _Wanted(email_key(email))
        self._waiting.append(wanted)
        last_page = 0
        try:
            async with self._reading:
                reads_itself = not wanted.served
                if reads_itself:
                    last_page = await self._read(list(self._waiting))
        finally:
            self._waiting.remove(wanted)
        if wanted.error is not None:
            raise wanted.error
        return ListReading(wanted.rows, tuple(self._samples.values()), last_page, reads_itself)

    async def _read(self, wanted: list[_Wanted]) -> int:
        reading = _WholeList(self._requests, (each.email for each in wanted), self._samples)
        error: UpstreamError | None = None
        try:
            await reading.read()
        except UpstreamError as failed:
            error = failed
        for each in wanted:
            each.rows, each.error, each.served = reading.rows[each.email], error or reading.unclear.get(each.email), True
        return reading.pages


class _WholeList:
    """One reading of the list, from its first page to its end."""

    def __init__(self, requests: SearchRequests, emails: Iterable[str], samples: dict[str, str]) -> None:
        self._requests = requests
        self.rows: dict[str, list[TillCustomer]] = {email: [] for email in emails}
        self.unclear: dict[str, Unreadable] = {}
        """Emails that may stand in a row that cannot be read."""
        self.pages = 0
        self._samples = samples
        self._seen: set[Hashable] = set()
        self._unread: list[UnreadRow] = []

    async def read(self) -> None:
        """Until an empty page or one without a new id: whatever the page size, and though the list may drift meanwhile. A list that does
        not end proves nothing."""
        while True:
            page = await self._requests.page_of_reading(self.pages + 1)
            fresh = [row for row in page.with_emails if row.epos_customer_id not in self._seen]
            fresh_unread = [row for row in page.unknown if row.key not in self._seen]
            if not fresh and not fresh_unread:
                _check_last(page)
                break
            self.pages += 1
            if self.pages > MAX_LIST_PAGES:
                raise _endless_list()
            # invariant: lists-end-without-new-customers
            for row in fresh:
                self._note(row)
            for other in fresh_unread:
                self._note_unread(other)
        # One row that cannot be read is that row's fault. Where most cannot, it is ours, or that of the API version.
        if 2 * len(self._unread) > len(self._seen):
            raise _unreadable_list(self._unread[0])

    def _note(self, row: ListedCustomer) -> None:
        self._seen.add(row.epos_customer_id)
        self._samples.update((kind, row.email) for kind in email_kinds(row.email))
        for key in email_keys(row.email) if row.email else ():
            if (rows := self.rows.get(key)) is not None:
                rows.append(row.read())

    def _note_unread(self, row: UnreadRow) -> None:
        self._seen.add(row.key)
        self._unread.append(row)
        # invariant: unread-rows-may-be-the-one
        self.unclear.update((email, _may_be_theirs(row, self.pages)) for email in self.rows if row.may_have(email))


def _check_last(page: CustomerPage) -> None:
    """Raises Unreadable where the page may be the last one again, or another one: without ids nobody can tell."""
    if page.unread and not page.with_emails and all(row.customer_id is None for row in page.unread):
        raise _unreadable_list(page.unread[0])


def _endless_list() -> Unreadable:
    text = f"Epos Now does not end its list of customers: {MAX_LIST_PAGES} pages, and still new ones; report it to Epos Now"
    return Unreadable(Side.TILL, text)


def _unreadable_list(row: UnreadRow) -> Unreadable:
    text = f"too many rows of Epos Now's customers cannot be read, so that nobody found proves nothing: {row.reason}"
    return Unreadable(Side.TILL, text)


def _may_be_theirs(row: UnreadRow, page: int) -> Unreadable:
    who = f"row {row.position} of page {page}" if row.customer_id is None else f"customer {row.customer_id}"
    return Unreadable(Side.TILL, f"{who} in Epos Now may have this email and cannot be read: {row.reason}")
