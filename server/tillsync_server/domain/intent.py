"""A create intent: the claim on a till and an email that is committed before a till customer is created."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId


class IntentState(IntEnum):
    OPEN = 1
    """Committed; the create may be on its way (until ``sent_deadline``)."""
    UNKNOWN = 2
    """The create was not answered readably; the till may hold the customer, or still store it, until ``settled_at``."""
    DONE = 3
    """The id is known: ``epos_customer_id``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    till_id: TillId
    email: str
    """Normalised: with the till the key."""
    state: IntentState
    account_id: AccountId
    epos_customer_id: EposCustomerId | None
    settled_at: datetime
    """From then on the till can no longer surprise us: search again, and only then create."""
    create_time: datetime
    read_at: datetime
    """Database time when this was read. Only it is compared with ``settled_at``: hosts' clocks differ."""

    @property
    def is_settled(self) -> bool:
        return self.read_at >= self.settled_at
