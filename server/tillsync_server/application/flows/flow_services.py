"""What the flows are made of: the ports, and what they can be tuned by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tillsync_server.application.flows.side_gates import SideWindows
from tillsync_server.ports.lanes import SideHistory
from tillsync_server.ports.links import LinkReader, OrderLinker, ShopStateStore
from tillsync_server.ports.shop import ShopGateway
from tillsync_server.ports.till import TillGateway
from tillsync_server.ports.tills import IntentStore, TillKnowledgeStore

DEFAULT_SETTLE_SECONDS = 30.0 + 15.0 + 60.0
"""Lease + till timeout + 60 s: how long after the intent an unanswered create can still surprise us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """Units in the names."""

    settle_seconds: float = DEFAULT_SETTLE_SECONDS
    live_gather_seconds: float = 0.05
    """A LIVE shop write waits at most so long for company, and not at all when nobody is on the way."""
    bulk_gather_seconds: float = 5.0
    bulk_quiet_seconds: float = 0.25
    """A BULK write leaves earlier when for so long nothing of the lane is being read or written: nobody will join it."""
    till_concurrency: int = 8
    """Till requests of one lane under way at once, per kind of work."""
    page_concurrency: int = 3
    crowd: int = 32
    """From so many waiting customers on it is worth asking how many list pages the till has."""
    crowd_gather_seconds: float = 0.1
    """A bulk read waits so long after the last arrival before it is decided whether pages are read."""
    crowd_gather_limit_seconds: float = 1.0
    page_delivery_seconds: float = 1.0
    """Customers found on a list page wait at most so long for the other pages of the scan: their shop writes then share a request."""
    probe_reuse_seconds: float = 3.0
    """A probe's answer is shared so long among the entries in flight."""
    gone_proof_seconds: float = 600.0
    search_proof_seconds: float = 24 * 3600.0
    linked_check_seconds: float = 24 * 3600.0
    """A till customer that orders are answered with is read again when it was not for so long: a till may tell nobody that it is gone."""
    stale_rounds: int = 3
    split_requests: int = 40
    """How many requests the splitting of one failed shop batch may cost; what is left then is tried again later."""
    database_retry_seconds: float = 2.0
    own_problem_times: int = 2
    """An entry that has opened its side's problem so often, and each time others closed it, meets a fault of its own."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowServices:
    """One per process. ``database_gone``: exceptions that mean the database cannot be asked now; they charge no attempt."""

    tills: TillGateway
    shops: ShopGateway
    knowledge: TillKnowledgeStore
    intents: IntentStore
    links: LinkReader
    shop_state: ShopStateStore
    order_linker: OrderLinker
    side_history: SideHistory
    windows: SideWindows = field(default_factory=SideWindows)
    settings: FlowSettings = field(default_factory=FlowSettings)
    database_gone: tuple[type[Exception], ...] = ()
    now: Callable[[], datetime] = _utc_now
    clock: Callable[[], float] = time.monotonic
