"""The Basic credentials of a webhook, compared in constant time.

HTTP names no encoding for them, and which one Epos Now uses is not known: "£" is two bytes in UTF-8 and one in ISO-8859-1.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from tillsync_server.domain.account import EposSettings

# invariant: webhook-secrets-in-each-encoding
ENCODINGS = ("utf-8", "iso-8859-1", "cp1252")
"""What senders use: the standard's wish, the older standard, and Windows, which has "€" where ISO-8859-1 has none."""
_MAX_LENGTH = 4096


def basic_pair(header: str) -> bytes | None:
    """``user:password`` of an Authorization header. None: it is no Basic header."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic" or len(value) > _MAX_LENGTH:
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


def opens(given: bytes | None, epos: EposSettings) -> bool:
    """Whether ``given`` is the pair of these settings, in any of the encodings. An account without a pair is opened by none.

    The same steps whatever is given, and whatever is set.
    """
    key, secret = epos.webhook_key, epos.webhook_secret
    equal = False
    for encoding in ENCODINGS:
        expected = _encoded(f"{key}:{secret}", encoding)
        equal |= hmac.compare_digest(_digest(expected if given is not None else b""), _digest(given or b"\0"))
    return equal and bool(key) and bool(secret)


def _encoded(pair: str, encoding: str) -> bytes:
    """In UTF-8 where the encoding has no such character: a "?" in its place would let other secrets in."""
    try:
        return pair.encode(encoding)
    except UnicodeEncodeError:
        return pair.encode()


def _digest(value: bytes) -> bytes:
    """Of equal length whatever is compared, so that the length of the credentials does not show either."""
    return hmac.digest(b"webhook", value, "sha256")
