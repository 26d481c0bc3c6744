"""A link joins one till customer to one shop customer of an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tillsync_server.domain.enums import LinkGround, StoredCode
from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId


class LinkOrigin(StoredCode):
    MATCHED_EMAIL = 1
    CREATED = 2
    BY_HAND = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    account_id: AccountId
    epos_customer_id: EposCustomerId
    woo_customer_id: WooCustomerId
    origin: LinkOrigin
    create_time: datetime
    content_hash: bytes | None = None
    """Hash of the values that the shop confirmed. None: unknown, so the next run writes."""
    hash_lapses: int = 0
    """The lane's lapse count when the hash was stored. A hash from before a lapse is ignored."""
    as_of: datetime | None = None
    """Time of the till read that returned the present values."""
    epos_gone_at: datetime | None = None
    woo_gone_at: datetime | None = None
    woo_registered_at: datetime | None = None
    """When the shop user registered. User id and registration time together identify the person. None: not reported yet."""
    epos_read_at: datetime | None = None
    """Time of the last till read of the customer that returned no new values."""
    ground: LinkGround = LinkGround.NOT_KEPT

    @property
    def is_usable(self) -> bool:
        return self.epos_gone_at is None and self.woo_gone_at is None

    @property
    def last_read_at(self) -> datetime:
        """The last time at which the till is known to have had the customer."""
        return max(each for each in (self.create_time, self.as_of, self.epos_read_at) if each is not None)
