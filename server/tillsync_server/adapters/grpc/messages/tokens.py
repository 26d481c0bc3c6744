"""Bearer tokens as messages. Only CreateTokenResponse contains a secret."""

from __future__ import annotations

from typing import Any

from tillsync.v1 import account_service_pb2, token_pb2

from tillsync_server.application.use_cases.token_service import NewToken
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Token


def account_or_none(account_id: str) -> AccountId | None:
    """Returns the account's id, or None for an empty one, which means the tokens of roles without an account."""
    return AccountId(account_id) if account_id else None


def fill_token(message: token_pb2.Token, token: Token) -> None:
    """Writes ``token`` into an empty message."""
    m: Any = message
    m.token_id = token.token_id
    m.role = token.role
    m.account_id = token.account_id or ""
    m.name = token.name
    m.create_time.FromDatetime(token.create_time)
    if token.last_used_time is not None:
        m.last_used_time.FromDatetime(token.last_used_time)
    if token.revoke_time is not None:
        m.revoke_time.FromDatetime(token.revoke_time)


def create_token_response(made: NewToken) -> account_service_pb2.CreateTokenResponse:
    response = account_service_pb2.CreateTokenResponse(secret=made.secret, connect_string=made.connect_string)
    fill_token(response.token, made.token)
    return response
