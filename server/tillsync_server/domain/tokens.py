"""Bearer tokens: how a secret is made, hashed and handed to a shop. A secret exists once, in the answer of CreateToken."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets

from uuid_utils.compat import uuid7

from tillsync_server.domain.ids import AccountId

SECRET_PREFIX = "tls_"
"""Lets secret scanners find a leaked token."""

CONNECT_PREFIX = "tillsync1."


def new_token_secret() -> str:
    """``tls_`` + 32 random bytes, base64url without padding: 47 characters."""
    return SECRET_PREFIX + _base64url(secrets.token_bytes(32))


def new_token_id() -> str:
    """Opaque; later ones sort after earlier ones."""
    return f"tok_{uuid7().hex}"


def token_hash(secret: str) -> bytes:
    """What is stored of a secret: 32 bytes of SHA-256. The secrets are 256 random bits, so no salt and no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def connect_string(url: str, account_id: AccountId, secret: str) -> str:
    """What a merchant pastes into the bridge. It contains the secret."""
    content = json.dumps({"url": url, "account_id": account_id, "token": secret}, separators=(",", ":"))
    return CONNECT_PREFIX + _base64url(content.encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
