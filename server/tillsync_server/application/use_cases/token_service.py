"""Creates, lists and revokes bearer tokens. Only the answer of ``create`` has the secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tillsync_server.application.use_cases.page_tokens import PageTokens, coerced_page_size
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import InvalidArgument
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Token, connect_string, new_token_id, new_token_secret, token_hash
from tillsync_server.ports.accounts import AccountStore, TokenStore

MAX_NAME_LENGTH = 100
MAX_TOKEN_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class NewToken:
    token: Token
    secret: str = field(repr=False)
    connect_string: str = field(repr=False)
    """Empty if the token is no SITE token, or if the service does not know its public address."""


@dataclass(frozen=True, slots=True)
class TokensPage:
    tokens: tuple[Token, ...]
    next_page_token: str


class TokenService:
    """Manages tokens. ``public_url``: TILLSYNC_PUBLIC_URL, empty if it is not set."""

    def __init__(self, tokens: TokenStore, accounts: AccountStore, *, public_url: str = "") -> None:
        self._tokens = tokens
        self._accounts = accounts
        self._public_url = public_url

    async def create(self, role: Role, account_id: AccountId | None, name: str) -> NewToken:
        """Creates a token. Raises NotFound (unknown account), InvalidArgument (a SITE token without its account, or another token with
        one)."""
        if role is Role.SITE and account_id is None:
            raise InvalidArgument.of("account_id", "a SITE token needs its account")
        if role is not Role.SITE and account_id is not None:
            raise InvalidArgument.of("account_id", f"must be empty: a {role.name} token is for all accounts")
        if len(name) > MAX_NAME_LENGTH or any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
            raise InvalidArgument.of("name", f"at most {MAX_NAME_LENGTH} characters, no control characters")
        secret = new_token_secret()
        token = Token(token_id=new_token_id(), role=role, account_id=account_id, name=name, create_time=datetime.now(UTC))
        stored = await self._tokens.create(token, token_hash(secret))
        connect = connect_string(self._public_url, account_id, secret) if account_id is not None and self._public_url else ""
        return NewToken(stored, secret, connect)

    async def list_tokens(self, account_id: AccountId | None, page_size: int, page_token: str) -> TokensPage:
        """Returns a page of tokens, revoked ones included. Raises NotFound (unknown account)."""
        limit = coerced_page_size(page_size)
        tokens = PageTokens("page_token", "tokens", account_id)
        found = await self._tokens.list_tokens(account_id, after=tokens.read_text(page_token) or "", limit=limit + 1)
        if not found and account_id is not None:
            await self._accounts.get(account_id)
        page = tuple(found[:limit])
        return TokensPage(page, tokens.make(page[-1].token_id) if len(found) > limit else "")

    async def revoke(self, account_id: AccountId | None, token_id: str) -> Token:
        """Revokes a token. It is idempotent. Raises NotFound, also for a token of another account, and InvalidArgument."""
        if not token_id or len(token_id) > MAX_TOKEN_ID_LENGTH:
            raise InvalidArgument.of("token_id", f"1 to {MAX_TOKEN_ID_LENGTH} characters")
        return await self._tokens.revoke(account_id, token_id)
