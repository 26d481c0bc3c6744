"""Resolves bearer tokens to callers. The cache keeps a result for less than the five seconds within which a revoked token must be
refused."""

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
"""Lifetime from the start of the lookup. The database's own timeout bounds the lookup."""
CACHE_SIZE = 10_000
LOOKUPS_AT_ONCE = 500
"""Tokens that one query looks up. So a flood of different unknown tokens delays known callers by a query or two."""
NOTE_USED_SECONDS = 60.0
MAX_SECRET_LENGTH = 512
_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class _LookedUp:
    token: Token | None
    started_at: float
    generation: int
    """Generation of the tokens at the start of the lookup."""


@dataclass(slots=True)
class _Resolved:
    caller: Caller | None
    """None without a valid token. That is cached too, so that a client that keeps using a revoked token does not cost a query each time."""
    revoked: Caller | None
    """The caller of a revoked SITE token."""
    expires_at: float


class Authenticator:
    """Authenticates callers. One per process. ``clock`` is monotonic, in seconds."""

    def __init__(self, tokens: TokenStore, wakeups: WakeUps, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._clock = clock
        self._cache: dict[bytes, _Resolved] = {}
        self._lookups: SingleFlight[bytes, _Resolved] = SingleFlight("token")
        self._batcher: MicroBatcher[bytes, _LookedUp] = MicroBatcher(
            self._look_up, name="token-lookups", max_items=LOOKUPS_AT_ONCE, retry_singly=False
        )
        self._generation = 0
        self._noted: dict[str, float] = {}
        self._notes = BackgroundTasks()
        wakeups.on_tokens_changed(self._forget)

    def cached(self, authorization: str) -> Caller | None:
        """Returns the cached caller of this ``authorization`` value. If it is None, call :meth:`authenticate`."""
        resolved = self._cache.get(token_hash(authorization))
        return resolved.caller if resolved is not None and resolved.expires_at > self._clock() else None

    async def authenticate(self, authorization: str, *, allow_revoked: bool = False) -> Caller:
        """Returns the caller. ``authorization``: the header's value, ``Bearer <token>``. ``allow_revoked``: a revoked SITE token has a
        caller too. Raises Unauthenticated, and the store's errors."""
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise Unauthenticated("send `authorization: Bearer <token>`", reason="TOKEN_MISSING")
        secret = authorization[len(_SCHEME) :].strip()
        if not secret:
            raise Unauthenticated("send `authorization: Bearer <token>`", reason="TOKEN_MISSING")
        key = token_hash(authorization)
        resolved = self._cache.get(key)
        if resolved is None or resolved.expires_at <= self._clock():
            if len(secret) > MAX_SECRET_LENGTH:
                raise unknown_token()
            resolved = await self._lookups.run(key, lambda: self._resolve(key, secret))
        caller = resolved.caller or (resolved.revoked if allow_revoked else None)
        if caller is None:
            raise unknown_token()
        return caller

    async def close(self) -> None:
        """Ends the lookups and notes under way."""
        await self._lookups.stop()
        await self._batcher.close()
        await self._notes.stop()

    async def _resolve(self, key: bytes, secret: str) -> _Resolved:
        looked_up = await self._batcher.submit(token_hash(secret))
        token, caller, revoked = looked_up.token, None, None
        if token is not None and token.revoke_time is None:
            caller = Caller(token.role, token.account_id, token.token_id)
            self._note_used(token.token_id)
        elif token is not None and token.role is Role.SITE:
            revoked = Caller(token.role, token.account_id, token.token_id, is_revoked=True)
        resolved = _Resolved(caller, revoked, looked_up.started_at + CACHE_SECONDS)
        if looked_up.generation == self._generation:  # otherwise tokens changed during the lookup, and the next call looks up again
            if len(self._cache) >= CACHE_SIZE:
                self._make_room()
            self._cache[key] = resolved
        return resolved

    async def _look_up(self, hashes: Sequence[bytes]) -> list[_LookedUp]:
        started_at, generation = self._clock(), self._generation
        found = await self._tokens.by_hashes(hashes)
        return [_LookedUp(found.get(each), started_at, generation) for each in hashes]

    def _make_room(self) -> None:
        now = self._clock()
        self._cache = {key: resolved for key, resolved in self._cache.items() if resolved.expires_at > now and resolved.caller is not None}
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()

    def _forget(self) -> None:
        self._generation += 1
        self._cache.clear()

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
        except Exception as error:  # noqa: BLE001 - a failed note must not end the call
            _LOG.warning("token_use_not_noted", error=type(error).__name__)


def unknown_token() -> Unauthenticated:
    return Unauthenticated("this token is not known, or it has been revoked", reason="TOKEN_UNKNOWN")
