"""The ports of the use cases that people call (queues, links, accounts, tokens) in memory. What is asked is kept in ``calls``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from tillsync_server.domain.account import Account, Problem
from tillsync_server.domain.customer import TillCustomer, TillCustomerType
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.errors import Aborted, AlreadyExists, Missing, NotFound, UpstreamError
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, TillId, WooCustomerId, new_entry_id
from tillsync_server.domain.vocabulary import EntryKind, EntryState, Outcome, Priority, Queue, Side
from tillsync_server.ports.accounts import AccountChange, SettingsEffect, Token
from tillsync_server.ports.links import Link, LinkedByHand, LinkFilter, LinkOrigin, OrderResolved, UnlinkedByHand
from tillsync_server.ports.queues import Acted, ActedOn, QueueFilter, QueueSlice
from tillsync_server.ports.shop import ShopStatus
from tillsync_server.ports.till import CustomerPage, EmailSearch, NameSearch

SHOP = AccountId("shop-a")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def an_entry(
    *,
    state: EntryState = EntryState.HELD,
    kind: EntryKind = EntryKind.ORDER_CUSTOMER,
    subject_id: int = 1042,
    woo_customer_id: int | None = 12,
    candidates: Sequence[int] = (),
    outcome: Outcome | None = Outcome.DUPLICATE_EMAIL,
    account_id: AccountId = SHOP,
) -> Entry:
    return Entry(
        account_id=account_id,
        entry_id=new_entry_id(),
        kind=kind,
        subject_id=subject_id,
        state=state,
        priority=Priority.LIVE,
        entry_revision=1,
        outcome=outcome,
        comment="",
        causes=(),
        notes=(),
        attempt_count=1,
        coalesced_count=0,
        next_attempt_time=None,
        create_time=NOW,
        update_time=NOW,
        woo_customer_id=None if woo_customer_id is None else WooCustomerId(woo_customer_id),
        candidate_ids=tuple(EposCustomerId(each) for each in candidates),
    )


@dataclass
class FakeQueues:
    """QueueReader and QueueActions over one dictionary. Retry of a finished entry makes a successor."""

    entries: dict[EntryId, Entry] = field(default_factory=dict)
    accounts: set[AccountId] = field(default_factory=lambda: {SHOP})
    counts: dict[EntryState, int] = field(default_factory=dict)
    open_problem: Problem | None = None
    calls: list[tuple[str, int]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def add(self, *entries: Entry) -> None:
        self.entries.update((entry.entry_id, entry) for entry in entries)

    def _require(self, account_id: AccountId) -> None:
        if account_id not in self.accounts:
            raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")

    async def list_entries(self, wanted: QueueFilter, *, before: EntryId | None, limit: int, with_attempts: bool) -> QueueSlice:
        self.calls.append(("list", limit))
        found = [
            entry
            for entry_id, entry in sorted(self.entries.items(), reverse=True)
            if entry.account_id == wanted.account_id
            and entry.queue is wanted.queue
            and (before is None or entry_id < before)
            and (not wanted.states or entry.state in wanted.states)
            and (not wanted.outcomes or entry.outcome in wanted.outcomes)
        ]
        page = tuple(found[:limit])
        return QueueSlice(page, page[-1].entry_id if len(found) > limit else None)

    async def get(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, with_attempts: bool) -> dict[EntryId, Entry]:
        self.calls.append(("get", len(entry_ids)))
        found = ((entry_id, self.entries.get(entry_id)) for entry_id in entry_ids)
        return {entry_id: entry for entry_id, entry in found if entry is not None and entry.account_id == account_id}

    async def state_counts(self, account_id: AccountId, queue: Queue) -> dict[EntryState, int]:
        self.calls.append(("counts", 0))
        return self.counts

    async def problem(self, account_id: AccountId) -> Problem | None:
        self._require(account_id)
        return self.open_problem

    async def entries_of_subject(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, order_id: OrderId | None = None, limit: int = 20
    ) -> list[Entry]:
        raise AssertionError("nobody here asks this")

    async def retry(self, account_id: AccountId, entry_ids: Sequence[EntryId], *, dry_run: bool = False) -> list[ActedOn]:
        self._require(account_id)
        self.calls.append(("retry", len(entry_ids)))
        return [self._retry(account_id, entry_id, dry_run) for entry_id in entry_ids]

    def _retry(self, account_id: AccountId, entry_id: EntryId, dry_run: bool) -> ActedOn:
        entry = self.entries.get(entry_id)
        if entry is None or entry.account_id != account_id:
            return ActedOn(Acted.MISSING, entry_id, None)
        if entry.kind is EntryKind.ORDER_CUSTOMER and entry.state is EntryState.PROCESSED:
            return ActedOn(Acted.UNCHANGED, entry_id, entry.state)
        if entry.state.is_live:
            if not dry_run:
                self.entries[entry_id] = replace(entry, state=EntryState.PENDING)
            return ActedOn(Acted.DONE, entry_id, entry.state)
        live = next((each for each in self.entries.values() if each.subject_id == entry.subject_id and each.state.is_live), None)
        if live is not None:
            return ActedOn(Acted.JOINED, live.entry_id, entry.state)
        if dry_run:
            return ActedOn(Acted.DONE, entry_id, entry.state)
        successor = replace(entry, entry_id=new_entry_id(), state=EntryState.PENDING, retried_from=entry_id)
        self.add(successor)
        return ActedOn(Acted.DONE, successor.entry_id, entry.state)

    async def dismiss(self, account_id: AccountId, entry_ids: Sequence[EntryId], reason: str, *, dry_run: bool = False) -> list[ActedOn]:
        self._require(account_id)
        self.calls.append(("dismiss", len(entry_ids)))
        self.reasons.append(reason)
        results = []
        for entry_id in entry_ids:
            entry = self.entries.get(entry_id)
            if entry is None:
                results.append(ActedOn(Acted.MISSING, entry_id, None))
            elif entry.state in (EntryState.PENDING, EntryState.HELD, EntryState.FAILED):
                if not dry_run:
                    self.entries[entry_id] = replace(entry, state=EntryState.DISMISSED, notes=(reason,))
                results.append(ActedOn(Acted.DONE, entry_id, entry.state))
            else:
                results.append(ActedOn(Acted.UNCHANGED, entry_id, entry.state))
        return results


@dataclass
class FakeAccounts:
    """AccountStore and TillCustomersSeen."""

    accounts: dict[AccountId, Account] = field(default_factory=dict)
    effect: SettingsEffect = field(default_factory=SettingsEffect)
    seen: dict[TillId, frozenset[EposCustomerId]] = field(default_factory=dict)

    def add(self, account: Account) -> Account:
        self.accounts[account.account_id] = account
        return account

    async def create(self, account: Account) -> Account:
        if account.account_id in self.accounts:
            raise AlreadyExists("it exists already", reason="ACCOUNT_EXISTS")
        return self.add(account)

    async def get(self, account_id: AccountId) -> Account:
        if account_id not in self.accounts:
            raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
        return self.accounts[account_id]

    async def list_accounts(self, *, after: AccountId | None, limit: int) -> list[Account]:
        return [self.accounts[key] for key in sorted(self.accounts) if after is None or key > after][:limit]

    async def update(
        self, account_id: AccountId, change: Callable[[Account], Account], *, etag: str = "", dry_run: bool = False
    ) -> AccountChange:
        before = await self.get(account_id)
        if etag and etag != before.etag:
            raise Aborted("read it again")
        after = change(before)
        if after != before and not dry_run:
            self.add(replace(after, config_version=before.config_version + 1))
        return AccountChange(account=self.accounts[account_id], effect=self.effect)

    async def side_works(self, account_id: AccountId, side: Side, *, config_version: int) -> bool:
        account = await self.get(account_id)
        if account.problem is None or account.problem.side is not side or account.config_version != config_version:
            return False
        self.add(replace(account, problem=None))
        return True

    async def accounts_of_till(self, till_id: TillId) -> Sequence[AccountId]:
        return [account.account_id for account in self.accounts.values() if account.till_id == till_id]

    async def note_customer_ids(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None:
        self.seen[till_id] = frozenset(customer_ids)

    async def tills_with_same_customers(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> list[TillId]:
        return [other for other, ids in self.seen.items() if other != till_id and ids & set(customer_ids)]


@dataclass
class FakeTokens:
    tokens: dict[str, Token] = field(default_factory=dict)
    hashes: dict[bytes, str] = field(default_factory=dict)

    async def create(self, token: Token, secret_hash: bytes) -> Token:
        self.tokens[token.token_id] = token
        self.hashes[secret_hash] = token.token_id
        return token

    async def by_hash(self, secret_hash: bytes) -> Token | None:
        token_id = self.hashes.get(secret_hash)
        return None if token_id is None else self.tokens[token_id]

    async def list_tokens(self, account_id: AccountId | None, *, after: str, limit: int) -> list[Token]:
        return [token for key, token in sorted(self.tokens.items()) if token.account_id == account_id and key > after][:limit]

    async def revoke(self, account_id: AccountId | None, token_id: str) -> Token:
        token = self.tokens.get(token_id)
        if token is None or token.account_id != account_id:
            raise NotFound("no such token", reason="TOKEN_NOT_FOUND")
        self.tokens[token_id] = replace(token, revoke_time=token.revoke_time or NOW)
        return self.tokens[token_id]

    async def note_used(self, token_ids: Sequence[str]) -> None:
        raise AssertionError("nobody here uses tokens")


@dataclass
class FakeLinks:
    """LinkReader and LinkKeeper. ``released``: held orders that run again."""

    links: dict[EposCustomerId, Link] = field(default_factory=dict)
    released: int = 0
    resolutions: list[tuple[EntryId, EposCustomerId, bool]] = field(default_factory=list)

    def add(self, epos_customer_id: int, woo_customer_id: int, *, gone: bool = False) -> Link:
        link = Link(
            account_id=SHOP,
            epos_customer_id=EposCustomerId(epos_customer_id),
            woo_customer_id=WooCustomerId(woo_customer_id),
            origin=LinkOrigin.BY_HAND,
            create_time=NOW,
            epos_gone_at=NOW + timedelta(days=1) if gone else None,
        )
        self.links[link.epos_customer_id] = link
        return link

    async def by_epos(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, Link]:
        return {each: self.links[each] for each in ids if each in self.links}

    async def by_woo(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> Link | None:
        return next((link for link in self.links.values() if link.woo_customer_id == woo_customer_id), None)

    async def list_links(self, account_id: AccountId, wanted: LinkFilter, *, after: EposCustomerId | None, limit: int) -> list[Link]:
        found = [link for key, link in sorted(self.links.items()) if (after is None or key > after) and link.account_id == account_id]
        return [link for link in found if not (wanted.broken_only and link.is_usable)][:limit]

    async def is_marked_do_not_auto_link(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> bool:
        return False

    async def create(self, account_id: AccountId, epos_customer_id: EposCustomerId, woo_customer_id: WooCustomerId) -> LinkedByHand:
        link = self.add(epos_customer_id, woo_customer_id)
        return LinkedByHand(link=link, refresh_entry_id=new_entry_id(), released_order_entries=self.released)

    async def delete(
        self, account_id: AccountId, *, epos_customer_id: EposCustomerId | None = None, woo_customer_id: WooCustomerId | None = None
    ) -> UnlinkedByHand:
        for link in list(self.links.values()):
            if epos_customer_id == link.epos_customer_id or woo_customer_id == link.woo_customer_id:
                del self.links[link.epos_customer_id]
                return UnlinkedByHand(link=link, removal_entry_id=new_entry_id())
        raise NotFound("not linked", reason="LINK_NOT_FOUND")

    async def resolve_order(
        self, account_id: AccountId, entry_id: EntryId, epos_customer_id: EposCustomerId, *, create_link: bool
    ) -> OrderResolved:
        self.resolutions.append((entry_id, epos_customer_id, create_link))
        return OrderResolved(entry_id=entry_id, link=None, released_order_entries=self.released)


@dataclass
class DeskTill:
    """TillClient for people: reads, lists, searches. ``faults``: what the next call of a method raises."""

    customers: dict[EposCustomerId, TillCustomer] = field(default_factory=dict)
    types: list[TillCustomerType] = field(default_factory=list)
    faults: dict[str, UpstreamError] = field(default_factory=dict)
    ignores_email: bool = False
    ignores_names: bool = False
    tells_capitals_apart: bool = False
    finds_nothing: bool = False
    calls: list[tuple[str, object]] = field(default_factory=list)

    def add(self, customer_id: int, email: str = "", forename: str = "Ada", surname: str = "Byron") -> None:
        key = EposCustomerId(customer_id)
        self.customers[key] = TillCustomer(epos_customer_id=key, forename=forename, surname=surname, email=email)

    def client(self, account: Account) -> DeskTill:
        return self

    async def close(self) -> None:
        return None

    def _called(self, method: str, argument: object = None) -> None:
        self.calls.append((method, argument))
        if method in self.faults:
            raise self.faults[method]

    async def probe(self) -> None:
        self._called("probe")

    async def read_customer(self, customer_id: EposCustomerId) -> TillCustomer:
        self._called("read_customer", customer_id)
        if customer_id not in self.customers:
            raise Missing(Side.TILL, "not found in Epos Now", status=404)
        return self.customers[customer_id]

    async def list_customers(self, page: int) -> CustomerPage:
        self._called("list_customers", page)
        return CustomerPage(tuple(self.customers[key] for key in sorted(self.customers)), page)

    async def search_by_email(self, text: str) -> EmailSearch:
        self._called("search_by_email", text)
        everybody = tuple(self.customers.values())
        if self.ignores_email:
            return EmailSearch(text, everybody, filter_ignored=True)
        fold = str if self.tells_capitals_apart else str.casefold
        rows = () if self.finds_nothing else tuple(each for each in everybody if fold(text) in fold(each.email))
        return EmailSearch(text, rows, filter_ignored=False)

    async def search_by_name(self, text: str, *, limit: int) -> NameSearch:
        self._called("search_by_name", text)
        if self.ignores_names:
            return NameSearch(text, (), filter_ignored=True, truncated=False)
        wanted = text.casefold()
        rows = tuple(each for each in self.customers.values() if wanted in (each.surname.casefold(), each.forename.casefold()))
        return NameSearch(text, rows[: limit + 1], filter_ignored=False, truncated=len(rows) > limit)

    async def list_customer_types(self) -> Sequence[TillCustomerType]:
        self._called("list_customer_types")
        return self.types


@dataclass
class DeskShop:
    """ShopClient for a check."""

    home_url: str = "https://shop.example.test"
    faults: dict[str, UpstreamError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def client(self, account: Account) -> DeskShop:
        return self

    async def close(self) -> None:
        return None

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if method in self.faults:
            raise self.faults[method]

    async def status(self) -> ShopStatus:
        self._called("status")
        return ShopStatus(bridge_version="1.0.0", home_url=self.home_url, wordpress="6.9", woocommerce="10.5", max_batch=500)

    async def probe(self) -> None:
        self._called("probe")

    async def check_access(self) -> None:
        self._called("check_access")


@dataclass
class NotedKnowledge:
    """What CheckAccount notes in TillKnowledgeStore."""

    notes: list[str] = field(default_factory=list)

    async def note_customers_read(self, till_id: TillId, configuration: str, *, last_page: int | None = None) -> None:
        self.notes.append("customers_read")

    async def note_types_read(self, till_id: TillId, configuration: str) -> None:
        self.notes.append("types_read")
