"""Which claimed entries of a lane may run now: one per subject, email and shop customer. The others wait behind it, in order."""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Hashable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from operator import itemgetter

from tillsync_server.domain.enums import EntryKind
from tillsync_server.domain.ids import EntryId
from tillsync_server.ports.lanes import ClaimedEntry

_arrival = itemgetter(0)


def concurrency_keys(entry: ClaimedEntry) -> Iterator[Hashable]:
    """Entries that share one of these never run at the same time."""
    # invariant: subjects-exclude-only-themselves
    yield entry.kind, entry.subject_id
    if entry.kind is EntryKind.ORDER_CUSTOMER:
        if entry.woo_customer_id is not None:
            yield "woo", entry.woo_customer_id
        for email in {entry.account_email, entry.billing_email} - {""}:
            yield "email", email


class ConcurrencyKeys:
    """The keys of one lane's entries. A blocked entry waits at one key that another entry holds, and is looked at again when that key is
    free. A long line of blocked entries costs nothing while none of them can move."""

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._keys: dict[EntryId, tuple[Hashable, ...]] = {}
        self._blocked: dict[Hashable, list[tuple[int, ClaimedEntry]]] = {}
        """By the key they wait at, in order of arrival."""
        self._freed: set[Hashable] = set()
        """Keys with blocked entries, freed since the last take."""
        self._arrivals = itertools.count()

    def take(self, claimed: Sequence[ClaimedEntry]) -> list[ClaimedEntry]:
        """The entries that run now: of the blocked ones, then of ``claimed``. The rest is blocked."""
        runnable = self._take_blocked() if self._freed else []
        for entry in claimed:
            keys = self._keys[entry.entry_id] = tuple(concurrency_keys(entry))
            if self._held.isdisjoint(keys):
                self._held.update(keys)
                runnable.append(entry)
            else:
                self._block(next(self._arrivals), entry)
        return runnable

    def free(self, entry_id: EntryId) -> None:
        """The entry has run, or will not run: its keys are free."""
        for key in self._keys.pop(entry_id, ()):
            self._held.discard(key)
            if key in self._blocked:
                self._freed.add(key)

    def _take_blocked(self) -> list[ClaimedEntry]:
        runnable: list[ClaimedEntry] = []
        firsts = [(self._blocked[key][0][0], key) for key in self._freed]
        self._freed.clear()
        heapify(firsts)  # by arrival: of two that want one key the older one goes first, whatever key each waited at
        while firsts:
            _, key = heappop(firsts)
            if key in self._held:
                continue  # an older entry took it: the rest goes on waiting at it
            line = self._blocked[key]
            arrival, entry = line.pop(0)
            if line:
                heappush(firsts, (line[0][0], key))
            else:
                del self._blocked[key]
            keys = self._keys[entry.entry_id]
            if self._held.isdisjoint(keys):
                self._held.update(keys)
                runnable.append(entry)
            else:
                self._block(arrival, entry)
        return runnable

    def _block(self, arrival: int, entry: ClaimedEntry) -> None:
        key = next(key for key in self._keys[entry.entry_id] if key in self._held)
        insort(self._blocked.setdefault(key, []), (arrival, entry), key=_arrival)
