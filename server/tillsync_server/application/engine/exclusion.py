"""Which claimed entries of a lane may run now: at most one per subject, email and shop customer, the others in order behind it."""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Hashable, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from operator import itemgetter

from tillsync_server.domain.ids import EntryId
from tillsync_server.domain.vocabulary import EntryKind
from tillsync_server.ports.lanes import ClaimedEntry

_arrival = itemgetter(0)


def exclusion_keys(entry: ClaimedEntry) -> Iterator[Hashable]:
    """Entries that share one of these never run at the same time."""
    # invariant: subjects-exclude-only-themselves
    yield entry.kind, entry.subject_id
    if entry.kind is EntryKind.ORDER_CUSTOMER:
        if entry.woo_customer_id is not None:
            yield "woo", entry.woo_customer_id
        for email in {entry.account_email, entry.billing_email} - {""}:
            yield "email", email


class Exclusion:
    """Of one lane. A parked entry waits at one of the keys that keep it from running, and is looked at again when that key is free: a
    long line of parked entries costs nothing while none of them can move."""

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._keys: dict[EntryId, tuple[Hashable, ...]] = {}
        self._waiting: dict[Hashable, list[tuple[int, ClaimedEntry]]] = {}
        """By the key they wait at, in order of arrival."""
        self._parked: dict[EntryId, ClaimedEntry] = {}
        self._freed: set[Hashable] = set()
        """Keys that somebody waits at, freed since the last take."""
        self._arrivals = itertools.count()

    @property
    def parked(self) -> Iterable[ClaimedEntry]:
        return self._parked.values()

    @property
    def parked_count(self) -> int:
        return len(self._parked)

    def take(self, claimed: Sequence[ClaimedEntry]) -> list[ClaimedEntry]:
        """Those that run now: of the parked ones, then of ``claimed``; the rest is parked."""
        runnable = self._take_parked() if self._freed else []
        for entry in claimed:
            keys = self._keys[entry.entry_id] = tuple(exclusion_keys(entry))
            if self._held.isdisjoint(keys):
                self._held.update(keys)
                runnable.append(entry)
            else:
                self._park(next(self._arrivals), entry)
        return runnable

    def release(self, entry_id: EntryId) -> None:
        """It has run, or is not going to: its keys are free."""
        for key in self._keys.pop(entry_id, ()):
            self._held.discard(key)
            if key in self._waiting:
                self._freed.add(key)

    def _take_parked(self) -> list[ClaimedEntry]:
        runnable: list[ClaimedEntry] = []
        firsts = [(self._waiting[key][0][0], key) for key in self._freed]
        self._freed.clear()
        heapify(firsts)  # by arrival: of two that want one key the older one goes first, whatever each waited at
        while firsts:
            _, key = heappop(firsts)
            if key in self._held:
                continue  # taken by an older one: the rest goes on waiting at it
            line = self._waiting[key]
            arrival, entry = line.pop(0)
            if line:
                heappush(firsts, (line[0][0], key))
            else:
                del self._waiting[key]
            keys = self._keys[entry.entry_id]
            if self._held.isdisjoint(keys):
                self._held.update(keys)
                del self._parked[entry.entry_id]
                runnable.append(entry)
            else:
                self._park(arrival, entry)
        return runnable

    def _park(self, arrival: int, entry: ClaimedEntry) -> None:
        key = next(key for key in self._keys[entry.entry_id] if key in self._held)
        insort(self._waiting.setdefault(key, []), (arrival, entry), key=_arrival)
        self._parked[entry.entry_id] = entry
