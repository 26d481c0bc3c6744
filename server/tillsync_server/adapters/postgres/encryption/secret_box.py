"""Encrypts stored credentials with Fernet (AES-128-CBC and HMAC) under keys derived from TILLSYNC_SECRET_KEY.

The setting is a comma list: the first key encrypts, all decrypt. To rotate, put a new key first, restart every process, run the
re-encryption (``PostgresAccounts.reencrypt``), then remove the old key.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tillsync_server.domain.errors import TillsyncError

MIN_KEY_LENGTH = 32
_PURPOSE = b"tillsync credentials v1"


class SecretKeyError(TillsyncError):
    """TILLSYNC_SECRET_KEY is missing, too short, or not the key that encrypted a stored secret. The message never shows a key."""


class SecretBox:
    """Encrypts and decrypts one text at a time. ``keys`` are texts of at least 32 characters; HKDF-SHA256 derives the encryption keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        texts = [key.strip() for key in keys]
        if not texts:
            raise SecretKeyError("TILLSYNC_SECRET_KEY is not set: give a random text of at least 32 characters")
        for number, text in enumerate(texts, start=1):
            if len(text) < MIN_KEY_LENGTH:
                raise SecretKeyError(f"TILLSYNC_SECRET_KEY: key {number} has {len(text)} characters, it needs at least {MIN_KEY_LENGTH}")
        fernets = [_fernet(text) for text in texts]
        self._first = fernets[0]
        self._all = MultiFernet(fernets)

    @classmethod
    def from_setting(cls, setting: str) -> SecretBox:
        """Makes a box from the comma list of TILLSYNC_SECRET_KEY."""
        return cls([key for key in setting.split(",") if key.strip()])

    def encrypt(self, text: str) -> bytes:
        return self._all.encrypt(text.encode())

    def decrypt(self, stored: bytes) -> str:
        """Raises SecretKeyError if no key fits."""
        try:
            return self._all.decrypt(stored).decode()
        except InvalidToken as error:
            raise _wrong_key() from error

    def rotate(self, stored: bytes) -> bytes | None:
        """Returns the secret encrypted with the first key. None: it already is. Raises SecretKeyError if no key fits."""
        try:
            self._first.decrypt(stored)
        except InvalidToken:
            try:
                return self._all.rotate(stored)
            except InvalidToken as error:
                raise _wrong_key() from error
        return None


def _fernet(text: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(text.encode())
    return Fernet(urlsafe_b64encode(derived))


def _wrong_key() -> SecretKeyError:
    return SecretKeyError(
        "a stored credential cannot be decrypted with TILLSYNC_SECRET_KEY: put the key it was encrypted with back into the list"
    )
