"""Lists, reads, creates and deletes links, finds till customers, and resolves orders. These are decisions that only a person can make."""

from __future__ import annotations

from dataclasses import dataclass

from tillsync_server.application.use_cases.page_tokens import PageTokens, coerced_page_size
from tillsync_server.application.use_cases.queue_work import get_entry
from tillsync_server.application.use_cases.till_lookup import DEFAULT_FOUND, MAX_FOUND, CustomerAtTill, CustomersFound, TillLookup
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState
from tillsync_server.domain.errors import FailedPrecondition, FieldViolation, InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.links import LinkedByHand, LinkFilter, LinkReader, LinkWriter, OrderResolved, UnlinkedByHand
from tillsync_server.ports.queues import QueueReader

_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLinks:
    """A page of links. A customer id of 0 means any."""

    account_id: AccountId
    epos_customer_id: int = 0
    woo_customer_id: int = 0
    broken_only: bool = False
    unconfirmed_only: bool = False
    page_size: int = 0
    page_token: str = ""


@dataclass(frozen=True, slots=True)
class LinksPage:
    links: tuple[Link, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkKey:
    """Names a link by one of its customers. Exactly one id is set."""

    account_id: AccountId
    epos_customer_id: int | None = None
    woo_customer_id: int | None = None

    def checked(self) -> tuple[EposCustomerId | None, WooCustomerId | None]:
        if (self.epos_customer_id is None) == (self.woo_customer_id is None):
            raise InvalidArgument.of("customer", "set exactly one of epos_customer_id and woo_customer_id")
        if self.epos_customer_id is not None:
            _require_ids(epos_customer_id=self.epos_customer_id)
            return EposCustomerId(self.epos_customer_id), None
        woo_customer_id = self.woo_customer_id or 0
        _require_ids(woo_customer_id=woo_customer_id)
        return None, WooCustomerId(woo_customer_id)


@dataclass(frozen=True, slots=True)
class Candidates:
    entry: Entry
    customers: tuple[CustomerAtTill, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    entry: Entry
    resolved: OrderResolved


class LinkDecisions:
    def __init__(self, accounts: AccountStore, links: LinkReader, writer: LinkWriter, queues: QueueReader, lookup: TillLookup) -> None:
        self._accounts = accounts
        self._links = links
        self._writer = writer
        self._queues = queues
        self._lookup = lookup

    async def list_links(self, command: ListLinks) -> LinksPage:
        _require_ids(least=0, epos_customer_id=command.epos_customer_id, woo_customer_id=command.woo_customer_id)
        limit = coerced_page_size(command.page_size)
        link_filter = LinkFilter(
            epos_customer_id=EposCustomerId(command.epos_customer_id) if command.epos_customer_id else None,
            woo_customer_id=WooCustomerId(command.woo_customer_id) if command.woo_customer_id else None,
            broken_only=command.broken_only,
            unconfirmed_only=command.unconfirmed_only,
        )
        named = (
            link_filter.epos_customer_id,
            link_filter.woo_customer_id,
            link_filter.broken_only,
            *(["unconfirmed"] if link_filter.unconfirmed_only else []),
        )
        tokens = PageTokens("page_token", command.account_id, *named)
        after = tokens.read_int(command.page_token)
        found = await self._links.list_links(
            command.account_id, link_filter, after=None if after is None else EposCustomerId(after), limit=limit + 1
        )
        if not found:
            await self._accounts.get(command.account_id)
        page = tuple(found[:limit])
        return LinksPage(page, tokens.make(page[-1].epos_customer_id) if len(found) > limit else "")

    async def get_link(self, named: LinkKey) -> Link:
        """Raises NotFound."""
        epos_customer_id, woo_customer_id = named.checked()
        link: Link | None = None
        if epos_customer_id is not None:
            link = (await self._links.by_epos(named.account_id, [epos_customer_id])).get(epos_customer_id)
        elif woo_customer_id is not None:
            link = await self._links.by_woo(named.account_id, woo_customer_id)
        if link is None:
            await self._accounts.get(named.account_id)
            raise NotFound("this customer is not linked", reason="LINK_NOT_FOUND")
        return link

    async def create_link(self, account_id: AccountId, epos_customer_id: int, woo_customer_id: int) -> LinkedByHand:
        """Creates a link by hand. It asks neither side. The refresh that it enqueues reports a missing customer."""
        _require_ids(epos_customer_id=epos_customer_id, woo_customer_id=woo_customer_id)
        return await self._writer.create(account_id, EposCustomerId(epos_customer_id), WooCustomerId(woo_customer_id))

    async def delete_link(self, named: LinkKey) -> UnlinkedByHand:
        epos_customer_id, woo_customer_id = named.checked()
        return await self._writer.delete(named.account_id, epos_customer_id=epos_customer_id, woo_customer_id=woo_customer_id)

    async def candidates(self, account_id: AccountId, entry_id: str) -> Candidates:
        """Reads the candidates of a held order from the till."""
        entry = await self._order(account_id, entry_id)
        _require_state(entry, EntryState.HELD)
        return Candidates(entry, tuple(await self._lookup.read(account_id, entry.candidate_ids)))

    async def search(self, account_id: AccountId, query: str, page_size: int) -> CustomersFound:
        return await self._lookup.search(account_id, query, coerced_page_size(page_size, default=DEFAULT_FOUND, max_size=MAX_FOUND))

    async def resolve_order(self, account_id: AccountId, entry_id: str, epos_customer_id: int, *, create_link: bool) -> Resolution:
        """Decides the till customer of an order. Raises NotFound (EPOS_CUSTOMER_NOT_FOUND) if the till has no such customer, because no
        order can be booked on it. A repeated decision gets the first answer, without a request to the till."""
        _require_ids(epos_customer_id=epos_customer_id)
        # This check is before the request to the till. The writer checks again under the lane's lock, and that check decides.
        entry = await self._order(account_id, entry_id)
        chosen = EposCustomerId(epos_customer_id)
        resolved: OrderResolved | None = None
        if entry.state is not EntryState.HELD:
            resolved = await self._writer.resolved_before(account_id, entry.entry_id, chosen, create_link=create_link)
        if resolved is None:
            _require_state(entry, EntryState.HELD, EntryState.FAILED)
            if create_link and entry.woo_customer_id is None:
                raise FailedPrecondition("this is a guest's order: a guest cannot be linked", reason="GUEST_CANNOT_BE_LINKED")
            if not await self._lookup.read(account_id, [chosen]):
                raise NotFound(f"Epos Now has no customer {chosen}: choose another", reason="EPOS_CUSTOMER_NOT_FOUND")
            resolved = await self._writer.resolve_order(account_id, entry.entry_id, chosen, create_link=create_link)
        return Resolution(await get_entry(self._queues, account_id, str(resolved.entry_id), with_attempts=False), resolved)

    async def _order(self, account_id: AccountId, entry_id: str) -> Entry:
        entry = await get_entry(self._queues, account_id, entry_id, with_attempts=False)
        if entry.kind is not EntryKind.ORDER_CUSTOMER:
            raise FailedPrecondition("this entry is not an order", reason="NOT_AN_ORDER")
        return entry


def _require_state(entry: Entry, *states: EntryState) -> None:
    if entry.state not in states:
        names = " or ".join(state.name for state in states)
        raise FailedPrecondition(f"the order is {entry.state.name}, not {names}", reason="ORDER_NOT_HELD")


def _require_ids(*, least: int = 1, **ids: int) -> None:
    remedy = "must be greater than 0" if least else "must be greater than 0; leave it out for any"
    wrong = [FieldViolation(field, remedy) for field, value in ids.items() if not least <= value <= _MAX_ID]
    if wrong:
        raise InvalidArgument(wrong)
