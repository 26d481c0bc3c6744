"""Who calls: from a bearer token to a Caller, cached for less than the five seconds within which a revoked token must be refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from tillsync_server.application.concurrency.background import BackgroundTasks
from tillsync_server.application.concurrency.micro_batcher import MicroBatcher
from tillsync_server.application.concurrency.single_flight import SingleFlight
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import Unauthenticated
from tillsync_server.domain.tokens import Caller, Token, token_hash
from tillsync_server.ports.accounts import TokenStore
from tillsync_server.ports.wakeups import WakeUps

_LOG = structlog.get_logger(__name__)
CACHE_SECONDS = 4.0
"""From the moment the store was asked; what the store then still has to answer is bounded by the database's own timeout."""
CACHE_SIZE = 10_000
LOOKUPS_AT_ONCE = 500
"""Tokens that one query looks up: a flood of unknown ones, each another one, costs those who are known a query or two."""
NOTE_USED_SECONDS = 60.0
MAX_SECRET_LENGTH = 512
_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class _LookedUp:
    token: Token | None
    asked_at: float
    generation: int
    """Of the news about tokens when the store was asked."""


@dataclass(slots=True)
class _Known:
    caller: Caller | None
    """None: no valid token. Kept too, so that a client that goes on with a revoked token costs no query each time."""
    revoked: Caller | None
    """The caller of a revoked SITE token."""
    expires_at: float


class Authenticator:
    """One per process. ``clock`` is monotonic."""

    def __init__(self, tokens: TokenStore, wakeups: WakeUps, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        self._lookups: SingleFlight[bytes, _Known] = SingleFlight("token")
        self._asking: MicroBatcher[bytes, _LookedUp] = MicroBatcher(
            self._look_up, name="token-lookups", max_items=LOOKUPS_AT_ONCE, retry_singly=False
        )
        self._generation = 0
        self._noted: dict[str, float] = {}
        self._notes = BackgroundTasks()
        wakeups.on_tokens_changed(self._forget)

    def cached(self, authorization: str) -> Caller | None:
        """The caller of this ``authorization`` value if it is known just now; None means: ask :meth:`authenticate`."""
        known = self._known.get(token_hash(authorization))
        return known.caller if known is not None and known.expires_at > self._clock() else None

    async def authenticate(self, authorization: str, *, allow_revoked: bool = False) -> Caller:
        """``authorization``: the value of the header, ``Bearer <token>``. Unauthenticated; or what the store raises. ``allow_revoked``:
        a SITE token that was revoked has a caller, too."""
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise Unauthenticated("send `authorization: Bearer <token>`", reason="TOKEN_MISSING")
        secret = authorization[len(_SCHEME) :].strip()
        if not secret:
            raise Unauthenticated("send `authorization: Bearer <token>`", reason="TOKEN_MISSING")
        key = token_hash(authorization)
        known = self._known.get(key)
        if known is None or known.expires_at <= self._clock():
            if len(secret) > MAX_SECRET_LENGTH:
                raise unknown_token()
            known = await self._lookups.run(key, lambda: self._ask(key, secret))
        caller = known.caller or (known.revoked if allow_revoked else None)
        if caller is None:
            raise unknown_token()
        return caller

    async def close(self) -> None:
        """Ends the lookups and notes under way."""
        await self._lookups.stop()
        await self._asking.close()
        await self._notes.stop()

    async def _ask(self, key: bytes, secret: str) -> _Known:
        looked_up = await self._asking.submit(token_hash(secret))
        token, caller, revoked = looked_up.token, None, None
        if token is not None and token.revoke_time is None:
            caller = Caller(token.role, token.account_id, token.token_id)
            self._note_used(token.token_id)
        elif token is not None and token.role is Role.SITE:
            revoked = Caller(token.role, token.account_id, token.token_id, is_revoked=True)
        known = _Known(caller, revoked, looked_up.asked_at + CACHE_SECONDS)
        if looked_up.generation == self._generation:  # otherwise tokens changed while the store was asked: ask again next time
            if len(self._known) >= CACHE_SIZE:
                self._make_room()
            self._known[key] = known
        return known

    async def _look_up(self, hashes: Sequence[bytes]) -> list[_LookedUp]:
        asked_at, generation = self._clock(), self._generation
        found = await self._tokens.by_hashes(hashes)
        return [_LookedUp(found.get(each), asked_at, generation) for each in hashes]

    def _make_room(self) -> None:
        now = self._clock()
        self._known = {key: known for key, known in self._known.items() if known.expires_at > now and known.caller is not None}
        if len(self._known) >= CACHE_SIZE:
            self._known.clear()

    def _forget(self) -> None:
        self._generation += 1
        self._known.clear()

    def _note_used(self, token_id: str) -> None:
        now = self._clock()
        if now - self._noted.get(token_id, -NOTE_USED_SECONDS) < NOTE_USED_SECONDS:
            return
        if len(self._noted) >= CACHE_SIZE:
            self._noted.clear()
        self._noted[token_id] = now
        self._notes.start(self._store_used(token_id), name="token-used")

    async def _store_used(self, token_id: str) -> None:
        try:
            await self._tokens.note_used([token_id])
        except Exception as error:  # noqa: BLE001 - only a note about a call that has gone its way
            _LOG.warning("token_use_not_noted", error=type(error).__name__)


def unknown_token() -> Unauthenticated:
    return Unauthenticated("this token is not known, or it has been revoked", reason="TOKEN_UNKNOWN")
