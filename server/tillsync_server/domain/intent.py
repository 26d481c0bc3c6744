"""A create intent reserves one email at one till. It is committed before the till customer is created."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId


class IntentState(IntEnum):
    OPEN = 1
    """The intent is committed. The create request may be under way."""
    UNKNOWN = 2
    """The create had no readable answer. The till may have the customer, or may still store it until ``settled_at``."""
    DONE = 3
    """The customer exists. ``epos_customer_id`` is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    till_id: TillId
    email: str
    """Normalised. Together with ``till_id`` it is the key."""
    state: IntentState
    account_id: AccountId
    epos_customer_id: EposCustomerId | None
    settled_at: datetime
    """From this time on the till no longer stores a late create. A flow then searches again before it creates."""
    create_time: datetime
    read_at: datetime
    """Database time of this read. ``settled_at`` is compared only with it, because the clocks of hosts differ."""

    @property
    def is_settled(self) -> bool:
        return self.read_at >= self.settled_at
