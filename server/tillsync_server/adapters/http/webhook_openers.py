"""The accounts whose credentials open a webhook address, kept for some seconds.

Whoever sends to an address without credentials, or with wrong ones, costs the database nothing while the answer is kept. A change of any
account's settings is heard at once and empties what is kept; where the word is lost, ``KNOWN_SECONDS`` is the bound for a secret that was
changed, and ``UNKNOWN_SECONDS`` for an account that was made.
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
"""From the moment the store was asked: a changed secret holds everywhere within five seconds."""
UNKNOWN_SECONDS = 60.0
MOST_ADDRESSES = 10_000
"""Of each kind, known and unknown: a flood of invented addresses pushes out no real one. The least recently used goes first."""
_LOOKUPS_AT_ONCE = 4
_STRANGERS_AT_ONCE = 2
"""Lookups of addresses at which no account was known before: a flood of them delays no known sender."""


class AccountLookup(Protocol):
    """Two methods of ``ports.accounts.AccountStore``."""

    async def get(self, account_id: AccountId) -> Account: ...

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]: ...


@dataclass(frozen=True, slots=True)
class Address:
    """``name`` of an account (``is_account``) or of a till. A slug."""

    is_account: bool
    name: str


@dataclass(frozen=True, slots=True)
class Opener:
    """``epos`` has the webhook credentials and nothing else."""

    account_id: AccountId
    till_id: TillId
    epos: EposSettings


@dataclass(frozen=True, slots=True)
class _Kept:
    openers: tuple[Opener, ...]
    until: float
    generation: int


class WebhookOpeners:
    """One per process. ``clock`` is monotonic."""

    def __init__(self, accounts: AccountLookup, wakeups: WakeUps, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._clock = clock
        self._known: OrderedDict[Address, _Kept] = OrderedDict()
        self._unknown: OrderedDict[Address, _Kept] = OrderedDict()
        self._lookups: SingleFlight[Address, _Kept] = SingleFlight("webhook-openers")
        self._asking, self._asking_for_strangers = asyncio.Semaphore(_LOOKUPS_AT_ONCE), asyncio.Semaphore(_STRANGERS_AT_ONCE)
        self._generation = 0
        # invariant: webhook-openers-follow-changes
        wakeups.on_accounts_changed(self._forget)

    async def of(self, address: Address) -> Sequence[Opener]:
        """By ascending account id; empty where there is no such account or till. Raises what the store raises, NotFound excepted."""
        for kept_addresses in (self._known, self._unknown):
            kept = kept_addresses.get(address)
            # invariant: webhook-openers-are-kept
            if kept is not None and kept.generation == self._generation and kept.until > self._clock():
                kept_addresses.move_to_end(address)
                return kept.openers
        return (await self._lookups.run(address, lambda: self._ask(address))).openers

    async def close(self) -> None:
        """Ends the lookups under way."""
        await self._lookups.stop()

    def _forget(self) -> None:
        """What is kept counts as old. It stays, because it says which addresses are no strangers'."""
        self._generation += 1

    async def _ask(self, address: Address) -> _Kept:
        async with self._asking if address in self._known else self._asking_for_strangers:
            asked_at, generation = self._clock(), self._generation
            accounts = await self._read(address)
        openers = tuple(Opener(each.account_id, each.till_id, _webhook_pair(each.epos)) for each in accounts)
        kept = _Kept(openers, asked_at + (KNOWN_SECONDS if openers else UNKNOWN_SECONDS), generation)
        (self._unknown if openers else self._known).pop(address, None)
        _keep(self._known if openers else self._unknown, address, kept)
        return kept

    async def _read(self, address: Address) -> Sequence[Account]:
        if not address.is_account:
            return await self._accounts.accounts_of_till(TillId(address.name))
        try:
            return [await self._accounts.get(AccountId(address.name))]
        except NotFound:
            return []


def _webhook_pair(epos: EposSettings) -> EposSettings:
    return EposSettings(webhook_key=epos.webhook_key, webhook_secret=epos.webhook_secret)


def _keep(addresses: OrderedDict[Address, _Kept], address: Address, kept: _Kept) -> None:
    addresses[address] = kept
    addresses.move_to_end(address)
    while len(addresses) > MOST_ADDRESSES:
        addresses.popitem(last=False)
