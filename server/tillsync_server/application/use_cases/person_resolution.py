"""Resolves a person: finds the numbers and emails that the person has besides those that a request names.

A number is followed if it is proven today: the request names it, the till or the shop says that it has the email now, or a link joins it to
such a number. Older records with an email prove nothing, because the email may have been another person's then. Their numbers are reported
with a reason, but not followed. So an erasure never reaches another person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from tillsync_server.application.concurrency.together import both
from tillsync_server.application.use_cases.till_lookup import MAX_CANDIDATES, MAX_FOUND, TillLookup
from tillsync_server.domain.account import Account
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.emails import email_forms, mask_email, normalise_email
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable, UpstreamError
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.shop_users import is_linked_person
from tillsync_server.ports.privacy import LinkedPair, Person, PrivacyStore
from tillsync_server.ports.shop import ShopDirectory, ShopGateway

RESOLVE_SECONDS = 8.0
"""Time limit of all requests to till and shop, because WordPress waits for the answer."""
MAX_NUMBERS = 50
MAX_EMAIL_LENGTH = 254
T = TypeVar("T")


class AliasKind(StrEnum):
    TILL_CUSTOMER = "till_customer"
    SHOP_CUSTOMER = "shop_customer"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Alias:
    """Another number or email of a person. ``value``: the number, or the masked email. ``followed``: whether its records are the
    person's."""

    kind: AliasKind
    value: str
    followed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class SideNotAsked:
    side: Side
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonKeys:
    """The keys by which a request names a person. 0 and an empty text mean that the request does not name one."""

    email: str = ""
    woo_customer_id: int = 0
    epos_customer_id: int = 0


@dataclass(frozen=True, slots=True)
class ResolvedPerson:
    person: Person
    also_known_as: tuple[Alias, ...] = ()
    sides_not_asked: tuple[SideNotAsked, ...] = ()


def checked_email(raw: str) -> str:
    """Returns the normalised email, empty if none is given. Raises InvalidArgument (person.email) for a text that is no address."""
    email = normalise_email(raw)
    local, _, domain = email.rpartition("@")
    odd = any(character.isspace() or character in "<>,;" or not character.isprintable() for character in email)
    if email and (odd or not local or not domain or len(email) > MAX_EMAIL_LENGTH):
        problem = f"is no email address: give the address alone, such as ada@example.test, of at most {MAX_EMAIL_LENGTH} characters"
        raise InvalidArgument.of("person.email", problem)
    return email


class PersonResolver:
    def __init__(
        self, store: PrivacyStore, tills: TillLookup, directory: ShopDirectory, shops: ShopGateway, *, seconds: float = RESOLVE_SECONDS
    ) -> None:
        self._store = store
        self._tills = tills
        self._directory = directory
        self._shops = shops
        self._seconds = seconds

    async def resolve(self, account: Account, given: PersonKeys) -> ResolvedPerson:
        """Resolves the person. Raises InvalidArgument (person.email). Failures of till and shop are in the result, and are never raised."""
        return await _Resolution(self._store, self._tills, self._directory, self._shops, account, given, self._seconds).run()


class _Resolution:
    """The resolution of one person. Numbers and emails have reasons; an empty reason means that the request names the person by it."""

    def __init__(
        self,
        store: PrivacyStore,
        tills: TillLookup,
        directory: ShopDirectory,
        shops: ShopGateway,
        account: Account,
        given: PersonKeys,
        seconds: float,
    ) -> None:
        self._store = store
        self._tills = tills
        self._directory = directory
        self._shops = shops
        self._account = account
        self._given = given
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._emails: dict[str, str] = {}
        self._epos: dict[EposCustomerId, str] = {}
        self._woo: dict[WooCustomerId, str] = {}
        self._reported: list[Alias] = []
        self._unproven_epos: list[EposCustomerId] = []
        self._unproven_woo: list[WooCustomerId] = []
        self._sides_not_asked: dict[Side, str] = {}
        self._is_till_away = False
        self._registered: dict[WooCustomerId, datetime | None] = {}
        """Registration times of shop users, read for this request. None if the shop did not say, or has no such user."""
        self._read: dict[EposCustomerId, TillCustomer] = {}
        """Till customers that the till served for this request."""

    async def run(self) -> ResolvedPerson:
        given, email = self._given, checked_email(self._given.email)
        if given.epos_customer_id:
            self._epos[EposCustomerId(given.epos_customer_id)] = ""
        if given.woo_customer_id:
            self._woo[WooCustomerId(given.woo_customer_id)] = ""
        await self._cross_links()
        if email:
            self._emails[email] = ""
            await self._by_email(email)
            await self._cross_links()
            await self._by_records(email)
        await self._by_current_emails()
        await self._cross_links()
        return self._resolved()

    # an email that the request names

    async def _by_email(self, email: str) -> None:
        at_till, in_shop = await both(self._till_customers_with(email), self._shop_customers_with(email))
        for customer_id in at_till or ():
            self._follow_till(customer_id, "has this email at Epos Now")
        for woo_customer_id in in_shop or ():
            self._woo.setdefault(woo_customer_id, "has this email in the shop")

    async def _by_records(self, email: str) -> None:
        """Adds the numbers of older records. They are followed only if the till says that they have the email today."""
        named = await self._store.named_with(self._account.account_id, email)
        unknown = [each for each in named.epos_customer_ids if each not in self._epos and each != self._account.default_epos_customer_id]
        till_answered = await self._read_at_till(unknown)
        for customer_id in unknown:
            customer = self._read.get(customer_id)
            # invariant: records-prove-no-number
            if customer is not None and normalise_email(customer.email) == email:
                self._follow_till(customer_id, "has this email at Epos Now")
            elif not till_answered:
                self._unproven_epos.append(customer_id)
                self._report(AliasKind.TILL_CUSTOMER, customer_id, "records with this email name it, and Epos Now was not asked")
            elif customer is None:
                self._report(AliasKind.TILL_CUSTOMER, customer_id, "records with this email name it, and it is deleted at Epos Now")
            else:
                self._report(AliasKind.TILL_CUSTOMER, customer_id, "records with this email name it, but it has another email at Epos Now")
        await self._cross_links()
        for woo_customer_id in (each for each in named.woo_customer_ids if each not in self._woo):
            if Side.SHOP in self._sides_not_asked:
                self._unproven_woo.append(woo_customer_id)
                self._report(AliasKind.SHOP_CUSTOMER, woo_customer_id, "records with this email name it, and the shop was not asked")
            else:
                reason = "records with this email name it, but it has another email in the shop"
                self._report(AliasKind.SHOP_CUSTOMER, woo_customer_id, reason)

    # emails of the till customers that are followed

    async def _by_current_emails(self) -> None:
        unread = [each for each in self._epos if each not in self._read]
        await self._read_at_till(unread)
        for customer_id in list(self._epos):
            customer = self._read.get(customer_id)
            email = "" if customer is None else _usable(customer.email)
            if email and email not in self._emails:
                await self._follow_email(customer_id, email)

    async def _follow_email(self, customer_id: EposCustomerId, email: str) -> None:
        """Follows the email of a till customer. An email that several people share, or that records join to others, is only reported: it
        needs a request of its own."""
        at_till, in_shop = await both(self._till_customers_with(email), self._shop_customers_with(email))
        named = await self._store.named_with(self._account.account_id, email)
        default = {self._account.default_epos_customer_id}
        others = [f"till customer {each}" for each in {*(at_till or ()), *named.epos_customer_ids} - set(self._epos) - default]
        others += [f"shop customer {each}" for each in {*(in_shop or ()), *named.woo_customer_ids, *named.billed} - set(self._woo)]
        if at_till is None:
            self._report(AliasKind.EMAIL, mask_email(email), f"till customer {customer_id} has it; whether others have it is not known")
        elif others:
            first = ", ".join(sorted(others)[:3])
            self._report(AliasKind.EMAIL, mask_email(email), f"till customer {customer_id} has it, and so may {first}")
        else:
            self._emails[email] = f"till customer {customer_id} has it at Epos Now"

    # links

    async def _cross_links(self) -> None:
        for pair in await self._store.links_of(self._account.account_id, list(self._epos), list(self._woo)):
            epos_id, woo_id = pair.epos_customer_id, pair.woo_customer_id
            if pair.is_crossed and epos_id in self._epos and woo_id in self._woo:
                continue
            if pair.is_crossed and await self._is_of_another(pair):
                reason = "a link names it, but the shop customer's number belongs to another user by now"
                if epos_id not in self._epos:
                    self._report(AliasKind.TILL_CUSTOMER, epos_id, reason)
                else:
                    self._report(AliasKind.SHOP_CUSTOMER, woo_id, reason)
            elif pair.is_crossed:
                self._epos.setdefault(epos_id, f"linked to shop customer {woo_id}")
                self._woo.setdefault(woo_id, f"linked to till customer {epos_id}")
            elif epos_id not in self._epos or woo_id not in self._woo:
                reason = "a link names it whose shop customer is gone: the number may be somebody else's"
                if epos_id not in self._epos:
                    self._report(AliasKind.TILL_CUSTOMER, epos_id, reason)
                else:
                    self._report(AliasKind.SHOP_CUSTOMER, woo_id, reason)

    async def _is_of_another(self, pair: LinkedPair) -> bool:
        """Returns whether the shop says that another user has the number now. If the shop cannot be asked, the stored link counts."""
        if pair.woo_customer_id not in self._registered:
            try:
                async with asyncio.timeout_at(self._deadline):
                    users = await self._shops.client(self._account).read_users([pair.woo_customer_id])
            except (TimeoutError, UpstreamError):
                users = {}
            user = users.get(pair.woo_customer_id)
            self._registered[pair.woo_customer_id] = None if user is None else user.registered_at
        registered_at = self._registered[pair.woo_customer_id]
        return registered_at is not None and not is_linked_person(pair.woo_registered_at, pair.create_time, registered_at)

    # the sides

    async def _till_customers_with(self, email: str) -> list[EposCustomerId] | None:
        """Returns the till customers with this email, or None without an answer of the till."""
        found = await self._answer(Side.TILL, self._tills.search(self._account.account_id, email, MAX_FOUND))
        if found is None:
            return None
        self._read |= {each.customer.epos_customer_id: each.customer for each in found.customers}
        return [each.customer.epos_customer_id for each in found.customers]

    async def _read_at_till(self, customer_ids: Sequence[EposCustomerId]) -> bool:
        """Reads till customers. Returns whether the till answered."""
        if not customer_ids or self._is_till_away:
            return not customer_ids
        asking = self._tills.read(self._account.account_id, customer_ids[:MAX_CANDIDATES])
        found = await self._answer(Side.TILL, asking)
        self._read |= {each.customer.epos_customer_id: each.customer for each in found or ()}
        return found is not None

    async def _shop_customers_with(self, email: str) -> list[WooCustomerId] | None:
        """Returns the shop customers with this email, or None if the shop was not asked or did not answer. It needs consumer keys, also
        beside a bridge, because the bridge has no search by email."""
        if self._given.woo_customer_id:
            return None  # a caller that names the shop customer has searched the shop already
        shop = self._account.shop
        if not (shop.base_url and shop.consumer_key and shop.consumer_secret):
            self._sides_not_asked.setdefault(
                Side.SHOP,
                "the service has no consumer keys to look for an email in the shop: use the privacy tools of WordPress there, "
                "or name the shop customer too",
            )
            return None
        return await self._answer(Side.SHOP, self._directory.customers_with_email(self._account, email))

    async def _answer(self, side: Side, asking: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await asking
        except TimeoutError:
            reason = f"{_NAMES[side]} did not answer in time: repeat this later"
        except FailedPrecondition as error:  # the till's search ignores emails, but customers can still be read by number
            self._sides_not_asked.setdefault(side, error.message)
            return None
        except (Unavailable, ResourceExhausted) as error:
            reason = error.message
        except UpstreamError as error:
            reason = error.text
        self._sides_not_asked.setdefault(side, reason)
        self._is_till_away = self._is_till_away or side is Side.TILL
        return None

    # the answer

    def _follow_till(self, customer_id: EposCustomerId, reason: str) -> None:
        if customer_id == self._account.default_epos_customer_id:
            self._report(AliasKind.TILL_CUSTOMER, customer_id, "it is the account's default customer, which stands for many guests")
        else:
            self._epos.setdefault(customer_id, reason)

    def _report(self, kind: AliasKind, value: int | str, reason: str) -> None:
        alias = Alias(kind, str(value), False, reason)
        if all((each.kind, each.value) != (alias.kind, alias.value) for each in self._reported):
            self._reported.append(alias)

    def _resolved(self) -> ResolvedPerson:
        followed = [Alias(AliasKind.TILL_CUSTOMER, str(each), True, reason) for each, reason in self._epos.items() if reason]
        followed += [Alias(AliasKind.SHOP_CUSTOMER, str(each), True, reason) for each, reason in self._woo.items() if reason]
        followed += [Alias(AliasKind.EMAIL, mask_email(each), True, reason) for each, reason in self._emails.items() if reason]
        known = {(each.kind, each.value) for each in followed}
        person = Person(
            emails=tuple(sorted({form for email in self._emails for form in email_forms(email)})),
            woo_customer_ids=tuple(sorted(self._woo))[:MAX_NUMBERS],
            epos_customer_ids=tuple(sorted(self._epos))[:MAX_NUMBERS],
            unproven_epos=tuple(each for each in self._unproven_epos if each not in self._epos),
            unproven_woo=tuple(each for each in self._unproven_woo if each not in self._woo),
        )
        named = tuple(each for each in self._reported if (each.kind, each.value) not in known)
        return ResolvedPerson(
            person, (*followed, *named), tuple(SideNotAsked(side, text) for side, text in sorted(self._sides_not_asked.items()))
        )


_NAMES = {Side.TILL: "Epos Now", Side.SHOP: "the shop"}


def _usable(raw: str) -> str:
    """Returns the till's email, normalised, or an empty text if it is no address."""
    try:
        return checked_email(raw)
    except InvalidArgument:
        return ""
