"""Reads of till customers that wait for a request: a single read or a list page. ``TillReader`` and what serves its reads share them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.till import ListedCustomer


@dataclass(frozen=True, slots=True)
class ReadCustomer:
    """``as_of``: when the request began that brought the customer."""

    customer: TillCustomer
    as_of: datetime


@dataclass(slots=True, eq=False)
class PendingRead:
    customer_id: EposCustomerId
    asked_at: int
    """Tick of the reader, which orders reads and page requests."""
    is_live: bool
    result: asyncio.Future[ReadCustomer]
    is_started: bool = False
    callers: int = 1

    @property
    def is_waiting(self) -> bool:
        return not (self.is_started or self.result.done())

    @property
    def request_class(self) -> RequestClass:
        return RequestClass.LIVE if self.is_live else RequestClass.BULK

    def deliver(self, customer: ReadCustomer) -> None:
        if not self.result.done():
            self.result.set_result(customer)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
            self.result.exception()  # marks the error as retrieved: all callers may be cancelled


class WaitingReads:
    """``delivery_seconds``: longest time that a customer found on a page waits for customers of other pages. All are delivered together."""

    def __init__(self, delivery_seconds: float) -> None:
        self._delivery_seconds = delivery_seconds
        self._reads: dict[EposCustomerId, PendingRead] = {}
        self._found: list[tuple[PendingRead, ReadCustomer]] = []
        """Served by pages and not delivered yet."""
        self._delivery: asyncio.Handle | None = None
        self.crowd: dict[EposCustomerId, PendingRead] = {}
        """Reads for which the reader has not decided yet between pages and single reads."""

    def __contains__(self, read: PendingRead) -> bool:
        return self._reads.get(read.customer_id) is read

    def of(self, customer_id: EposCustomerId) -> PendingRead | None:
        return self._reads.get(customer_id)

    @property
    def all(self) -> list[PendingRead]:
        return list(self._reads.values())

    def add(self, read: PendingRead) -> None:
        self._reads[read.customer_id] = read

    def remove(self, read: PendingRead) -> None:
        """To call when the read has started, was served, or has no caller left."""
        for reads in (self._reads, self.crowd):
            if reads.get(read.customer_id) is read:
                del reads[read.customer_id]

    def serve_page(self, rows: Sequence[ListedCustomer], asked_at: int, as_of: datetime) -> int:
        """Serves the reads that were asked for before the page was, at the tick ``asked_at``. Returns how many."""
        served = 0
        for row in rows:
            read = self._reads.get(row.epos_customer_id)
            if read is not None and read.asked_at < asked_at and not read.result.done():
                self.remove(read)
                self._found.append((read, ReadCustomer(row.read(), as_of)))
                served += 1
        if self._found and self._delivery is None:
            self._delivery = asyncio.get_running_loop().call_later(self._delivery_seconds, self.deliver_found)
        return served

    def deliver_found(self) -> None:
        """Delivers the customers of several pages together, so that their shop writes share a request."""
        self.stop_delivery()
        found, self._found = self._found, []
        for read, customer in found:
            read.deliver(customer)

    def stop_delivery(self) -> None:
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None

    def cancel_all(self) -> None:
        for read in [*self._reads.values(), *(read for read, _ in self._found)]:
            read.result.cancel()


class ScanCrowd:
    """The reads that wait when a page scan begins."""

    def __init__(self, reads: Sequence[PendingRead], waiting: WaitingReads) -> None:
        self._reads = reads
        self._waiting = waiting

    @property
    def left(self) -> int:
        """How many of them still wait."""
        return sum(read in self._waiting for read in self._reads)

    def serve(self, rows: Sequence[ListedCustomer], asked_at: int, as_of: datetime) -> int:
        """Serves also reads that came after the scan began. Returns how many reads the page served."""
        return self._waiting.serve_page(rows, asked_at, as_of)
