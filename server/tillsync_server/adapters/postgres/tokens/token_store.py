"""Stores bearer tokens as hashes only. The statements are in ``tokens.sql``."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Token
from tillsync_server.ports.wakeups import Notifier

_INSERT = load("tokens/insert")
_BY_HASH = load("tokens/by_hash")
_BY_HASHES = load("tokens/by_hashes")
_LIST_OF_ACCOUNT = load("tokens/list_of_account")
_LIST_WITHOUT_ACCOUNT = load("tokens/list_without_account")
_REVOKE = load("tokens/revoke")
_NOTE_USED = load("tokens/note_used")


class PostgresTokens:
    """Implements ports.accounts.TokenStore."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def create(self, token: Token, secret_hash: bytes) -> Token:
        async with self._database.acquire() as connection:
            try:
                row = await connection.fetchrow(
                    _INSERT, token.token_id, secret_hash, int(token.role), token.account_id, token.name, token.create_time
                )
            except asyncpg.ForeignKeyViolationError as error:
                raise NotFound(f"account {token.account_id} does not exist", reason="ACCOUNT_NOT_FOUND") from error
            row = row or await connection.fetchrow(_BY_HASH, secret_hash)
        return _token(_present(row, token.token_id))

    async def by_hash(self, secret_hash: bytes) -> Token | None:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_BY_HASH, secret_hash)
        return None if row is None else _token(row)

    async def by_hashes(self, secret_hashes: Sequence[bytes]) -> dict[bytes, Token]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_BY_HASHES, secret_hashes)
        return {row["token_hash"]: _token(row) for row in rows}

    async def list_tokens(self, account_id: AccountId | None, *, after: str, limit: int) -> list[Token]:
        async with self._database.acquire() as connection:
            if account_id is None:
                rows = await connection.fetch(_LIST_WITHOUT_ACCOUNT, after, limit)
            else:
                rows = await connection.fetch(_LIST_OF_ACCOUNT, account_id, after, limit)
        return [_token(row) for row in rows]

    async def revoke(self, account_id: AccountId | None, token_id: str) -> Token:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_REVOKE, token_id, account_id)
        token = _token(_present(row, token_id))
        self._notifier.tokens_changed()
        return token

    async def note_used(self, token_ids: Sequence[str]) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE_USED, sorted(set(token_ids)))


def _present(row: asyncpg.Record | None, token_id: str) -> asyncpg.Record:
    if row is None:
        raise NotFound(f"token {token_id} does not exist", reason="TOKEN_NOT_FOUND")
    return row


def _token(row: asyncpg.Record) -> Token:
    return Token(
        token_id=row["token_id"],
        role=Role(row["role"]),
        account_id=None if row["account_id"] is None else AccountId(row["account_id"]),
        name=row["name"],
        create_time=row["create_time"],
        last_used_time=row["last_used_time"],
        revoke_time=row["revoke_time"],
    )
