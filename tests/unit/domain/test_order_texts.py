"""Texts of shoppers and plugins in orders are cleaned and cut. They never refuse an order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tillsync_server.domain.order_texts import cleaned_email, cleaned_text


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("O&#039;Brien", "O'Brien"),
        ("O&#x27;Brien", "O'Brien"),
        ("Smith &amp; Sons", "Smith & Sons"),
        ("&amp;lt;", "&lt;"),
        ("AT&T &notit", "AT&T &notit"),
        ("&nbsp;Ada&nbsp;", "Ada"),
        ("Ada\tAugusta\r\nKing", "Ada Augusta King"),
        ("O\x92Brien", "O’Brien"),
        ("\x80 5", "€ 5"),
        ("Ada\x00\x1b[2J", "Ada [2J"),
        ("&#0;Ada&#8;", "\ufffdAda"),
        ("  ", ""),
        ("Zoë Łukasiewicz-Ōe 🦊", "Zoë Łukasiewicz-Ōe 🦊"),
    ],
)
def test_cleaned_text_is_one_plain_line(text: str, tidy: str) -> None:
    assert cleaned_text(text, 255) == tidy


@given(st.text(max_size=400), st.integers(1, 300))
def test_cleaned_text_always_fits_its_limit(text: str, most: int) -> None:
    found = cleaned_text(text, most)
    assert len(found) <= most
    assert found == found.strip()
    assert found.encode("utf-8").decode().replace("\x00", "") == found
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in found)


@pytest.mark.parametrize(
    ("text", "tidy"),
    [("ada@example.test\t", "ada@example.test"), ("\x00", ""), ("a&amp;b@example.test", "a&amp;b@example.test"), ("x" * 300, "x" * 300)],
)
def test_cleaned_email_is_neither_cut_nor_decoded(text: str, tidy: str) -> None:
    assert cleaned_email(text) == tidy
