"""Limits the calls of one token, and of all tokens together, in this process. The limits apply once the caller is known, before the request
is read.

A call holds a *place* from the moment its token is known until its answer has been made. A call without a free place is refused with a
retry delay. Then the call waits for its *reading*, in which its request arrives. Readings bound the memory, and slow senders take no turn
from calls whose request has arrived. Then the call waits for its *turn*. Turns bound how long other calls wait for the event loop and for a
database connection.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from tillsync_server.adapters.grpc.turns import TurnLimit, Turns
from tillsync_server.domain.errors import ResourceExhausted

_RETRY_AFTER_SECONDS = 1.0


class Work(Enum):
    """Kind of load that a call is for this process."""

    SHORT = "short"
    """The call waits for one commit, or reads a few rows."""
    HEAVY = "heavy"
    """The call reads, writes or checks hundreds of rows, which takes tens of milliseconds of the event loop."""
    WAITING = "waiting"
    """The call waits for a till, a shop or an order's answer, or streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    places: int = 4000
    """Places of all tokens together. A waiting call uses about 15 kB."""
    places_of_token: int = 1250
    open_calls: int = 1000
    """Concurrent calls without a token. Such callers ask for the health of the service or watch it."""
    open_calls_of_connection: int = 8
    turns_of_token: dict[Work, TurnLimit] = field(
        default_factory=lambda: {
            Work.SHORT: TurnLimit(many=64, few=12, crowd=80),
            Work.HEAVY: TurnLimit(many=2, few=1, crowd=8),
            Work.WAITING: TurnLimit.always(256),
        }
    )
    """Turns of one token by kind of work. With fewer than 12 short turns the calls of other tokens are no quicker; with more than 64 the
    token's own calls are no quicker."""


class CallPlaces:
    """Counts the places, and keeps the turns of each token. One per process."""

    def __init__(self, limits: CallLimits | None = None) -> None:
        self._limits = limits or CallLimits()
        self._of_token: Counter[str] = Counter()
        self._taken = 0
        self._open = 0
        self._open_of: Counter[str] = Counter()
        self._turns: dict[tuple[str, Work], Turns] = {}

    def place(self, token_id: str, work: Work) -> Place:
        """Returns the context of one call. Entering takes the place and waits for the reading, first come, first served. Entering raises
        ResourceExhausted at a limit."""
        return Place(self, token_id, work)

    def acquire(self, token_id: str, work: Work) -> Turns:
        """Takes a place and returns the turns of the token. Raises ResourceExhausted at a limit."""
        limits = self._limits
        if self._of_token[token_id] >= limits.places_of_token:
            raise _too_many(f"{limits.places_of_token} calls of this token are under way already", "TOO_MANY_CALLS_OF_TOKEN")
        if self._taken >= limits.places:
            raise _too_many(f"{limits.places} calls are under way already", "TOO_MANY_CALLS")
        self._of_token[token_id] += 1
        self._taken += 1
        turns = self._turns.get((token_id, work))
        if turns is None:
            # invariant: one-caller-takes-its-turns-only
            turns = self._turns[token_id, work] = Turns(limits.turns_of_token[work])
        turns.arrive()
        return turns

    def release(self, token_id: str, work: Work) -> None:
        self._taken -= 1
        self._of_token[token_id] -= 1
        if not self._of_token[token_id]:
            del self._of_token[token_id]
        turns = self._turns[token_id, work]
        turns.leave()
        if not turns.calls:
            del self._turns[token_id, work]

    @contextmanager
    def open_call(self, connection: str) -> Iterator[None]:
        """Counts one call without a token until the context ends. ``connection``: the caller's. Raises ResourceExhausted at a limit."""
        limits = self._limits
        if self._open_of[connection] >= limits.open_calls_of_connection:
            text = f"{limits.open_calls_of_connection} calls without a token are under way on this connection already"
            raise _too_many(text, "TOO_MANY_OPEN_CALLS_OF_CONNECTION")
        if self._open >= limits.open_calls:
            raise _too_many(f"{limits.open_calls} calls without a token are under way already", "TOO_MANY_OPEN_CALLS")
        self._open_of[connection] += 1
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._open_of[connection] -= 1
            if not self._open_of[connection]:
                del self._open_of[connection]


class Place:
    """The place of one call, made by :meth:`CallPlaces.place`. The call holds its reading until :meth:`turn` returns."""

    __slots__ = ("_held", "_places", "_token_id", "_turns", "_work")

    def __init__(self, places: CallPlaces, token_id: str, work: Work) -> None:
        self._places = places
        self._token_id = token_id
        self._work = work
        self._turns: Turns | None = None
        self._held: asyncio.Semaphore | Turns | None = None

    async def __aenter__(self) -> Place:
        self._turns = turns = self._places.acquire(self._token_id, self._work)
        try:
            await turns.reading.acquire()
        except BaseException:
            self._places.release(self._token_id, self._work)
            raise
        self._held = turns.reading
        return self

    async def turn(self) -> None:
        """Waits for the turn, first come, first served. A call asks for it once."""
        assert self._turns is not None
        turns = self._turns
        await turns.acquire()
        turns.reading.release()
        self._held = turns

    async def __aexit__(self, *_error: object) -> None:
        if self._held is not None:
            self._places.release(self._token_id, self._work)
            self._held.release()


def _too_many(text: str, reason: str) -> ResourceExhausted:
    return ResourceExhausted(f"{text}; call again when some have ended", reason=reason, retry_after_seconds=_RETRY_AFTER_SECONDS)
