"""Cleans an order's texts. Shoppers, forms, themes and plugins write them in any form, and no text is a reason to refuse an order."""

from __future__ import annotations

import html
import re

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FROM_WINDOWS = {code: decoded for code in range(0x80, 0xA0) if (decoded := bytes([code]).decode("cp1252", errors="ignore"))}
"""Code points of quotes, dashes and the euro sign in a Windows-1252 text that was read as Latin-1."""


def cleaned_text(text: str, most: int) -> str:
    """One line of at most ``most`` characters. Entities are decoded once. Control characters and runs of white space become one space."""
    decoded = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text).translate(_FROM_WINDOWS)
    return shortened(" ".join(_CONTROL.sub(" ", decoded).encode("utf-8", "ignore").decode().split()), most)


def cleaned_email(text: str) -> str:
    """The email without control characters and without white space at its ends. It is a key, so it is neither cut nor decoded."""
    return _CONTROL.sub(" ", text).strip()


def shortened(text: str, most: int) -> str:
    return text[:most].rstrip()
