"""Bearer tokens and callers. This module makes secrets, their hashes and connect strings. Only CreateToken's answer has the secret."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from uuid_utils.compat import uuid7

from tillsync_server.domain.enums import Role
from tillsync_server.domain.ids import AccountId

SECRET_PREFIX = "tls_"
"""Secret scanners find a leaked token by this prefix."""

CONNECT_PREFIX = "tillsync1."


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token without its secret. ``account_id`` is set only for Role.SITE."""

    token_id: str
    role: Role
    account_id: AccountId | None
    name: str
    create_time: datetime
    last_used_time: datetime | None = None
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a token. ``account_id`` is set only for Role.SITE, and names the only account that the caller may touch."""

    role: Role
    account_id: AccountId | None
    token_id: str
    is_revoked: bool = False
    """The token is revoked. Only DisconnectShop accepts such a caller, to answer a repeated call."""

    def may_touch(self, account_id: str) -> bool:
        return self.account_id is None or self.account_id == account_id


def new_token_secret() -> str:
    """``tls_`` and 32 random bytes in base64url without padding, 47 characters in all."""
    return SECRET_PREFIX + _base64url(secrets.token_bytes(32))


def new_token_id() -> str:
    """An opaque id. It sorts after all earlier ones."""
    return f"tok_{uuid7().hex}"


def token_hash(secret: str) -> bytes:
    """The SHA-256 that is stored in place of the secret, 32 bytes. A secret of 256 random bits needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def connect_string(url: str, account_id: AccountId, secret: str) -> str:
    """The text that a merchant pastes into the bridge. It contains the secret."""
    content = json.dumps({"url": url, "account_id": account_id, "token": secret}, separators=(",", ":"))
    return CONNECT_PREFIX + _base64url(content.encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
