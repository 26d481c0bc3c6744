"""No log line holds personal data or credentials: only listed keys carry text, and exceptions lose their messages."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
import structlog
from support.logs import CapturedLines, captured_lines
from tillsync_server.adapters.observability.logs import SAFE_TEXT_KEYS, configure_logging
from tillsync_server.adapters.observability.scrubbing import scrubbed

SECRETS = (
    "ada@example.test",
    "Ada Byron",
    "01200 000000",
    "tls_" + "a1B2" * 11,
    "ck_" + "0123456789abcdef" * 2,
    "cs_" + "0123456789abcdef" * 2,
    "QWRhOnNlY3JldA==",
)


@pytest.fixture
def lines() -> Iterator[CapturedLines]:
    with captured_lines() as made:
        yield made


def test_text_is_logged_only_under_listed_keys(lines: CapturedLines) -> None:
    log = structlog.get_logger("tillsync_server.some.place")
    log.warning(
        "order_held", account_id="shop-1", entry_id=UUID(int=7), attempts=3, subject_label="Ada B.", email=SECRETS[0], name=SECRETS[1]
    )
    [line] = lines.all()
    assert line["event"] == "order_held"
    assert (line["account_id"], line["entry_id"], line["attempts"]) == ("shop-1", str(UUID(int=7)), 3)
    assert line["level"] == "warning"
    assert line["logger"] == "tillsync_server.some.place"
    assert line["timestamp"].endswith("Z")
    assert line["dropped"] == ["email", "name", "subject_label"], "an operator sees that something was left out"
    assert "Ada" not in lines.text


def test_lists_are_logged_only_if_plain_and_under_listed_keys(lines: CapturedLines) -> None:
    structlog.get_logger("x").info("kept", revisions=["0001", "0002"], reason={"email": SECRETS[0]}, rows=[SECRETS[0]])
    [line] = lines.all()
    assert line["revisions"] == ["0001", "0002"]
    assert line["dropped"] == ["reason", "rows"]


@pytest.mark.parametrize("secret", [secret for secret in SECRETS if secret not in ("Ada Byron", "01200 000000")])
def test_listed_texts_are_still_scrubbed(lines: CapturedLines, secret: str) -> None:
    log = structlog.get_logger("x")
    log.error("odd", reason=f"Basic {secret}" if secret.endswith("==") else f"refused: {secret}.", error=f"Bearer {secret}")
    log.error(f"event with {'Basic ' if secret.endswith('==') else ''}{secret}")
    assert secret not in lines.text
    assert len(lines.all()) == 2


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("postgresql://user:hunter2@db/x", "postgresql://[redacted]db/x"),
        ("password=hunter2 next", "[redacted] next"),
        ("connect tillsync1.eyJ1cmwiOiJ4In0", "connect [redacted]"),
        ("to a@b.test, c@d.test", "to [email], [email]"),
        ("lane_runner.py:120 run", "lane_runner.py:120 run"),
        ("0190a6e1-1111-7222-8333-444455556666", "0190a6e1-1111-7222-8333-444455556666"),
        ("tok_0190a6e1111172228333444455556666", "tok_0190a6e1111172228333444455556666"),
        ("lane_runner.py:120 a_function_whose_name_is_longer_than_forty_characters", None),
        ("two\nlines", "two lines"),
        ("to ada%40example.test or ada\uff20example.test", "to [email] or [email]"),
        ("ada\u200b@\u200bexample.test", "[email]"),
        ("adä@bücher.example", "[email]"),
        ("\x1b[31mred\x00 \x85\u202etext", "[31mred text"),
        ("consumer_secret=abc&x=1", "[redacted]&x=1"),
        ('{"password": "hunter2", "n": 1}', '{"[redacted]", "n": 1}'),
        ("postgresql://user:p@ss@db/x", "postgresql://[redacted]db/x"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "[redacted]"),
    ],
)
def test_texts_are_scrubbed(text: str, clean: str | None) -> None:
    assert scrubbed(text) == (text if clean is None else clean)


def test_scrubbed_text_is_bounded() -> None:
    assert len(scrubbed("word " * 10_000)) == 500
    assert scrubbed("x" * 5_000) == "[long]"


@pytest.mark.parametrize("before", range(1_960, 2_010))
def test_cut_text_shows_no_part_of_a_secret(before: int) -> None:
    """Blanks are removed, so that the end of the scanned text is in the line."""
    assert "ada" not in scrubbed("tls_" + "a" * (before - 5) + " ada.byron@example.test more")


def test_exceptions_are_logged_by_type_and_place_without_message(lines: CapturedLines) -> None:
    try:
        try:
            raise ValueError(f"Key (account_email)=({SECRETS[0]}) already exists, {SECRETS[1]}")
        except ValueError as error:
            raise RuntimeError(f"for {SECRETS[1]}") from error
    except RuntimeError:
        structlog.get_logger("x").exception("lane_failed", account_id="shop-1")
    [line] = lines.all()
    assert line["exception"][0] == "RuntimeError"
    assert "caused by ValueError" in line["exception"]
    assert any("test_logs.py:" in place for place in line["exception"])
    assert "Ada" not in lines.text
    assert "ada@" not in lines.text


def test_bound_context_follows_the_same_rules(lines: CapturedLines) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1", customer="Ada Byron"):
        structlog.get_logger("x").info("call")
    [line] = lines.all()
    assert line["request_id"] == "r-1"
    assert "Ada" not in lines.text


def test_the_console_form_follows_the_same_rules(lines: CapturedLines) -> None:
    configure_logging("info", "console", stream=lines.stream)
    structlog.get_logger("x").info("call", account_id="shop-1", email=SECRETS[0])
    assert "shop-1" in lines.text
    assert SECRETS[0] not in lines.text


@pytest.mark.parametrize(
    "version", ["6.7.1", "10", "6.8-RC1", "6.9-beta2-60000", "6.5-alpha-57000-src", "10.3.0-rc.1", "9.4.0-dev", "0.1.0", "8.2.29-1", ""]
)
def test_shop_versions_are_logged(lines: CapturedLines, version: str) -> None:
    structlog.get_logger("x").info("shop_connected", wordpress=version)
    [line] = lines.all()
    assert line["wordpress"] == version


@pytest.mark.parametrize("version", ["Ada Byron", "ada@example.test", "6.7.1 Ada", "6.7-ada", "01200 000000", "6" * 40, "6.7\nAda", "…"])
def test_invalid_version_is_dropped(lines: CapturedLines, version: str) -> None:
    structlog.get_logger("x").info("shop_connected", wordpress=version)
    assert lines.all()[0]["dropped"] == ["wordpress"]
    assert 'wordpress": ' not in lines.text


def test_no_key_of_the_allow_list_names_a_person_or_a_credential() -> None:
    assert not SAFE_TEXT_KEYS.keys() & {
        "email",
        "name",
        "first_name",
        "phone",
        "company",
        "comment",
        "notes",
        "text",
        "body",
        "token",
        "secret",
        "authorization",
    }
