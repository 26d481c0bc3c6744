"""Caches the accounts whose credentials open a webhook address, for some seconds.

While the cache has an address, deliveries with missing or wrong credentials cost the database nothing. A notification of changed account
settings invalidates the cache immediately. If the notification is lost, a changed secret counts after ``KNOWN_SECONDS`` at the latest, and
a new account after ``UNKNOWN_SECONDS``.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tillsync_server.application.concurrency.single_flight import SingleFlight
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.wakeups import WakeUps

KNOWN_SECONDS = 4.0
"""Lifetime from the start of the lookup. So a changed secret counts in every process within five seconds."""
UNKNOWN_SECONDS = 60.0
MAX_ADDRESSES = 10_000
"""Limit of known addresses, and of unknown ones, so that a flood of invented addresses evicts no real one. The least recently used address
is evicted first."""
_LOOKUPS_AT_ONCE = 4
_UNKNOWN_LOOKUPS_AT_ONCE = 2
"""Limit of lookups of addresses that are not known, so that a flood of them delays no known sender."""


class AccountLookup(Protocol):
    """Two methods of ``ports.accounts.AccountStore``."""

    async def get(self, account_id: AccountId) -> Account: ...

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]: ...


@dataclass(frozen=True, slots=True)
class Address:
    """Webhook address of an account (``is_account``) or of a till. ``name`` is its slug."""

    is_account: bool
    name: str


@dataclass(frozen=True, slots=True)
class Opener:
    """An account whose webhook credentials open an address. ``epos`` has only these credentials."""

    account_id: AccountId
    till_id: TillId
    epos: EposSettings


@dataclass(frozen=True, slots=True)
class _CachedOpeners:
    openers: tuple[Opener, ...]
    until: float
    generation: int


class WebhookOpeners:
    """The cache. One per process. ``clock`` is monotonic, in seconds."""

    def __init__(self, accounts: AccountLookup, wakeups: WakeUps, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._clock = clock
        self._known: OrderedDict[Address, _CachedOpeners] = OrderedDict()
        self._unknown: OrderedDict[Address, _CachedOpeners] = OrderedDict()
        self._lookups: SingleFlight[Address, _CachedOpeners] = SingleFlight("webhook-openers")
        self._lookup_slots, self._unknown_lookup_slots = asyncio.Semaphore(_LOOKUPS_AT_ONCE), asyncio.Semaphore(_UNKNOWN_LOOKUPS_AT_ONCE)
        self._generation = 0
        # invariant: webhook-openers-follow-changes
        wakeups.on_accounts_changed(self._forget)

    async def of(self, address: Address) -> Sequence[Opener]:
        """Returns the openers in ascending order of account ids; empty for an unknown account or till. Raises the store's errors except
        NotFound."""
        for cache in (self._known, self._unknown):
            cached = cache.get(address)
            # invariant: webhook-openers-are-kept
            if cached is not None and cached.generation == self._generation and cached.until > self._clock():
                cache.move_to_end(address)
                return cached.openers
        return (await self._lookups.run(address, lambda: self._look_up(address))).openers

    async def close(self) -> None:
        """Ends the lookups under way."""
        await self._lookups.stop()

    def _forget(self) -> None:
        """Marks all cached openers as outdated. They stay, because they show which addresses are known."""
        self._generation += 1

    async def _look_up(self, address: Address) -> _CachedOpeners:
        async with self._lookup_slots if address in self._known else self._unknown_lookup_slots:
            asked_at, generation = self._clock(), self._generation
            accounts = await self._read(address)
        openers = tuple(Opener(each.account_id, each.till_id, _webhook_pair(each.epos)) for each in accounts)
        cached = _CachedOpeners(openers, asked_at + (KNOWN_SECONDS if openers else UNKNOWN_SECONDS), generation)
        (self._unknown if openers else self._known).pop(address, None)
        _store(self._known if openers else self._unknown, address, cached)
        return cached

    async def _read(self, address: Address) -> Sequence[Account]:
        if not address.is_account:
            return await self._accounts.accounts_of_till(TillId(address.name))
        try:
            return [await self._accounts.get(AccountId(address.name))]
        except NotFound:
            return []


def _webhook_pair(epos: EposSettings) -> EposSettings:
    return EposSettings(webhook_key=epos.webhook_key, webhook_secret=epos.webhook_secret)


def _store(addresses: OrderedDict[Address, _CachedOpeners], address: Address, cached: _CachedOpeners) -> None:
    addresses[address] = cached
    addresses.move_to_end(address)
    while len(addresses) > MAX_ADDRESSES:
        addresses.popitem(last=False)
