"""One lane while this process holds its lease: implements ports.handler.LaneRun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Protocol

from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import LeaseTooShort
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease


class AccountReader(Protocol):
    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        """The account's settings, no older than ``config_version``."""
        ...


class LaneState(Enum):
    CLAIMING = auto()
    """Entries are claimed as they become due."""
    DRAINED = auto()
    """No entry is due. The release resets the lapses."""
    YIELDED = auto()
    """The lane has had its time; other lanes wait for its slot."""
    STOPPING = auto()
    """The process stops, or a statement failed. What runs may end; nothing more is claimed."""
    LOST = auto()
    """Another session has the lane. What runs is cancelled; the fence drops what it would write."""


class LeasedLane:
    """``renew``: asks the database for more time for this lane; it ends the lane as LOST where the lane is not ours any more."""

    def __init__(
        self, lease: LaneLease, clock: LeaseClock, accounts: AccountReader, renew: Callable[[LeasedLane], Awaitable[None]]
    ) -> None:
        self.lease = lease
        self.clock = clock
        self.state = LaneState.CLAIMING
        self.changed = asyncio.Event()
        """The state, the entries in flight, or what may be claimed has changed."""
        self._accounts = accounts
        self._renew = renew

    @property
    def owner_tag(self) -> str:
        """Names this lease among all leases ever: the ``owner`` of intents."""
        # invariant: intent-owners-name-the-account
        account_id = self.lease.account_id  # the lanes of one process share its owner, and their tokens may be equal
        return f"{self.lease.owner}:{account_id}:{self.lease.token}"

    @property
    def is_claiming(self) -> bool:
        return self.state is LaneState.CLAIMING

    @property
    def is_lost(self) -> bool:
        return self.state is LaneState.LOST

    def end(self, state: LaneState) -> None:
        """Nothing more is claimed. The first reason stands; only LOST replaces it."""
        if self.is_claiming or state is LaneState.LOST:
            self.state = state
        self.changed.set()

    def seconds_allowed(self, setting_seconds: float) -> float:
        """How long an outside write may take. Raises LeaseTooShort."""
        self._check_not_lost()
        return self.clock.seconds_allowed(setting_seconds)

    async def account(self, entry: ClaimedEntry) -> Account:
        return await self._accounts.at_version(entry.account_id, entry.config_version)

    async def renew_if_needed(self) -> None:
        """Before an outside write. Raises LeaseTooShort when the lane is lost."""
        self._check_not_lost()
        if self.clock.wants_renewal_before_write:
            await self._renew(self)
            self._check_not_lost()

    def _check_not_lost(self) -> None:
        if self.is_lost:
            raise LeaseTooShort("the lane has another owner")
