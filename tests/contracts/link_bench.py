"""The interface of the contract suites of ``ports/links.py`` for making and reading links and orders on each implementation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from fakes.queues import SHOP
from support.links import (
    HELD_DUPLICATE,
)
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId
from tillsync_server.domain.link import Link
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.links import LinkFilter, LinkReader, LinkWriter, OrderLinker, ShopStateStore

OTHER = AccountId("shop-b")
FAILED = Verdict.failed(Outcome.CUSTOMER_NOT_MATCHED, "refused field: EmailAddress")
HELD_PRODUCT = Verdict.held(Outcome.PRODUCT_NOT_MATCHED, "1 product has no link")
AN_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Refresh:
    """The customer entry queued by a link."""

    entry_id: EntryId
    revision: int
    is_pending: bool


class LinkBench(Protocol):
    """The accounts ``shop-a`` (SHOP) and ``shop-b``."""

    @property
    def reader(self) -> LinkReader: ...

    @property
    def linker(self) -> OrderLinker: ...

    @property
    def writer(self) -> LinkWriter: ...

    @property
    def shop(self) -> ShopStateStore: ...

    async def put_link(self, epos: int, woo: int, *, account_id: AccountId = SHOP, epos_gone: bool = False, woo_gone: bool = False) -> None:
        """Stores a link in place of the till customer's present one."""
        ...

    async def break_link(self, epos: int) -> None:
        """Marks the link's till customer as deleted."""
        ...

    async def renew_link(self, epos: int) -> None:
        """Makes a later, usable link of the same two customers."""
        ...

    async def mark(self, woo: int) -> None: ...

    async def want_removal(self, epos: int, woo: int) -> None: ...

    async def set_default_customer(self, epos: int) -> None: ...

    async def config_version(self) -> int: ...

    async def change_settings(self) -> None:
        """Changes a setting, so that config_version and update_time rise."""
        ...

    async def settings_time(self) -> datetime: ...

    async def database_now(self) -> datetime: ...

    async def lease(self) -> LaneLease:
        """The lease of SHOP's lane, which is leased once."""
        ...

    async def take_over(self) -> LaneLease:
        """Lets the lease expire and another process lease SHOP's lane."""
        ...

    async def order(self, order_id: int, *, woo: int | None = 12, email: str = "ada@example.test", epos: int | None = None) -> EntryId:
        """Stores a pending order. ``epos`` is the till customer of its last attempt."""
        ...

    async def ended(self, order_id: int, verdict: Verdict, *, woo: int | None = 12, email: str = "ada@example.test") -> EntryId:
        """Stores an order that ran and was held or failed."""
        ...

    async def claim(self, order_id: int) -> ClaimedEntry: ...

    async def new_facts(self, order_id: int, *, woo: int | None = 12) -> None:
        """Stores the order again with another email."""
        ...

    async def dismiss(self, entry_id: EntryId) -> None: ...

    async def states(self, entry_ids: list[EntryId]) -> list[EntryState]: ...

    async def revision(self, entry_id: EntryId) -> int: ...

    async def chosen(self, entry_id: EntryId) -> int | None: ...

    async def retried_from(self, entry_id: EntryId) -> EntryId | None: ...

    async def refresh(self, epos: int) -> Refresh | None: ...

    async def is_queued(self, epos: int) -> bool:
        """Whether a customer entry of this till customer is pending, queued by any cause."""
        ...

    async def hint(self, epos: int) -> EntryId:
        """Queues a customer entry without a link."""
        ...


async def pairs(bench: LinkBench) -> set[tuple[int, int]]:
    links = await bench.reader.list_links(SHOP, LinkFilter(), after=None, limit=1000)
    return {(each.epos_customer_id, each.woo_customer_id) for each in links}


async def held(bench: LinkBench, *order_ids: int, woo: int | None = 12, email: str = "ada@example.test") -> list[EntryId]:
    """Held orders in order of arrival."""
    return [await bench.ended(order_id, HELD_DUPLICATE, woo=woo, email=email) for order_id in order_ids]


async def link_of(bench: LinkBench, epos: int) -> Link:
    return (await bench.reader.by_epos(SHOP, [EposCustomerId(epos)]))[EposCustomerId(epos)]
