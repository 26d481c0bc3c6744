"""Where the engine and the flows meet: the engine opens a lane's work, feeds it entries, and stores the verdicts it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease
from tillsync_server.ports.till import WritePermit


class LaneRun(WritePermit, Protocol):
    """One lane while this process holds its lease. It is the write permit of everything done in its name."""

    @property
    def lease(self) -> LaneLease: ...

    @property
    def owner_tag(self) -> str:
        """Names this lease among all leases ever (owner, account and token): the ``owner`` of intents."""
        ...

    async def account(self, entry: ClaimedEntry) -> Account:
        """The account's settings, no older than the entry's config_version (cached per version, credentials decrypted)."""
        ...

    async def renew_if_needed(self) -> None:
        """Before an outside write: renews when less than half of the lease is left, or too little to send anything. Raises LeaseTooShort
        when it is lost."""
        ...


class VerdictSink(Protocol):
    def finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        """Hand over the verdict of one entry. It is stored with its neighbours' at once; exactly one per claimed entry."""
        ...


class LaneWork(Protocol):
    """A handler's state for one lease of one lane (write gatherers, caches)."""

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        """Run these entries; ``finish`` each as soon as it is done, none waiting for another subject's.

        Called again, concurrently, while earlier entries still run. The engine never has two entries of the same subject, email or
        shop customer in flight. An entry left without a verdict when this returns or raises is retried (RunInterrupted: uncharged).
        """
        ...

    async def close(self) -> None:
        """The lease ends: flush nothing new, drop caches. Runs have ended before."""
        ...


class EntryHandler(Protocol):
    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork: ...

    def fault_verdict(self, entry: ClaimedEntry) -> Verdict:
        """The service itself failed on the entry."""
        ...

    def stopped_verdict(self, entry: ClaimedEntry) -> Verdict:
        """The process ended each time it ran the entry, until its attempts were used up."""
        ...
