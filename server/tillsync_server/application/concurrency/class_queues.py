"""One queue for each class of requests, and the rule that picks the next item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from tillsync_server.domain.request_class import RequestClass

Item = TypeVar("Item")

EVERY = 10
"""Every tenth turn goes to a class below the first one that waits."""


class ClassQueues(Generic[Item]):
    """First in, first out within a class. The first class that waits goes first, and the lowest that waits gets every tenth turn.

    Several classes that wait below the first take these turns in rotation, so that no class starves.
    """

    def __init__(self) -> None:
        self._waiting: dict[RequestClass, dict[Item, None]] = {each: {} for each in RequestClass}
        self._in_a_row = 0
        """Turns of the first class since the last turn of a lower one."""
        self._last_below: RequestClass | None = None

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[Item]:
        for queue in self._waiting.values():
            yield from queue

    def add(self, request_class: RequestClass, item: Item) -> None:
        self._waiting[request_class][item] = None

    def discard(self, item: Item) -> None:
        for queue in self._waiting.values():
            queue.pop(item, None)

    def pop(self) -> Item:
        """Removes and returns the next item. Raises IndexError when the queues are empty."""
        first, *below = self._classes()
        # invariant: no-class-starves
        if below and self._in_a_row >= EVERY - 1:
            return self._pop_of(self._below(below))
        self._in_a_row = self._in_a_row + 1 if below else 0
        return self._pop(first)

    def pop_lowest(self) -> Item:
        """Removes and returns an item of the lowest class, for a turn that higher classes in other queues gave up. Raises IndexError when
        the queues are empty."""
        return self._pop_of(self._below(self._classes()))

    def _classes(self) -> list[RequestClass]:
        waiting = [each for each, queue in self._waiting.items() if queue]
        if not waiting:
            raise IndexError("the queues are empty")
        return waiting

    def _below(self, classes: list[RequestClass]) -> RequestClass:
        """Returns the lowest class. If that class had the last such turn, returns the next class above it, in rotation."""
        above = [each for each in classes if self._last_below is not None and each < self._last_below]
        return (above or classes)[-1]

    def _pop_of(self, request_class: RequestClass) -> Item:
        self._in_a_row, self._last_below = 0, request_class
        return self._pop(request_class)

    def _pop(self, request_class: RequestClass) -> Item:
        queue = self._waiting[request_class]
        item = next(iter(queue))
        del queue[item]
        return item
