"""Bearer tokens in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from fakes.script import Faults, raise_fault
from fakes.wakeups import FakeWakeUps
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Token


@dataclass
class FakeTokens:
    """Implements ports.accounts.TokenStore. ``lookups`` counts the look-ups of hashes. ``gate``: look-ups answer when it is set.

    Without ``accounts`` every account exists.
    """

    accounts: FakeAccounts | None = None
    wakeups: FakeWakeUps = field(default_factory=FakeWakeUps)
    clock: FakeClock = field(default_factory=FakeClock)
    tokens: dict[str, Token] = field(default_factory=dict)
    hashes: dict[bytes, str] = field(default_factory=dict)
    lookups: int = 0
    gate: asyncio.Event | None = None
    faults: Faults = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    """Noted uses, including repetitions."""

    async def create(self, token: Token, secret_hash: bytes) -> Token:
        if self.accounts is not None and token.account_id is not None and token.account_id not in self.accounts.accounts:
            raise NotFound(f"account {token.account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
        if secret_hash in self.hashes:
            return self.tokens[self.hashes[secret_hash]]
        return self.add(token, secret_hash)

    def add(self, token: Token, secret_hash: bytes) -> Token:
        self.tokens[token.token_id] = token
        self.hashes[secret_hash] = token.token_id
        return token

    async def by_hash(self, secret_hash: bytes) -> Token | None:
        return (await self.by_hashes([secret_hash])).get(secret_hash)

    async def by_hashes(self, secret_hashes: Sequence[bytes]) -> dict[bytes, Token]:
        """Returns the tokens as they were at the time of the call, even if the answer takes long."""
        self.lookups += 1
        answer = {each: self.tokens[self.hashes[each]] for each in secret_hashes if each in self.hashes}
        if self.gate is not None:
            await self.gate.wait()
        raise_fault(self.faults, "by_hashes")
        return answer

    async def list_tokens(self, account_id: AccountId | None, *, after: str, limit: int) -> list[Token]:
        return [token for key, token in sorted(self.tokens.items()) if token.account_id == account_id and key > after][:limit]

    async def revoke(self, account_id: AccountId | None, token_id: str) -> Token:
        token = self.tokens.get(token_id)
        if token is None or token.account_id != account_id:
            raise NotFound(f"token {token_id} does not exist", reason="TOKEN_NOT_FOUND")
        self.tokens[token_id] = replace(token, revoke_time=token.revoke_time or self.clock.database_now())
        self.wakeups.tokens_changed()
        return self.tokens[token_id]

    async def note_used(self, token_ids: Sequence[str]) -> None:
        self.used += token_ids
        for token_id in {*token_ids} & self.tokens.keys():
            self.tokens[token_id] = replace(self.tokens[token_id], last_used_time=self.clock.database_now())
