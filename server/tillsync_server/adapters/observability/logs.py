"""Structured logs, one JSON object a line on stderr, without personal data or credentials.

Names cannot be recognised, so nothing is recognised and removed: what may be written is listed. A text passes only under a key of
``SAFE_TEXT_KEYS``; numbers, ids and flags pass under any. Of an exception its type and the places it went through are written, never its
message: database and HTTP errors quote values. What passes is still searched for emails and credentials, in case a rule was broken.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SAFE_TEXT_KEYS: Final = frozenset(
    {
        # structlog's own
        *("event", "level", "logger", "timestamp", "exception", "stack", "dropped"),
        # which account, which entry, which call
        *(
            "account_id",
            "till_id",
            "entry_id",
            "event_id",
            "token_id",
            "request_id",
            "trace_id",
            "method",
            "code",
            "reason",
            "route",
            "role",
            "incident",
        ),
        # what the service itself says
        *(
            "during",
            "error",
            "where",
            "sqlstate",
            "side",
            "outcome",
            "state",
            "kind",
            "what",
            "stage",
            "owner",
            "step",
            "task",
            "type",
            "version",
        ),
        *("address", "schema", "revision", "revisions", "path", "signal", "database", "level_name", "object", "priority", "queue", "cause"),
    }
)
"""Keys whose texts are words of ours, slugs, ids or addresses of this process."""
MAX_TEXT = 500
_MAX_FRAMES = 20

_EMAIL = re.compile(r"[^\s@<>\"'(),;:=/|{}\[\]]+@[^\s@<>\"'(),;:=/|{}\[\]]+")
_CREDENTIALS = re.compile(
    r"""(?ix)
    \b(?:bearer|basic)\s+[\w\-.~+/]{6,}=*             # Authorization
    | \b(?:ck|cs)_[0-9a-z]{8,}                        # WooCommerce keys
    | \btillsync1\.[\w\-]+                            # connect string
    | \btls_[\w\-]{8,}                                # our tokens
    | (?<=://)[^\s/@]+@                               # user:password@ of an address
    | \b(?:password|passwd|secret|token|key|signature)\s*[=:]\s*[^\s,;&]+
    | \b(?:[0-9a-f]{32,}|[A-Za-z0-9+_\-]{40,}=*)     # long random strings
    """
)


_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')


def scrubbed(text: str) -> str:
    """Emails and credentials replaced; at most MAX_TEXT characters, one line."""
    text = " ".join(text.split())[: 4 * MAX_TEXT]
    return _EMAIL.sub("[email]", _CREDENTIALS.sub("[redacted]", text))[:MAX_TEXT]


def keep_what_is_safe(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The allow-list. ``dropped`` names the keys whose values were left out, so that a missing rule shows."""
    kept: EventDict = {}
    dropped: list[str] = []
    for key, value in event.items():
        if key.startswith("_"):  # structlog's own, for the formatter
            kept[key] = value
            continue
        if key == "stack" and isinstance(value, str):  # frames, as text: places and our own source, no values
            value = _frames_of(value)
        safe = _safe_value(value) if key in SAFE_TEXT_KEYS else _safe_number(value)
        if safe is _UNSAFE:
            dropped.append(key)
        else:
            kept[key] = safe
    if dropped:
        kept["dropped"] = sorted(dropped)
    return kept


_UNSAFE: Final = object()


def _safe_number(value: object) -> object:
    match value:
        case None | bool() | int() | float() | UUID():
            return str(value) if isinstance(value, UUID) else value
        case _:
            return _UNSAFE


def _safe_value(value: object) -> object:
    match value:
        case str():
            return scrubbed(value)
        case list() | tuple() | set() | frozenset():
            return [_safe_value(item) for item in list(value)[:_MAX_FRAMES]]
        case dict():
            return _UNSAFE
        case _:
            return _safe_number(value)


def exceptions_without_messages(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """``exc_info`` becomes ``exception``: ``["KeyError", "lane_runner.py:120 run", …, "caused by OSError", …]``."""
    error = _exception_of(event.pop("exc_info", None))
    event.pop("stack_info", None)
    if error is not None:
        event["exception"] = list(_places(error))
    return event


def _frames_of(stack: str) -> list[str]:
    """Of a formatted traceback the places: ``lane_runner.py:120 run``."""
    return [f"{Path(name).name}:{line} {function}" for name, line, function in _FRAME.findall(stack)][-6:]


def _exception_of(given: object) -> BaseException | None:
    """``exc_info`` may be an exception, a triple, or a flag that means the one being handled."""
    match given:
        case BaseException():
            return given
        case (_, BaseException() as error, _):
            return error
        case None | False | (None, None, None):
            return None
        case _:
            return sys.exception()


def _places(error: BaseException) -> Iterable[str]:
    seen: set[int] = set()
    prefix, present = "", error
    while id(present) not in seen and len(seen) < 5:
        seen.add(id(present))
        yield f"{prefix}{type(present).__name__}"
        for frame in traceback.extract_tb(present.__traceback__)[-6:]:
            yield f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        following = present.__cause__ or (None if present.__suppress_context__ else present.__context__)
        if following is None:
            return
        prefix, present = "caused by ", following


def _foreign_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of a library's record only the first line of its template: the arguments may be anything."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["event"] = str(record.msg).partition("\n")[0]
        if record.exc_info:
            event["exc_info"] = record.exc_info
    return event


def configure_logging(level: str = "info", form: str = "json", *, stream: TextIO | None = None) -> None:
    """For the whole process, libraries included. ``form``: ``json``, or ``console`` for people. Default stream: stderr."""
    stamps: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    safety: list[Processor] = [exceptions_without_messages, keep_what_is_safe]
    renderer: Processor = (
        structlog.processors.JSONRenderer(sort_keys=False) if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            *stamps,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign_event, *stamps],
            processors=[*safety, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            use_get_message=False,
            keep_exc_info=False,  # the standard formatter would append the traceback, message and all
            keep_stack_info=False,
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for chatty in ("asyncio", "aiohttp", "grpc", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
