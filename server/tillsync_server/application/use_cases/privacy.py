"""Export and erasure of everything kept about one person: answers WordPress' personal data tools."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from tillsync_server.application.use_cases.page_tokens import TokenOf, coerced_page_size
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.errors import FailedPrecondition, InvalidArgument
from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.privacy import Erased, Person, PersonCategory, PersonRecord, PrivacyStore

_LOG = structlog.get_logger(__name__)
_CATEGORIES = tuple(PersonCategory)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonGiven:
    """0 and empty: not given."""

    email: str = ""
    woo_customer_id: int = 0
    epos_customer_id: int = 0


@dataclass(frozen=True, slots=True)
class RecordsPage:
    records: tuple[PersonRecord, ...]
    next_page_token: str


class Privacy:
    def __init__(self, store: PrivacyStore, accounts: AccountStore) -> None:
        self._store = store
        self._accounts = accounts

    async def export(self, account_id: AccountId, given: PersonGiven, page_size: int, page_token: str) -> RecordsPage:
        """InvalidArgument; NotFound; FailedPrecondition (DEFAULT_CUSTOMER)."""
        person, limit = await self._person(account_id, given), coerced_page_size(page_size)
        tokens = TokenOf("page_token", account_id, person.email, person.woo_customer_id, person.epos_customer_id)
        begin, after = _position(tokens.take(page_token))
        records: list[PersonRecord] = []
        for number in range(begin, len(_CATEGORIES)):
            missing = limit + 1 - len(records)
            records += await self._store.records(account_id, person, _CATEGORIES[number], after=after, limit=missing)
            if len(records) > limit:
                break
            after = ""
        page = tuple(records[:limit])
        more = len(records) > limit
        return RecordsPage(page, tokens.give(_CATEGORIES.index(page[-1].category), page[-1].record_id) if more else "")

    async def erase(self, account_id: AccountId, given: PersonGiven, *, validate_only: bool) -> Erased:
        """InvalidArgument; NotFound; FailedPrecondition (DEFAULT_CUSTOMER); Unavailable (ACCOUNT_BUSY): repeat, what is done stays done."""
        person = await self._person(account_id, given)
        erased = await self._store.erase(account_id, person, dry_run=validate_only)
        if not validate_only:
            counts = {f"{category.value}_count": count for category, count in erased.counts.items()}  # a log line keeps no dict
            _LOG.info("person_erased", account_id=account_id, retained=sum(one.count for one in erased.retained), **counts)
        return erased

    async def _person(self, account_id: AccountId, given: PersonGiven) -> Person:
        email = normalise_email(given.email)
        if not (email or given.woo_customer_id or given.epos_customer_id):
            raise InvalidArgument.of("person", "name an email, a shop customer or a till customer")
        account = await self._accounts.get(account_id)
        if given.epos_customer_id and given.epos_customer_id == account.default_epos_customer_id:
            raise FailedPrecondition(
                f"till customer {given.epos_customer_id} is the account's default customer, which stands for many guests: "
                "name the person by email or shop customer",
                reason="DEFAULT_CUSTOMER",
            )
        return Person(
            email=email,
            woo_customer_id=WooCustomerId(given.woo_customer_id) if given.woo_customer_id else None,
            epos_customer_id=EposCustomerId(given.epos_customer_id) if given.epos_customer_id else None,
        )


def _position(stored: list[object] | None) -> tuple[int, str]:
    if stored is None:
        return 0, ""
    match stored:
        case [int() as number, str() as after] if 0 <= number < len(_CATEGORIES):
            return number, after
        case _:
            raise InvalidArgument.of("page_token", "is not a token of this service: begin again without it", reason="PAGE_TOKEN_INVALID")
