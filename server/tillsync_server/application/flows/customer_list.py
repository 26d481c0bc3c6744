"""Reads a till's whole customer list for all emails that wait for it (docs/invariants.md#never-a-twin).

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
    """Emails of the list, one of each kind that it contains."""
    last_page: int
    is_own: bool
    """This caller did the reading, and records it."""


@dataclass(slots=True)
class _WaitingEmail:
    email: str
    rows: list[TillCustomer] = field(default_factory=list)
    error: UpstreamError | None = None
    is_served: bool = False


class CustomerList:
    """Reads the whole list for all callers that wait when the reading begins.

    A later caller gets the next reading, because a proof must be younger than its question. The first caller reads for the others. If it
    is cancelled, the next caller starts another reading.
    """

    def __init__(self, requests: SearchRequests) -> None:
        self._requests = requests
        self._waiting: list[_WaitingEmail] = []
        self._reading = asyncio.Lock()
        self._samples: dict[str, str] = {}

    async def read_for(self, email: str) -> ListReading:
        waiting = _WaitingEmail(email_key(email))
        self._waiting.append(waiting)
        last_page = 0
        try:
            async with self._reading:
                is_own = not waiting.is_served
                if is_own:
                    last_page = await self._read(list(self._waiting))
        finally:
            self._waiting.remove(waiting)
        if waiting.error is not None:
            raise waiting.error
        return ListReading(waiting.rows, tuple(self._samples.values()), last_page, is_own)

    async def _read(self, emails: list[_WaitingEmail]) -> int:
        reading = _WholeList(self._requests, (each.email for each in emails), self._samples)
        error: UpstreamError | None = None
        try:
            await reading.read()
        except UpstreamError as failed:
            error = failed
        for each in emails:
            each.rows, each.error, each.is_served = reading.rows[each.email], error or reading.errors.get(each.email), True
        return reading.pages


class _WholeList:
    """One reading of the list from the first page to the end."""

    def __init__(self, requests: SearchRequests, emails: Iterable[str], samples: dict[str, str]) -> None:
        self._requests = requests
        self.rows: dict[str, list[TillCustomer]] = {email: [] for email in emails}
        self.errors: dict[str, Unreadable] = {}
        """Emails that a row that cannot be read may contain."""
        self.pages = 0
        self._samples = samples
        self._seen: set[Hashable] = set()
        self._unread: list[UnreadRow] = []

    async def read(self) -> None:
        """Reads until a page is empty or has no new id. So the page size does not matter, and rows may move between pages meanwhile.

        A list that does not end proves nothing.
        """
        while True:
            page = await self._requests.page_of_reading(self.pages + 1)
            new_rows = [row for row in page.with_emails if row.epos_customer_id not in self._seen]
            new_unread = [row for row in page.unknown if row.key not in self._seen]
            if not new_rows and not new_unread:
                _check_last(page)
                break
            self.pages += 1
            if self.pages > MAX_LIST_PAGES:
                raise _endless_list_error()
            # invariant: lists-end-without-new-customers
            for row in new_rows:
                self._note(row)
            for other in new_unread:
                self._note_unread(other)
        # A single row that cannot be read is faulty itself. If most cannot be read, this reader or the API version is wrong.
        if 2 * len(self._unread) > len(self._seen):
            raise _unreadable_list_error(self._unread[0])

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
        self.errors.update((email, _unread_row_error(row, self.pages)) for email in self.rows if row.may_have(email))


def _check_last(page: CustomerPage) -> None:
    """Raises Unreadable if no row of the page has an id, because the page may then be the last one again or a new one."""
    if page.unread and not page.with_emails and all(row.customer_id is None for row in page.unread):
        raise _unreadable_list_error(page.unread[0])


def _endless_list_error() -> Unreadable:
    text = f"Epos Now does not end its list of customers: {MAX_LIST_PAGES} pages, and still new ones; report it to Epos Now"
    return Unreadable(Side.TILL, text)


def _unreadable_list_error(row: UnreadRow) -> Unreadable:
    text = f"too many rows of Epos Now's customers cannot be read, so that nobody found proves nothing: {row.reason}"
    return Unreadable(Side.TILL, text)


def _unread_row_error(row: UnreadRow, page: int) -> Unreadable:
    who = f"row {row.position} of page {page}" if row.customer_id is None else f"customer {row.customer_id}"
    return Unreadable(Side.TILL, f"{who} in Epos Now may have this email and cannot be read: {row.reason}")
