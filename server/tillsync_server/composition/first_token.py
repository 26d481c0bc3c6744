"""The first admin token. TILLSYNC_ADMIN_TOKEN sets it; otherwise it is made once and written to a file for its owner."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import structlog

from tillsync_server.composition.private_files import make_private, read_private
from tillsync_server.domain.enums import Role
from tillsync_server.domain.tokens import Token, new_token_id, new_token_secret, token_hash
from tillsync_server.ports.accounts import TokenStore

_LOG = structlog.get_logger(__name__)
GIVEN_NAME = "TILLSYNC_ADMIN_TOKEN"
MADE_NAME = "first admin token"
FILE_NAME = "admin-token"
_PAGE = 500


async def ensure_admin_token(tokens: TokenStore, given: str | None, data_dir: Path) -> Path | None:
    """Returns the file of the token, or None if the token was given or other admin tokens exist.

    A given token is stored (hashed) and replaces those given before. Without one, a token is made only while the database has no valid
    admin token. An existing file is used again, so that the token survives a lost database. A revoked token stays revoked.
    """
    if given is not None:
        await _store_given(tokens, given)
        return None
    path = data_dir / FILE_NAME
    present = read_private(path)
    if present is not None and await tokens.by_hash(token_hash(present)) is not None:
        return path
    if await _valid_admin_tokens(tokens):
        return None
    secret = make_private(path, new_token_secret)
    if await tokens.by_hash(token_hash(secret)) is None:
        await tokens.create(_admin(MADE_NAME), token_hash(secret))
        _LOG.info("admin_token_made", path=str(path))
    return path


async def _store_given(tokens: TokenStore, secret: str) -> None:
    hashed = token_hash(secret)
    stored = await tokens.by_hash(hashed)
    if stored is None:
        stored = await tokens.create(_admin(GIVEN_NAME), hashed)
    elif stored.revoke_time is not None:
        _LOG.warning("admin_token_is_revoked", token_id=stored.token_id, what="TILLSYNC_ADMIN_TOKEN was revoked: give another one")
        return
    for other in await _valid_admin_tokens(tokens):
        if other.name == GIVEN_NAME and other.token_id != stored.token_id:
            await tokens.revoke(None, other.token_id)
            _LOG.info("admin_token_replaced", token_id=other.token_id)


async def _valid_admin_tokens(tokens: TokenStore) -> list[Token]:
    found: list[Token] = []
    after = ""
    while True:
        page = await tokens.list_tokens(None, after=after, limit=_PAGE)
        found += [token for token in page if token.role is Role.ADMIN and token.revoke_time is None]
        if len(page) < _PAGE:
            return found
        after = page[-1].token_id


def _admin(name: str) -> Token:
    return Token(token_id=new_token_id(), role=Role.ADMIN, account_id=None, name=name, create_time=datetime.now(UTC))
