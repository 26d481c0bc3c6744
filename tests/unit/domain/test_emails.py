"""Emails are compared in normalised form, stored as they came, and shown masked."""

from __future__ import annotations

import pytest
from tillsync_server.domain.emails import email_form_before, email_forms, email_problem, mask_email, normalise_email


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        (" Ada@Example.TEST ", "ada@example.test"),
        ("ada@bücher.test", "ada@xn--bcher-kva.test"),
        ("STRASSE@example.test", "strasse@example.test"),
        ("straße@example.test", "straße@example.test"),
        ("ada@BÜCHER.test", "ada@xn--bcher-kva.test"),
        ("ada@XN--BCHER-KVA.test", "ada@xn--bcher-kva.test"),
        ("ada@straße.test", "ada@xn--strae-oqa.test"),
        ("ada@i❤.test", "ada@xn--i-7iq.test"),
        ("ada@xn--i-7iq.test", "ada@xn--i-7iq.test"),
        ("ada@a_b.test", "ada@a_b.test"),
        ("\tada@example.test\r\n", "ada@example.test"),
        ("\u00a0\u2003ada@example.test\u3000", "ada@example.test"),
        ("\u200bada@example.test", "ada@example.test"),
        ("a\u200bda@exa\u00admple.test", "ada@example.test"),
        ("\ufeffada@example.test", "ada@example.test"),
        ("\u202aada@example.test\u202c\u200e", "ada@example.test"),
        ("\x00ada\x1b@example.test", "ada@example.test"),
        ("ada\u200c@example.test", "ada@example.test"),
        ("نا\u200cما@example.test", "نا\u200cما@example.test"),
        ("an\u0303da@example.test", "añda@example.test"),
        ("a.d.a+shop@example.test", "a.d.a+shop@example.test"),
        ("", ""),
        ("no at sign", "no at sign"),
        ("ada@-bad-.test", "ada@-bad-.test"),
    ],
)
def test_emails_are_normalised(raw: str, normalised: str) -> None:
    assert normalise_email(raw) == normalised
    assert normalise_email(normalised) == normalised


@pytest.mark.parametrize(
    ("raw", "masked"),
    [("ada@example.test", "a•••@e•••.test"), ("", ""), ("nonsense", "•••"), ("x@localhost", "x•••@l•••")],
)
def test_masked_email_shows_no_whole_part(raw: str, masked: str) -> None:
    assert mask_email(raw) == masked


def test_invalid_email_has_a_problem_text() -> None:
    assert email_problem("ada@example.test") is None
    assert email_problem("not an email") is not None
    assert email_problem("\ufeffada@example.test ") is None


def test_email_forms_include_the_previous_release_form() -> None:
    assert email_forms(" Ada@Example.test") == ("ada@example.test",), "for most emails both are the same"
    assert email_forms("Straße@example.test") == ("straße@example.test", "strasse@example.test")
    assert email_forms("\u200bada@example.test") == ("ada@example.test", "\u200bada@example.test")
    assert email_forms(" ") == ()
    assert email_form_before("ada@straße.test") == "ada@strasse.test"
