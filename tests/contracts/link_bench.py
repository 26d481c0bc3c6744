"""What the contract suites of ``ports/links.py`` need beside the ports: links and orders made and shown in one way everywhere."""

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
    """The customer entry that a link queued."""

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
        """In the place of the link that the till customer has."""
        ...

    async def break_link(self, epos: int) -> None:
        """Its till customer is gone."""
        ...

    async def mend_link(self, epos: int) -> None:
        """Another link of the same two customers: made later, and usable."""
        ...

    async def mark(self, woo: int) -> None: ...

    async def want_removal(self, epos: int, woo: int) -> None: ...

    async def set_default_customer(self, epos: int) -> None: ...

    async def config_version(self) -> int: ...

    async def change_settings(self) -> None:
        """As any change of settings: config_version and update_time move on."""
        ...

    async def settings_time(self) -> datetime: ...

    async def database_now(self) -> datetime: ...

    async def lease(self) -> LaneLease:
        """Of SHOP's lane; taken once."""
        ...

    async def take_over(self) -> LaneLease:
        """The lease ran out, and another process has SHOP's lane."""
        ...

    async def order(self, order_id: int, *, woo: int | None = 12, email: str = "ada@example.test", epos: int | None = None) -> EntryId:
        """Waits to run. ``epos``: the till customer of its last attempt."""
        ...

    async def ended(self, order_id: int, verdict: Verdict, *, woo: int | None = 12, email: str = "ada@example.test") -> EntryId:
        """An order that ran and was held, or failed."""
        ...

    async def claim(self, order_id: int) -> ClaimedEntry: ...

    async def new_facts(self, order_id: int, *, woo: int | None = 12) -> None:
        """The order comes again with another email."""
        ...

    async def dismiss(self, entry_id: EntryId) -> None: ...

    async def states(self, entry_ids: list[EntryId]) -> list[EntryState]: ...

    async def revision(self, entry_id: EntryId) -> int: ...

    async def chosen(self, entry_id: EntryId) -> int | None: ...

    async def retried_from(self, entry_id: EntryId) -> EntryId | None: ...

    async def refresh(self, epos: int) -> Refresh | None: ...

    async def is_queued(self, epos: int) -> bool:
        """A customer entry of this till customer waits, whatever queued it."""
        ...

    async def hint(self, epos: int) -> EntryId:
        """A customer entry that is no link's doing."""
        ...


async def pairs(bench: LinkBench) -> set[tuple[int, int]]:
    links = await bench.reader.list_links(SHOP, LinkFilter(), after=None, limit=1000)
    return {(each.epos_customer_id, each.woo_customer_id) for each in links}


async def held(bench: LinkBench, *order_ids: int, woo: int | None = 12, email: str = "ada@example.test") -> list[EntryId]:
    """Orders that wait for a person, in order of arrival."""
    return [await bench.ended(order_id, HELD_DUPLICATE, woo=woo, email=email) for order_id in order_ids]


async def link_of(bench: LinkBench, epos: int) -> Link:
    return (await bench.reader.by_epos(SHOP, [EposCustomerId(epos)]))[EposCustomerId(epos)]
