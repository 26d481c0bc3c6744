"""What a restored database takes over from the shops. Implemented by ``adapters/postgres`` and ``adapters/woo``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import AccountId, EposCustomerTypeId, OrderId, WooCustomerId
from tillsync_server.domain.restored import ShopLink, ShopOrder, ShopState


@dataclass(frozen=True, slots=True)
class ShopOrders:
    """A page of orders, ascending. ``next_after``: the id to read on from; None after the last page."""

    orders: tuple[ShopOrder, ...]
    next_after: OrderId | None


@dataclass(frozen=True, slots=True)
class ShopLinks:
    """A page of users, ascending. ``next_after`` as in :class:`ShopOrders`."""

    links: tuple[ShopLink, ...]
    next_after: WooCustomerId | None


class ShopHistory(Protocol):
    """What one shop stored since a time of its own clock. Every method raises UpstreamError, and Refused if the bridge is too old."""

    async def orders_since(self, since: datetime, *, after: OrderId | None) -> ShopOrders:
        """Orders that the service answered or accepted since, and all that wait for an answer."""
        ...

    async def links_since(self, since: datetime, *, after: WooCustomerId | None) -> ShopLinks:
        """Users whose till customer has changed since."""
        ...

    async def state(self) -> ShopState: ...


class ShopHistories(Protocol):
    def history(self, account: Account) -> ShopHistory:
        """Returns the history of an account whose shop has a bridge."""
        ...


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore after which the shops were not asked yet. ``since``: time of the backup, None if it is not known."""

    restored_at: datetime
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersTaken:
    kept: int = 0
    asked_again: int = 0
    lost_requests: tuple[OrderId, ...] = ()

    def __add__(self, other: OrdersTaken) -> OrdersTaken:
        return OrdersTaken(
            kept=self.kept + other.kept,
            asked_again=self.asked_again + other.asked_again,
            lost_requests=self.lost_requests + other.lost_requests,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksTaken:
    restored: int = 0
    unlinked: tuple[WooCustomerId, ...] = ()
    conflicts: tuple[ShopLink, ...] = ()

    def __add__(self, other: LinksTaken) -> LinksTaken:
        return LinksTaken(
            restored=self.restored + other.restored,
            unlinked=self.unlinked + other.unlinked,
            conflicts=self.conflicts + other.conflicts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Linked customers and known types that are queued to be read again. Both 0 while sync is off."""

    customers: int
    types: int


class RestoreStore(Protocol):
    """Repairs a restored database. Each method that names an account is one transaction under its lane's lock, may be repeated, and with
    ``dry_run`` returns the same and changes nothing. It raises Refused for rows of a shop that cannot be stored."""

    async def pending(self) -> Restore | None: ...

    async def begin(self, since: datetime) -> Restore:
        """Stores a restore if none is pending. Forgets what is known of the tills, and delays creates there (``TillKnowledge``)."""
        ...

    async def done_accounts(self) -> set[AccountId]: ...

    async def take_orders(self, account_id: AccountId, orders: Sequence[ShopOrder], *, dry_run: bool) -> OrdersTaken: ...

    async def take_links(self, account_id: AccountId, links: Sequence[ShopLink], *, since: datetime, dry_run: bool) -> LinksTaken: ...

    async def queue_all(self, account_id: AccountId, type_ids: Sequence[EposCustomerTypeId], *, dry_run: bool) -> Queued:
        """Forgets which values the shop holds, and queues all linked customers, known types and ``type_ids`` at BULK."""
        ...

    async def complete(self, account_id: AccountId) -> None: ...

    async def end(self) -> bool:
        """Ends the pending restore, so that the service may start. Returns whether there was one."""
        ...
