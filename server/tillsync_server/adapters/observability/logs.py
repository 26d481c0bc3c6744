"""Structured logs without personal data or credentials, one JSON object a line on stderr.

Names cannot be recognised and removed, so this module lists what may be written. A text passes only under a key of ``SAFE_TEXT_KEYS``, and
only in the form of the key's kind. Numbers, ids and flags pass under any key. Of an exception its type and the places of its traceback are
written, never its message, because database and HTTP errors quote values. Texts that pass are still searched for emails and credentials, in
case code breaks a rule. ``library_records`` covers records of libraries, and ``uncaught`` exceptions that nothing catches.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final, TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from tillsync_server.adapters.observability.library_records import library_event
from tillsync_server.adapters.observability.scrubbing import scrubbed
from tillsync_server.adapters.observability.uncaught import log_uncaught_exceptions


class Kind(Enum):
    """Kind of a key's texts; the value is the pattern. A text that does not match its kind is left out."""

    ID = r"[!-?A-~]{1,200}"
    """An identifier that tillsync gave or stores. Visible ASCII without ``@``."""
    WORD = r"[\w.:/+<>{}\[\] \-]{1,200}"
    """Names in the source: classes, methods, routes, tasks, modules, places, enum members."""
    FIELD = r"[a-z][a-z0-9_.]{0,79}|\u2026"
    """Name of a field that the service sent. ``…`` replaces any other name."""
    VERSION = r"\d{1,4}(?:\.\d{1,6}){0,4}(?:[-+.](?:(?:alpha|beta|rc|dev|post|src|a|b|p)\.?)?\d{0,6}){0,4}"
    """A version number, perhaps with a stage. A shop may send it, so the form is strict."""
    SENTENCE = r".*"
    """A sentence of the service, or names of the operator's own machine. It is scrubbed."""

    @cached_property
    def form(self) -> re.Pattern[str]:
        return re.compile(self.value, re.ASCII | re.DOTALL | (re.IGNORECASE if self is Kind.VERSION else re.NOFLAG))


SAFE_TEXT_KEYS: Final[Mapping[str, Kind]] = {
    # keys of structlog and of libraries
    "event": Kind.SENTENCE,
    "level": Kind.WORD,
    "logger": Kind.WORD,
    "timestamp": Kind.ID,
    "exception": Kind.WORD,
    "stack": Kind.WORD,
    "dropped": Kind.WORD,
    # ids of the account, entry and call
    "account_id": Kind.ID,
    "till_id": Kind.ID,
    "entry_id": Kind.ID,
    "event_id": Kind.ID,
    "token_id": Kind.ID,
    "request_id": Kind.ID,
    "trace_id": Kind.ID,
    "incident": Kind.ID,
    "method": Kind.WORD,
    "route": Kind.WORD,
    "code": Kind.WORD,
    "role": Kind.WORD,
    # the error and its place
    "error": Kind.WORD,
    "cause": Kind.WORD,
    "during": Kind.WORD,
    "where": Kind.SENTENCE,
    "reason": Kind.SENTENCE,
    "sqlstate": Kind.ID,
    "signal": Kind.WORD,
    "step": Kind.WORD,
    "task": Kind.WORD,
    "field": Kind.FIELD,
    # the subject
    "side": Kind.WORD,
    "outcome": Kind.WORD,
    "state": Kind.WORD,
    "kind": Kind.WORD,
    "what": Kind.SENTENCE,
    "stage": Kind.WORD,
    "owner": Kind.WORD,
    "type": Kind.WORD,
    "queue": Kind.WORD,
    "priority": Kind.WORD,
    "object": Kind.WORD,
    "level_name": Kind.WORD,
    "database": Kind.WORD,
    "schema": Kind.WORD,
    "revision": Kind.ID,
    "revisions": Kind.ID,
    "partitions": Kind.ID,
    "version": Kind.WORD,
    # this process
    "address": Kind.SENTENCE,
    "path": Kind.SENTENCE,
    # a shop
    "bridge_version": Kind.VERSION,
    "wordpress": Kind.VERSION,
    "woocommerce": Kind.VERSION,
}
"""Keys that may have texts, with their kinds. Numbers, UUIDs and flags pass under any key."""
_MAX_FRAMES = 20
_MAX_ERRORS = 5

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')


def keep_safe_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Applies the allow-list. ``dropped`` names the keys whose values were left out, so that a missing rule is noticed."""
    kept: EventDict = {}
    dropped: list[str] = []
    for key, value in event.items():
        if key.startswith("_"):  # structlog's own keys, for the formatter
            kept[key] = value
            continue
        if key == "stack" and isinstance(value, str):  # formatted frames, which have places and source lines but no values
            value = _frames_of(value)
        kind = SAFE_TEXT_KEYS.get(key)
        safe = _safe_number(value) if kind is None else _safe_value(value, kind)
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


def _safe_value(value: object, kind: Kind) -> object:
    match value:
        case str():
            return scrubbed(value) if value == "" or kind.form.fullmatch(value) else _UNSAFE
        case list() | tuple() | set() | frozenset():
            kept = [_safe_value(item, kind) for item in list(value)[:_MAX_FRAMES]]
            return _UNSAFE if _UNSAFE in kept else kept
        case dict():
            return _UNSAFE
        case _:
            return _safe_number(value)


def describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces ``exc_info`` by ``exception``, such as ``["KeyError", "lane_runner.py:120 run", …, "caused by OSError", …]``."""
    error = _exception_of(event.pop("exc_info", None))
    event.pop("stack_info", None)
    if error is not None:
        event["exception"] = list(_places(error))
    return event


def _frames_of(stack: str) -> list[str]:
    """Returns the last six places of a formatted traceback, such as ``lane_runner.py:120 run``."""
    return [f"{Path(name).name}:{line} {function}" for name, line, function in _FRAME.findall(stack)][-6:]


def _exception_of(given: object) -> BaseException | None:
    """Returns the exception of ``exc_info``: an exception, a triple, or a flag that means the exception being handled."""
    match given:
        case BaseException():
            return given
        case (_, BaseException() as error, _):
            return error
        case None | False | (None, None, None):
            return None
        case _:
            return sys.exception()


def _places(error: BaseException) -> Iterator[str]:
    """Yields the types and last places of the error, its causes and the errors of its group. At most five errors are described."""
    remaining, seen = [("", error)], set[int]()
    while remaining and len(seen) < _MAX_ERRORS:
        prefix, present = remaining.pop(0)
        if id(present) in seen:
            continue
        seen.add(id(present))
        yield f"{prefix}{type(present).__name__}"
        for frame in traceback.extract_tb(present.__traceback__)[-6:]:
            yield f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        if isinstance(present, BaseExceptionGroup):
            remaining += [("holding ", each) for each in present.exceptions]
        following = present.__cause__ or (None if present.__suppress_context__ else present.__context__)
        if following is not None:
            remaining.append(("caused by ", following))


class _LineHandler(logging.StreamHandler[TextIO]):
    """Reports a line that cannot be written by the name of its logger. The standard handler would print the record with its values."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(json.dumps({"event": "log_line_failed", "level": "error", "logger": record.name}) + self.terminator)
            self.flush()


def configure_logging(level: str = "info", form: str = "json", *, stream: TextIO | None = None) -> None:
    """Configures the logs of the whole process, libraries included. ``form``: ``json``, or ``console`` for people. Default stream:
    stderr."""
    stamps: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    safety: list[Processor] = [describe_exception, keep_safe_values]
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
    handler = _LineHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[library_event, *stamps],
            processors=[*safety, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            use_get_message=False,
            pass_foreign_args=True,
            keep_exc_info=False,  # the standard formatter would append the traceback with its message
            keep_stack_info=False,
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    log_uncaught_exceptions()
    # gRPC's core writes its own lines to stderr, one for each failed handshake, and some have a caller's address
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for chatty in ("asyncio", "aiohttp", "grpc"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
