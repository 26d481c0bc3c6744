"""Looking at till customers for a person, now: nothing is stored, and every failure of the till is the caller's error, in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tillsync_server.application.concurrency.together import gather
from tillsync_server.application.use_cases.upstream_reasons import TILL_TOO_SLOW
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import (
    DEFAULT_RETRY_SECONDS,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    Misaddressed,
    Missing,
    ResourceExhausted,
    Throttled,
    Unavailable,
    UpstreamError,
)
from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId
from tillsync_server.domain.matching import exact_matches, resembling_customers, search_texts
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.links import LinkReader
from tillsync_server.ports.till import EmailSearch, TillClient, TillGateway

LOOKUP_SECONDS = 28.0
"""What asking the till for one caller may take as a whole, its waits for the request allowance included."""
MAX_CANDIDATES = 50
MAX_FOUND, DEFAULT_FOUND = 50, 20
MAX_QUERY_LENGTH = 254
_AT_ONCE = 8
_MAX_ID = 2**63 - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CustomerAtTill:
    customer: TillCustomer
    linked_woo_customer_id: WooCustomerId | None
    """By a usable link of this account; such a customer cannot be chosen for another."""


@dataclass(frozen=True, slots=True)
class CustomersFound:
    customers: tuple[CustomerAtTill, ...]
    truncated: bool


class TillLookup:
    def __init__(self, accounts: AccountStore, tills: TillGateway, links: LinkReader) -> None:
        self._accounts = accounts
        self._tills = tills
        self._links = links

    async def read(self, account_id: AccountId, customer_ids: Sequence[EposCustomerId]) -> list[CustomerAtTill]:
        """Those that are there, by ascending id, at most 50. NotFound: unknown account. Unavailable, ResourceExhausted: the till."""
        wanted = sorted(set(customer_ids))[:MAX_CANDIDATES]
        if not wanted:
            return []
        till = await self._till(account_id)
        return await self._with_links(account_id, await _asked(_read_those_there(till, wanted)))

    async def search(self, account_id: AccountId, query: str, limit: int) -> CustomersFound:
        """Digits: an id. With ``@``: an email, exact after normalising or in another spelling. Else a name: FailedPrecondition where the
        till ignores it."""
        wanted = _checked_query(query)
        till = await self._till(account_id)
        more = False
        if wanted.isascii() and wanted.isdigit():
            rows = await _asked(_read_those_there(till, [EposCustomerId(int(wanted))]))
        elif "@" in wanted:
            rows = await _asked(_by_email(till, wanted))
        else:
            rows, more = await _asked(_by_name(till, wanted, limit))
        shown = sorted(rows, key=lambda customer: customer.epos_customer_id)[:limit]
        return CustomersFound(tuple(await self._with_links(account_id, shown)), more or len(rows) > limit)

    async def _till(self, account_id: AccountId) -> TillClient:
        return self._tills.client(await self._accounts.get(account_id), RequestClass.ORDER)

    async def _with_links(self, account_id: AccountId, customers: Sequence[TillCustomer]) -> list[CustomerAtTill]:
        if not customers:
            return []
        links = await self._links.by_epos(account_id, [customer.epos_customer_id for customer in customers])
        usable = {customer_id: link.woo_customer_id for customer_id, link in links.items() if link.is_usable}
        return [CustomerAtTill(customer, usable.get(customer.epos_customer_id)) for customer in customers]


def _checked_query(query: str) -> str:
    wanted = query.strip()
    problems = []
    if not wanted or len(query) > MAX_QUERY_LENGTH:
        problems.append(f"must have 1 to {MAX_QUERY_LENGTH} characters that are not all blank")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in query):
        problems.append("must not contain control characters")
    if wanted.isascii() and wanted.isdigit() and not 0 < int(wanted) <= _MAX_ID:
        problems.append("only digits is a customer id: from 1 up")
    if problems:
        raise InvalidArgument([FieldViolation("query", problem) for problem in problems])
    return wanted


async def _asked(question: Awaitable[T]) -> T:
    """What the till answers; its failures as the caller's."""
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await question
    except TimeoutError as error:
        text = f"Epos Now did not answer within {LOOKUP_SECONDS:.0f} seconds; try again, or look for less"
        raise Unavailable(text, reason=TILL_TOO_SLOW) from error
    except Throttled as error:
        again = error.retry_after_seconds or DEFAULT_RETRY_SECONDS
        raise ResourceExhausted(error.text, reason="TILL_BUDGET_USED_UP", retry_after_seconds=again) from error
    except UpstreamError as error:
        raise Unavailable(error.text, reason="TILL_UNAVAILABLE") from error


async def _read_those_there(till: TillClient, customer_ids: Sequence[EposCustomerId]) -> list[TillCustomer]:
    """A 404 counts as gone only beside a successful read of the same resource, in this very call (docs/architecture.md#gone)."""
    there: list[TillCustomer] = []
    for start in range(0, len(customer_ids), _AT_ONCE):
        chunk = customer_ids[start : start + _AT_ONCE]
        for result in await gather(till.read_customer(customer_id) for customer_id in chunk):
            match result:
                case Missing():
                    continue
                case Exception():
                    raise result
                case _:
                    there.append(result)
    if not there:
        await _prove_address(till)
    return there


async def _prove_address(till: TillClient) -> None:
    """Finding nothing is an answer only where customers are served at all: a wrong address or version says 404 to everything."""
    try:
        (await till.list_customers(1)).check()
    except Missing as error:
        text = "Epos Now's address or API version is wrong: it serves no customers there; correct it in the account"
        raise Misaddressed(Side.TILL, text, status=error.status) from error


async def _by_email(till: TillClient, email: str) -> list[TillCustomer]:
    rows: list[TillCustomer] = []
    unclear: EmailSearch | None = None
    for text in search_texts(email):
        found = await till.search_by_email(text)
        if found.filter_ignored:
            raise FailedPrecondition(
                "the till's search ignores the email: search by customer id or name, or set another customer_api_version",
                reason="TILL_FILTER_IGNORED",
            )
        rows.extend(found.rows)
        unclear = unclear or (found if found.unread else None)
    if not rows:
        if unclear is not None:
            unclear.check()
        await _prove_address(till)
    return exact_matches(rows, email) + resembling_customers(rows, email)


async def _by_name(till: TillClient, query: str, limit: int) -> tuple[list[TillCustomer], bool]:
    """The whole text, and of several words the last one (of ``Ada Byron`` the till knows the surname); every word must be in the name."""
    words = query.casefold().split()
    found: dict[EposCustomerId, TillCustomer] = {}
    more = False
    for text in dict.fromkeys((query, query.split()[-1])):
        answer = await till.search_by_name(text, limit=limit)
        if answer.filter_ignored:
            raise FailedPrecondition(
                "the till's search ignores names: search by customer id or email", reason="TILL_FILTER_IGNORED", metadata={"filter": "name"}
            )
        more = more or answer.truncated
        found.update((customer.epos_customer_id, customer) for customer in answer.rows)
    if not found:
        await _prove_address(till)
    rows = [
        customer
        for customer in found.values()
        if all(word in f"{customer.forename} {customer.surname} {customer.business_name}".casefold() for word in words)
    ]
    return rows, more
