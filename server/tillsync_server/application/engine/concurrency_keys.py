"""Decides which claimed entries of a lane may run: one per subject, email and shop customer. The others wait in order of arrival."""

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
    """Yields the keys of an entry. Entries that share a key never run at the same time."""
    # invariant: subjects-exclude-only-themselves
    yield entry.kind, entry.subject_id
    if entry.kind is EntryKind.ORDER_CUSTOMER:
        if entry.woo_customer_id is not None:
            yield "woo", entry.woo_customer_id
        for email in {entry.account_email, entry.billing_email} - {""}:
            yield "email", email


class ConcurrencyKeys:
    """The keys that the running entries of one lane hold.

    A blocked entry waits for one held key, and is checked again when that key is released. So a long queue of blocked entries costs
    nothing while none of them can run.
    """

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._keys: dict[EntryId, tuple[Hashable, ...]] = {}
        self._blocked: dict[Hashable, list[tuple[int, ClaimedEntry]]] = {}
        """By the key that they wait for, in order of arrival."""
        self._released: set[Hashable] = set()
        """Keys with blocked entries that were released since the last :meth:`acquire`."""
        self._arrivals = itertools.count()

    def acquire(self, claimed: Sequence[ClaimedEntry]) -> list[ClaimedEntry]:
        """Returns the entries that may run now: blocked ones first, then those of ``claimed``. The others are blocked."""
        runnable = self._unblock() if self._released else []
        for entry in claimed:
            keys = self._keys[entry.entry_id] = tuple(concurrency_keys(entry))
            if self._held.isdisjoint(keys):
                self._held.update(keys)
                runnable.append(entry)
            else:
                self._block(next(self._arrivals), entry)
        return runnable

    def release(self, entry_id: EntryId) -> None:
        """To call when the entry has run, or will not run."""
        for key in self._keys.pop(entry_id, ()):
            self._held.discard(key)
            if key in self._blocked:
                self._released.add(key)

    def _unblock(self) -> list[ClaimedEntry]:
        runnable: list[ClaimedEntry] = []
        firsts = [(self._blocked[key][0][0], key) for key in self._released]
        self._released.clear()
        heapify(firsts)  # by arrival: of two entries that need one key the older one runs first, whatever key each waited for
        while firsts:
            _, key = heappop(firsts)
            if key in self._held:
                continue  # an older entry has acquired it: the others still wait for it
            queue = self._blocked[key]
            arrival, entry = queue.pop(0)
            if queue:
                heappush(firsts, (queue[0][0], key))
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
