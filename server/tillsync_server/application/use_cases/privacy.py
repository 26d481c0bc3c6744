"""Exports and erases everything that is stored about one person, for WordPress' personal data tools."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace

import structlog

from tillsync_server.application.use_cases.page_tokens import PageTokens, coerced_page_size
from tillsync_server.application.use_cases.person_resolution import (
    Alias,
    PersonKeys,
    PersonResolver,
    ResolvedPerson,
    SideNotAsked,
    checked_email,
)
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import FailedPrecondition, InvalidArgument
from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.privacy import ErasureResult, Person, PersonCategory, PersonRecord, PrivacyStore, Retention, Sealer

REMOVAL_SECONDS = 5.0
"""Time for which an erasure waits until the shop has removed the service's values."""
_POLL_SECONDS = 0.2
_MAX_TOKEN_LENGTH = 8192
_LOG = structlog.get_logger(__name__)
_CATEGORIES = tuple(PersonCategory)
_SWITCHED_OFF = (
    "Points, credit and type that tillsync wrote are still in the shop, and customer sync is switched off: switch it on, so that they are "
    "removed, or remove them in the shop."
)


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """A page of records. Only the first page has ``also_known_as`` and ``sides_not_asked``."""

    records: tuple[PersonRecord, ...]
    next_page_token: str
    also_known_as: tuple[Alias, ...] = ()
    sides_not_asked: tuple[SideNotAsked, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonErasure:
    erased: ErasureResult
    also_known_as: tuple[Alias, ...] = ()
    sides_not_asked: tuple[SideNotAsked, ...] = ()


class Privacy:
    """Exports and erases. ``removal_seconds``: time for which an erasure waits for the shop."""

    def __init__(
        self,
        store: PrivacyStore,
        accounts: AccountStore,
        resolver: PersonResolver,
        sealer: Sealer,
        *,
        removal_seconds: float = REMOVAL_SECONDS,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._resolver = resolver
        self._sealer = sealer
        self._removal_seconds = removal_seconds

    async def export(self, account_id: AccountId, given: PersonKeys, page_size: int, page_token: str) -> RecordsPage:
        """Returns a page of records. Till and shop are asked for the first page only. Raises InvalidArgument, NotFound, FailedPrecondition
        (DEFAULT_CUSTOMER)."""
        account, limit = await self._account_of(account_id, given), coerced_page_size(page_size)
        request = (account_id, checked_email(given.email), given.woo_customer_id, given.epos_customer_id)
        tokens = PageTokens("page_token", *request, max_length=_MAX_TOKEN_LENGTH)
        sealed = tokens.read_text(page_token)
        if sealed is None:
            resolved, begin, after = await self._resolver.resolve(account, given), 0, ""
        else:
            resolved, begin, after = self._unseal(sealed)
        records: list[PersonRecord] = []
        for number in range(begin, len(_CATEGORIES)):
            missing = limit + 1 - len(records)
            records += await self._store.records(account_id, resolved.person, _CATEGORIES[number], after=after, limit=missing)
            if len(records) > limit:
                break
            after = ""
        page = tuple(records[:limit])
        token = tokens.make(self._seal(resolved.person, page[-1])) if len(records) > limit else ""
        return RecordsPage(page, token, resolved.also_known_as, resolved.sides_not_asked)

    async def erase(self, account_id: AccountId, given: PersonKeys, *, validate_only: bool) -> PersonErasure:
        """Erases the person. Raises InvalidArgument, NotFound, FailedPrecondition (DEFAULT_CUSTOMER), Unavailable (ACCOUNT_BUSY). After the
        last one the caller repeats the call; erased records stay erased."""
        account = await self._account_of(account_id, given)
        resolved = await self._resolver.resolve(account, given)
        erased = await self._store.erase(account_id, resolved.person, dry_run=validate_only)
        if not validate_only:
            erased = await self._with_shop_values(account, resolved.person, erased)
            counts = {f"{category.value}_count": count for category, count in erased.counts.items()}  # the log drops dicts
            _LOG.info("person_erased", account_id=account_id, retained=sum(one.count for one in erased.retained), **counts)
        return PersonErasure(erased, resolved.also_known_as, resolved.sides_not_asked)

    async def _account_of(self, account_id: AccountId, given: PersonKeys) -> Account:
        if not (checked_email(given.email) or given.woo_customer_id or given.epos_customer_id):
            raise InvalidArgument.of("person", "name an email, a shop customer or a till customer")
        account = await self._accounts.get(account_id)
        if given.epos_customer_id and given.epos_customer_id == account.default_epos_customer_id:
            raise FailedPrecondition(
                f"till customer {given.epos_customer_id} is the account's default customer, which stands for many guests: "
                "name the person by email or shop customer",
                reason="DEFAULT_CUSTOMER",
            )
        return account

    # values in the shop

    async def _with_shop_values(self, account: Account, person: Person, erased: ErasureResult) -> ErasureResult:
        """Waits for the shop's removals. Returns the result with the values that the shop has removed, and those that remain in it."""
        waiting = _removals_in(erased)
        if not waiting:
            return erased
        if not account.customer_sync_enabled:
            return replace(erased, retained=tuple(map(_because_switched_off, erased.retained)))
        if not await self._removed_in_time(account.account_id, person):
            return erased
        # Erases the entry that removed the values, and the data that was kept for it.
        second = await self._store.erase(account.account_id, person)
        counts = {one: erased.counts.get(one, 0) + second.counts.get(one, 0) for one in PersonCategory}
        counts[PersonCategory.QUEUE_ENTRY] = erased.counts.get(PersonCategory.QUEUE_ENTRY, 0)
        counts[PersonCategory.SHOP_VALUES] = waiting - _removals_in(second)
        return ErasureResult({category: count for category, count in counts.items() if count}, second.retained)

    async def _removed_in_time(self, account_id: AccountId, person: Person) -> bool:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._removal_seconds
        while await self._store.removals_waiting(account_id, person):
            if clock() >= deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    # page tokens have the resolved person of the first page, so that all pages are of the same person

    def _seal(self, person: Person, last: PersonRecord) -> str:
        position = [_CATEGORIES.index(last.category), last.record_id]
        return self._sealer.seal(json.dumps([person.emails, person.woo_customer_ids, person.epos_customer_ids, position]))

    def _unseal(self, sealed: str) -> tuple[ResolvedPerson, int, str]:
        text = self._sealer.unseal(sealed)
        if text is None:
            raise InvalidArgument.of("page_token", "is not a token of this service: begin again without it", reason="PAGE_TOKEN_INVALID")
        emails, woo, epos, (begin, after) = json.loads(text)
        person = Person(
            emails=tuple(emails),
            woo_customer_ids=tuple(WooCustomerId(each) for each in woo),
            epos_customer_ids=tuple(EposCustomerId(each) for each in epos),
        )
        return ResolvedPerson(person), begin, after


def _removals_in(erased: ErasureResult) -> int:
    return sum(one.count for one in erased.retained if one.category is PersonCategory.PENDING_REMOVAL)


def _because_switched_off(one: Retention) -> Retention:
    return replace(one, reason=_SWITCHED_OFF) if one.category is PersonCategory.PENDING_REMOVAL else one
