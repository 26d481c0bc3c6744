"""No log line holds personal data or credentials: only listed keys carry text, and exceptions lose their messages."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import structlog
from tillsync_server.adapters.observability.logs import SAFE_TEXT_KEYS, configure_logging, scrubbed

SECRETS = (
    "ada@example.test",
    "Ada Byron",
    "01200 000000",
    "tls_" + "a1B2" * 11,
    "ck_" + "0123456789abcdef" * 2,
    "cs_" + "0123456789abcdef" * 2,
    "QWRhOnNlY3JldA==",
)


class Lines:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = Lines()
    configure_logging("debug", stream=made.stream)
    yield made
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_passes_only_under_listed_keys(lines: Lines) -> None:
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


def test_structures_pass_only_as_plain_lists_under_listed_keys(lines: Lines) -> None:
    structlog.get_logger("x").info("kept", revisions=["0001", "0002"], reason={"email": SECRETS[0]}, rows=[SECRETS[0]])
    [line] = lines.all()
    assert line["revisions"] == ["0001", "0002"]
    assert line["dropped"] == ["reason", "rows"]


@pytest.mark.parametrize("secret", [secret for secret in SECRETS if secret not in ("Ada Byron", "01200 000000")])
def test_what_passes_is_still_searched(lines: Lines, secret: str) -> None:
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
        ("two\nlines", "two lines"),
    ],
)
def test_scrubbing(text: str, clean: str) -> None:
    assert scrubbed(text) == clean


def test_scrubbing_bounds_the_length() -> None:
    assert len(scrubbed("word " * 10_000)) == 500


def test_exceptions_are_told_by_type_and_place_never_by_message(lines: Lines) -> None:
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


def test_libraries_tell_their_template_only(lines: Lines) -> None:
    logging.getLogger("some.library").warning("cannot serve %s for %s", SECRETS[1], SECRETS[0])
    try:
        raise KeyError(SECRETS[0])
    except KeyError:
        logging.getLogger("some.library").exception("failed\n%s", SECRETS[1])
    first, second = lines.all()
    assert first["event"] == "cannot serve %s for %s"
    assert second["event"] == "failed"
    assert second["exception"][0] == "KeyError"
    assert "Ada" not in lines.text
    assert "ada@" not in lines.text


async def test_a_task_that_dies_unseen_tells_no_message(lines: Lines) -> None:
    """asyncio writes the repr of the exception into its own record."""
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": ValueError(SECRETS[0]), "future": asyncio.Future()}
    )
    [line] = lines.all()
    assert line["event"] == "Task exception was never retrieved"
    assert line["exception"][0] == "ValueError"
    assert SECRETS[0] not in lines.text


def test_bound_context_follows_the_same_rules(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1", customer="Ada Byron"):
        structlog.get_logger("x").info("call")
    [line] = lines.all()
    assert line["request_id"] == "r-1"
    assert "Ada" not in lines.text


def test_the_console_form_follows_the_same_rules(lines: Lines) -> None:
    configure_logging("info", "console", stream=lines.stream)
    structlog.get_logger("x").info("call", account_id="shop-1", email=SECRETS[0])
    assert "shop-1" in lines.text
    assert SECRETS[0] not in lines.text


def test_no_key_of_the_allow_list_names_a_person_or_a_credential() -> None:
    assert not SAFE_TEXT_KEYS & {
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
