"""The interface between engine and flows. The engine opens a lane's work, passes entries to it, and stores the returned verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.till import WritePermit


class LaneRun(WritePermit, Protocol):
    """One lane while this process holds its lease. It is the permit of all writing requests for the lane."""

    @property
    def lease(self) -> LaneLease: ...

    @property
    def owner_tag(self) -> str:
        """A unique name of this lease, made of owner, account and token. It is the ``owner`` of intents."""
        ...

    async def account(self, entry: ClaimedEntry) -> Account:
        """The account's settings with decrypted credentials, no older than the entry's config_version. They are cached for each version."""
        ...

    async def renew_if_needed(self) -> None:
        """Call it before a writing request. It renews the lease if less than half of it is left, or too little to send a request. Raises
        LeaseTooShort if the lease is lost."""
        ...


class VerdictSink(Protocol):
    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        """Passes on the verdict of one entry, exactly one for each claimed entry. It is stored soon, together with others."""
        ...


class LaneWork(Protocol):
    """A handler's state for one lease of one lane (write gatherers, caches)."""

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        """Runs these entries and calls ``finish`` for each as soon as it is done. No entry waits for another subject's entry.

        The engine calls it again, concurrently, while earlier entries run. It never runs two entries of the same subject, email or shop
        customer at once. An entry without a verdict when this returns or raises is retried, without a charge after RunInterrupted.
        """
        ...

    async def close(self) -> None:
        """Drops caches at the end of the lease, and starts no new write. All runs have ended before."""
        ...


class EntryHandler(Protocol):
    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork: ...

    def fault_verdict(self, entry: ClaimedEntry) -> Verdict:
        """The verdict for an entry on which the service itself failed."""
        ...

    def stopped_verdict(self, entry: ClaimedEntry) -> Verdict:
        """The verdict for an entry whose runs each ended the process, until its attempts were used up."""
        ...
