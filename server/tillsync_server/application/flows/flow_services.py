"""The ports and settings that all flows use."""

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
"""Default settle time: lease + till timeout + 60 s. The till may store an unanswered create so long after its intent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """Settings of the flows. Units are in the names."""

    settle_seconds: float = DEFAULT_SETTLE_SECONDS
    live_gather_seconds: float = 0.05
    """Longest time that a LIVE shop write waits for pending writes. It does not wait when none is pending."""
    bulk_gather_seconds: float = 5.0
    bulk_quiet_seconds: float = 0.25
    """Quiet time of the lane, without a read or write, after which a BULK write is sent early, because no other write will join it."""
    till_concurrency: int = 8
    """Till requests of one lane under way at once, for each kind of work."""
    page_concurrency: int = 3
    crowd: int = 32
    """Fewest waiting customers for which reading list pages is considered."""
    crowd_gather_seconds: float = 0.1
    """Pause after the last arriving read before the reader decides between list pages and single reads."""
    crowd_gather_limit_seconds: float = 1.0
    page_delivery_seconds: float = 1.0
    """Longest time that customers found on a list page wait for other pages of the scan. Their shop writes then share a request."""
    probe_reuse_seconds: float = 3.0
    """How long the entries in flight share the answer of a probe."""
    gone_proof_seconds: float = 600.0
    search_proof_seconds: float = 24 * 3600.0
    restored_list_seconds: float = 3600.0
    """Time after a restore of the database in which only the whole list proves that the till has no customer with an email."""
    linked_check_seconds: float = 24 * 3600.0
    """Age of the last read after which a till customer that answers orders is read again, because a till may report no deletion."""
    stale_rounds: int = 3
    split_requests: int = 40
    """Most requests for splitting one failed shop batch. The writes left over are sent again later."""
    database_retry_seconds: float = 2.0
    own_problem_times: int = 2
    """Number of times that an entry opens a problem which other entries then close. After it the fault is the entry's own."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowServices:
    """One per process. ``database_gone``: exceptions that mean that the database is unreachable. They charge no attempt."""

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
