"""Decides what a restored database takes over from a shop: answers of orders and links that it lost (docs/operating/database.md).

Entry ids order the answers. They are UUIDv7, so a later entry of an order has the greater id, whatever the clock of the shop says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.ids import EntryId, EposCustomerId, EposCustomerTypeId, OrderId, WooCustomerId
from tillsync_server.domain.link import Link

RESTORED_NOTE = "taken over from the shop after the service's database was restored from a backup"
_KEPT_STATES = (EntryState.PROCESSED, EntryState.SKIPPED, EntryState.DISMISSED)
_UUID7 = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopOrder:
    """An order as the shop keeps it, with the service's last answer. ``state`` None: the shop has no answer of the service."""

    order_id: OrderId
    order_key: str
    order_number: str = ""
    entry_id: EntryId | None = None
    state: EntryState | None = None
    outcome: Outcome | None = None
    cause: Outcome | None = None
    notes: tuple[str, ...] = ()
    epos_customer_id: EposCustomerId | None = None
    woo_customer_id: WooCustomerId | None = None
    account_email: str = field(default="", repr=False)
    billing_email: str = field(default="", repr=False)

    @property
    def is_decided(self) -> bool:
        """Whether the answer is final. A failed order is not, because nothing is lost if it is matched again."""
        return self.entry_id is not None and self.state in _KEPT_STATES


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer of an order in the restored database. ``state``: that of its current entry."""

    order_key: str
    entry_id: EntryId
    state: EntryState


class OrderStep(Enum):
    KEEP = auto()
    """The shop has the later, final answer. It is stored, and a live entry of the order ends."""
    ASK_AGAIN = auto()
    """The database lacks the order, and the shop waits for an answer. An event makes the shop send the order again."""
    LOST_REQUEST = auto()
    """The database has a final answer, and a later request to match the order again is lost. A person must repeat it."""
    UNCHANGED = auto()


def order_step(order: ShopOrder, stored: StoredAnswer | None) -> OrderStep:
    """Another ``order_key`` is another order that had the id before."""
    if stored is None or stored.order_key != order.order_key:
        return OrderStep.KEEP if order.is_decided else OrderStep.ASK_AGAIN
    if order.entry_id is None or stored.entry_id > order.entry_id:
        return OrderStep.UNCHANGED
    if order.is_decided:
        return OrderStep.KEEP if stored.entry_id < order.entry_id or stored.state.is_live else OrderStep.UNCHANGED
    is_later = stored.entry_id < order.entry_id
    return OrderStep.LOST_REQUEST if is_later and not stored.state.is_live else OrderStep.UNCHANGED


def entry_time(entry_id: EntryId, otherwise: datetime) -> datetime:
    """Returns the time in a UUIDv7, and ``otherwise`` for another UUID or a later time."""
    if entry_id.version != _UUID7:
        return otherwise
    return min(datetime.fromtimestamp((entry_id.int >> 80) / 1000, UTC), otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopLink:
    """The till customer whose values the shop shows for a user, or that it shows none any more (``is_removed``)."""

    woo_customer_id: WooCustomerId
    epos_customer_id: EposCustomerId | None
    is_removed: bool
    registered_at: datetime | None
    changed_at: datetime


class LinkStep(Enum):
    RESTORE = auto()
    UNLINK = auto()
    """The shop's values were removed after the backup. The link ends, and only a person links the shop customer again."""
    CONFLICT = auto()
    """The database links one of the two to another customer. A person must decide."""
    UNCHANGED = auto()


def link_step(shown: ShopLink, existing: list[Link], *, since: datetime, default_customer: EposCustomerId | None) -> LinkStep:
    """``existing``: the stored links of either customer. ``since``: time of the backup."""
    own = [link for link in existing if link.is_usable and link.woo_customer_id == shown.woo_customer_id]
    if shown.is_removed or shown.epos_customer_id is None:
        return LinkStep.UNLINK if shown.is_removed and own and shown.changed_at >= since else LinkStep.UNCHANGED
    if any(link.epos_customer_id == shown.epos_customer_id for link in own):
        return LinkStep.UNCHANGED
    if shown.epos_customer_id == default_customer or any(link.is_usable for link in existing):
        return LinkStep.CONFLICT
    return LinkStep.RESTORE


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopState:
    """What a shop knows of its account. ``token_hash``: SHA-256 of its token. ``settings``: the account's settings that it saw last, in
    the texts of :func:`site_settings_texts`."""

    token_hash: bytes = field(repr=False)
    settings: Mapping[str, str]
    type_ids: tuple[EposCustomerTypeId, ...]


def site_settings_texts(account: Account) -> dict[str, str]:
    """Returns the settings of an account that its merchant may change, as texts: ``on`` and ``off``, names in small letters, a number."""
    return {
        "customer_sync_enabled": _switch(account.customer_sync_enabled),
        "default_epos_customer_id": str(account.default_epos_customer_id or 0),
        "match_email": account.match_email.name.lower(),
        "guest_policy": account.guest_policy.name.lower(),
        "auto_link": _switch(account.auto_link),
        "sync_names": _switch(account.sync_names),
        "sync_phone": _switch(account.sync_phone),
        "trusted_accounts": account.trusted_accounts.name.lower(),
    }


def _switch(value: bool) -> str:
    return "on" if value else "off"
