"""Compares the Basic credentials of a webhook in constant time.

HTTP specifies no encoding for them, and Epos Now's is not known. For example "£" is two bytes in UTF-8 and one in ISO-8859-1.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from tillsync_server.domain.account import EposSettings

# invariant: webhook-secrets-in-each-encoding
ENCODINGS = ("utf-8", "iso-8859-1", "cp1252")
"""Encodings that senders use: the standard's recommendation, the older standard, and that of Windows, which has "€" and ISO-8859-1 not."""
_MAX_LENGTH = 4096


def basic_pair(header: str) -> bytes | None:
    """Returns ``user:password`` of an Authorization header, or None if it is no readable Basic header."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic" or len(value) > _MAX_LENGTH:
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


def opens(given: bytes | None, epos: EposSettings) -> bool:
    """Returns whether ``given`` is the pair of these settings, in any of the encodings. No pair opens an account without credentials.

    The steps are the same for all values of ``given`` and of the settings.
    """
    key, secret = epos.webhook_key, epos.webhook_secret
    equal = False
    for encoding in ENCODINGS:
        expected = _encoded(f"{key}:{secret}", encoding)
        equal |= hmac.compare_digest(_digest(expected if given is not None else b""), _digest(given or b"\0"))
    return equal and bool(key) and bool(secret)


def _encoded(pair: str, encoding: str) -> bytes:
    """Encodes ``pair``, in UTF-8 if ``encoding`` lacks a character. A "?" in place of the character would match other secrets."""
    try:
        return pair.encode(encoding)
    except UnicodeEncodeError:
        return pair.encode()


def _digest(value: bytes) -> bytes:
    """Returns a digest. Digests have equal lengths, so the comparison does not show the length of the credentials."""
    return hmac.digest(b"webhook", value, "sha256")
