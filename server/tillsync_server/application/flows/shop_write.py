"""One write to a shop customer, between the flow and the request that sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tillsync_server.domain.customer import CustomerValues
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.ports.shop import WriteResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopWrite:
    """``values`` None removes tillsync's values. ``content_hash``: stored with the link once the shop has confirmed the write."""

    woo_customer_id: WooCustomerId
    epos_customer_id: EposCustomerId
    values: CustomerValues | None
    content_hash: bytes | None = None
    as_of: datetime | None = None
    is_live: bool = False
    at_least: int = 0
    """A version that the shop called stale. The version of this write must be higher."""
    registered_at: datetime | None = None
    registered_before: datetime | None = None
    """As in ``CustomerWrite``."""


@dataclass(slots=True, eq=False)
class QueuedWrite:
    write: ShopWrite
    queued_at: float
    result: asyncio.Future[WriteResult]
    must_queue_again: bool = False
    """Set by the sender: the shop did not get to this write, though it got to others of its request."""
    is_overdue: bool = False
    """The shop did not get to it, so the next request sends it first."""

    def resolve(self, result: WriteResult) -> None:
        if not self.result.done():
            self.result.set_result(result)


def fail(items: Sequence[QueuedWrite], fault: BaseException) -> None:
    if isinstance(fault, UpstreamError):
        fault.forget_frames()
    for item in items:
        if not item.result.done():
            item.result.set_exception(fault)
            item.result.exception()  # marks the error as retrieved: the caller may be cancelled
