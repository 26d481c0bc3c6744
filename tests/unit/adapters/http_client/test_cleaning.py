"""Texts of the till and the shop become one clean line, and Retry-After becomes seconds."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from tillsync_server.adapters.http_client import Answer, clean_text, redact, retry_after_seconds
from tillsync_server.domain.enums import Side

BASIC = base64.b64encode(b"MYKEY123:MYSECRET").decode()


def page(body: bytes, charset: str) -> Answer:
    return Answer(
        side=Side.SHOP, status=500, headers=CIMultiDictProxy(CIMultiDict()), body=body, content_type="text/plain", charset=charset
    )


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Invalid field value for CustomerType: CustomerTypeID", "Invalid field value for CustomerType: CustomerTypeID"),
        ("Forename - too long\r\nSurname - too long\r\n", "Forename - too long Surname - too long"),
        ("<html><head><title>502 Bad\n Gateway</title></head><body><h1>no</h1></body></html>", "HTML page: 502 Bad Gateway"),
        ("<!DOCTYPE html><body><h1>Server</h1><p>Error</p><script>evil()</script></body>", "HTML page: Server Error"),
        ("<html></html>", "HTML page: without a text"),
        ("<Error><Message>No such &lt;thing&gt;</Message></Error>", "No such"),
        ("a &lt;script&gt;alert(1)&lt;/script&gt; b", "a alert(1) b"),
        ("<b>maximum API limit</b> reached", "maximum API limit reached"),
        ("3 < 5 & 7 > 6", "3 < 5 & 7 > 6"),
        ("a\x00b\x1b[31mc\u202ed\u200be\u2028f\tg\ud800", "ab[31mcde f g"),
        ("Basic customer types cannot be deleted", "Basic customer types cannot be deleted"),
        (f"header Authorization: Basic {BASIC} refused", "header Authorization: Basic [redacted] refused"),
        ("Bearer abcdefghijklmnop.q refused", "Bearer [redacted] refused"),
        ("key ck_0123456789abcdef and cs_0123456789abcdef", "key [redacted] and [redacted]"),
        ("see https://user:pass@till.example.test/x", "see https://[redacted]@till.example.test/x"),
        ("/wc/v3?consumer_key=abcdefg&oauth_signature=x%2Fyzz&page=1", "/wc/v3?consumer_key=[redacted]&oauth_signature=[redacted]&page=1"),
        ('{"api_secret": "abcdef", "page": 2}', '{"api_secret": "[redacted]", "page": 2}'),
        ("paste tillsync1.eyJ1cmwiOiJ4In0 here", "paste [redacted] here"),
        ("ada.byron+shop@mail.example.test is taken", "a•••@m•••.test is taken"),
        ("email=ada%40example.test", "e•••@e•••.test"),
        ("ada@localhost", "a•••@l•••"),
        ("", ""),
    ],
)
def test_texts_are_cleaned(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


def test_known_secrets_are_redacted_in_every_spelling() -> None:
    secret = "p/ss+w rd"
    encoded = base64.b64encode(secret.encode()).decode()
    text = f"{secret} p%2Fss%2Bw%20rd p%2Fss%2Bw+rd {encoded}"
    assert redact(text, [secret]) == " ".join(["[redacted]"] * 4)


def test_short_secrets_are_not_redacted() -> None:
    assert redact("a cab", ["a", ""]) == "a cab"


def test_long_texts_are_redacted_and_then_cut_with_an_ellipsis() -> None:
    line = clean_text("x" * 490 + " ada.byron@example.test " + "y" * 100)
    assert len(line) == 500
    assert line.endswith("…")
    assert "byron" not in line


@given(st.text(alphabet=st.sampled_from(list("<>&;a/!-'\"= \x00\u202e@.%4:0bc_k?#[]lt")), max_size=400))
def test_any_text_becomes_one_line_without_markup_or_controls(raw: str) -> None:
    line = clean_text(raw)
    assert len(line) <= 500
    assert line == " ".join(line.split())
    assert not any(ord(character) < 32 for character in line)
    assert "<a>" not in line
    assert "<script" not in line


@pytest.mark.parametrize("raw", ["a <!-- b -->c", "a <!-- b <i> --> c", "a c<!-- b", "a c<!-- b <!-- b"])
def test_html_comments_are_removed_even_unterminated(raw: str) -> None:
    assert clean_text(raw) == "a c"


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a <![0", "a 0"),
        ("a<![foo[ b ]]>c", "a foo[ b ]]>c"),
        ("<html><title>Bad gateway</title><body>a<![0 b", "HTML page: Bad gateway"),
        ("a <![CDATA[ b ]]> c", "a c"),
    ],
)
def test_invalid_cdata_section_does_not_end_the_parsing(raw: str, cleaned: str) -> None:
    assert clean_text(raw) == cleaned


def test_hostile_texts_are_cleaned_quickly() -> None:
    for hostile in (
        "a" * 2_000_000,
        "@" * 2_000_000,
        "<" * 2_000_000,
        "://" * 500_000,
        "key" * 500_000,
        "<svg>" * 300_000,
        "a.a@" * 400_000,
        "<!--" * 500_000,
    ):
        assert len(clean_text(hostile)) <= 500


@pytest.mark.parametrize("charset", ["klingon", "punycode", "idna", "undefined", "hex", "iso-8859-99", "utf-8\x00", "", "x" * 5000])
def test_unknown_charset_is_decoded_as_utf_8(charset: str) -> None:
    assert page("brøken".encode(), charset).text == "brøken"


@pytest.mark.parametrize(
    "charset", ["UTF-8", "utf8", "iso-8859-1", "ISO_8859-15", "latin1", "windows-1252", "cp1252", "utf-16", "utf-16le"]
)
def test_common_charsets_are_decoded(charset: str) -> None:
    assert page("brøken".encode(charset), charset).text == "brøken"


def test_only_the_beginning_of_a_large_body_is_decoded() -> None:
    assert page(b"a" * 8_000_000, "punycode").text.startswith("aaa")
    assert not page(b" " * 8_000_000 + b"<html>", "utf-8").is_html


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("99999999999999999999", 86_400.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Fri, 02 Jan 99999999999999999999 03:05:05 GMT", None),
        ("Fri, 02 Jan 2026 03:05:05 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, lambda: NOW) == seconds
