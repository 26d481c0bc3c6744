"""One lane while this process holds its lease. Implements ports.handler.LaneRun."""

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
        """Returns the account's settings, no older than ``config_version``."""
        ...


class LaneState(Enum):
    CLAIMING = auto()
    """Entries are claimed as they become due."""
    DRAINED = auto()
    """No entry is due. The release resets the number of lapses."""
    YIELDED = auto()
    """The lane has used its time slice, and other lanes wait for its slot."""
    STOPPING = auto()
    """The process stops, or a statement failed. Running entries may end; no more are claimed."""
    LOST = auto()
    """Another session has leased the lane. Running entries are cancelled, and the fence drops their writes."""


class LeasedLane:
    """``renew``: renews this lane's lease in the database. It ends the lane as LOST if another session has leased it."""

    def __init__(
        self, lease: LaneLease, clock: LeaseClock, accounts: AccountReader, renew: Callable[[LeasedLane], Awaitable[None]]
    ) -> None:
        self.lease = lease
        self.clock = clock
        self.state = LaneState.CLAIMING
        self.changed = asyncio.Event()
        """Set when the state, the entries in flight, or the entries that may be claimed have changed."""
        self._accounts = accounts
        self._renew = renew

    @property
    def owner_tag(self) -> str:
        """Name of this lease, unique among all leases ever. It is the ``owner`` of intents."""
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
        """Stops claiming. The first state stays; only LOST replaces it."""
        if self.is_claiming or state is LaneState.LOST:
            self.state = state
        self.changed.set()

    def seconds_allowed(self, setting_seconds: float) -> float:
        """Returns how long an outside write may take. Raises LeaseTooShort."""
        self._check_not_lost()
        return self.clock.seconds_allowed(setting_seconds)

    async def account(self, entry: ClaimedEntry) -> Account:
        return await self._accounts.at_version(entry.account_id, entry.config_version)

    async def renew_if_needed(self) -> None:
        """To call before an outside write. Raises LeaseTooShort when the lane is lost."""
        self._check_not_lost()
        if self.clock.wants_renewal_before_write:
            await self._renew(self)
            self._check_not_lost()

    def _check_not_lost(self) -> None:
        if self.is_lost:
            raise LeaseTooShort("the lane has another owner")
