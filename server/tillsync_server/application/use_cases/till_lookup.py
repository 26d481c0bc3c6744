"""Looks up till customers for a person. It stores nothing. Every failure of the till becomes an error of the call, with a sentence."""

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
"""Time limit of one caller's requests to the till. It includes their waits for the till's allowance."""
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
    """Shop customer of a usable link in this account. A linked customer cannot be chosen for another shop customer."""


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
        """Returns the existing customers in ascending order of ids, at most 50. Raises NotFound (unknown account), and Unavailable or
        ResourceExhausted for the till."""
        unique_ids = sorted(set(customer_ids))[:MAX_CANDIDATES]
        if not unique_ids:
            return []
        till = await self._till(account_id)
        return await self._with_links(account_id, await _ask_till(_read_existing(till, unique_ids)))

    async def search(self, account_id: AccountId, query: str, limit: int) -> CustomersFound:
        """Searches by id (digits), by email (a text with ``@``) or by name. Emails match after normalising, exactly or in another spelling.
        Raises FailedPrecondition if the till's search ignores the email or name; otherwise as :meth:`read`, and InvalidArgument."""
        text = _checked_query(query)
        till = await self._till(account_id)
        more = False
        if text.isascii() and text.isdigit():
            rows = await _ask_till(_read_existing(till, [EposCustomerId(int(text))]))
        elif "@" in text:
            rows = await _ask_till(_by_email(till, text))
        else:
            rows, more = await _ask_till(_by_name(till, text, limit))
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
    text = query.strip()
    problems = []
    if not text or len(query) > MAX_QUERY_LENGTH:
        problems.append(f"must have 1 to {MAX_QUERY_LENGTH} characters that are not all blank")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in query):
        problems.append("must not contain control characters")
    if text.isascii() and text.isdigit() and not 0 < int(text) <= _MAX_ID:
        problems.append("only digits is a customer id: from 1 up")
    if problems:
        raise InvalidArgument([FieldViolation("query", problem) for problem in problems])
    return text


async def _ask_till(request: Awaitable[T]) -> T:
    """Returns the till's answer. Converts the till's failures to errors of the call."""
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await request
    except TimeoutError as error:
        text = f"Epos Now did not answer within {LOOKUP_SECONDS:.0f} seconds; try again, or look for less"
        raise Unavailable(text, reason=TILL_TOO_SLOW) from error
    except Throttled as error:
        retry_after = error.retry_after_seconds or DEFAULT_RETRY_SECONDS
        raise ResourceExhausted(error.text, reason="TILL_BUDGET_USED_UP", retry_after_seconds=retry_after) from error
    except UpstreamError as error:
        raise Unavailable(error.text, reason="TILL_UNAVAILABLE") from error


async def _read_existing(till: TillClient, customer_ids: Sequence[EposCustomerId]) -> list[TillCustomer]:
    """Returns the customers that exist. A 404 counts as gone only with a successful read of the same resource in this call
    (docs/invariants.md#gone)."""
    existing: list[TillCustomer] = []
    for start in range(0, len(customer_ids), _AT_ONCE):
        chunk = customer_ids[start : start + _AT_ONCE]
        for result in await gather(till.read_customer(customer_id) for customer_id in chunk):
            match result:
                case Missing():
                    continue
                case Exception():
                    raise result
                case _:
                    existing.append(result)
    if not existing:
        await _prove_address(till)
    return existing


async def _prove_address(till: TillClient) -> None:
    """Raises Misaddressed if the till serves no customers at all. A wrong address or version answers every request with 404, so an empty
    result alone proves nothing."""
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
    """Searches for the whole text, and for its last word if it has several, because the till knows the surname of ``Ada Byron``.

    Returns the customers whose name has every word, and whether there are more.
    """
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
