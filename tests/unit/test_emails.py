"""Emails are compared normalised, stored raw, shown masked."""

from __future__ import annotations

import pytest
from tillsync_server.domain.emails import email_problem, mask_email, normalise_email


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        (" Ada@Example.TEST ", "ada@example.test"),
        ("ada@bücher.test", "ada@xn--bcher-kva.test"),
        ("STRASSE@example.test", "strasse@example.test"),
        ("straße@example.test", "strasse@example.test"),
        ("a.d.a+shop@example.test", "a.d.a+shop@example.test"),
        ("", ""),
        ("no at sign", "no at sign"),
        ("ada@-bad-.test", "ada@-bad-.test"),
    ],
)
def test_normalising(raw: str, normalised: str) -> None:
    assert normalise_email(raw) == normalised
    assert normalise_email(normalised) == normalised


@pytest.mark.parametrize(
    ("raw", "masked"),
    [("ada@example.test", "a•••@e•••.test"), ("", ""), ("nonsense", "•••"), ("x@localhost", "x•••@l•••")],
)
def test_masking_shows_no_whole_email(raw: str, masked: str) -> None:
    assert mask_email(raw) == masked


def test_problems_are_told_in_words() -> None:
    assert email_problem("ada@example.test") is None
    assert email_problem("not an email") is not None
