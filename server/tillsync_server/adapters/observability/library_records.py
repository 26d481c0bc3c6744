"""Converts the log records of libraries to events without values of people, shops, tills or callers.

A record's text is written only if it is a literal of the source that logs it, with its arguments filled in. Of the arguments only numbers
and the names of exception classes are written, and ``…`` replaces everything else. It also replaces addresses: a caller's IP address is
personal data in the EU, and no line needs it. A text that the library composed before it logged the record may quote anything, so only a
known beginning is written. ``where`` always names the place in the library's source.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

from structlog.typing import EventDict, WrappedLogger

NEUTRAL: Final = "…"
_MAX_FRAMES: Final = 40
_PLACEHOLDER = re.compile(r"%(?:\((?P<name>\w+)\))?[#0\- +]{0,4}(?:\*|\d{1,3})?(?:\.(?:\*|\d{1,3}))?[hlL]?(?P<kind>[diouxXeEfFgGcrsa%])")
_BARE_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sdrfia]|\{[\w.!:\[\]]*\}")
_WARNING = re.compile(r"(?P<file>[^\n]*?):(?P<line>\d+): (?P<category>\w+): ")

KNOWN_BEGINNINGS: Final = (
    # asyncio and uvloop, whose records join the message of call_exception_handler with a line for each value of its context
    "Task exception was never retrieved",
    "Future exception was never retrieved",
    "_GatheringFuture exception was never retrieved",
    "Task was destroyed but it is pending!",
    "Unhandled exception in event loop",
    "Unhandled error in exception handler",
    "Exception in callback",
    "Exception in default exception handler",
    "unhandled exception during asyncio.run() shutdown",
    "an error occurred during closing of asynchronous generator",
    "An open stream was garbage collected prior to",
    "Error on reading from the event loop self pipe",
    "socket.accept() out of system resource",
    "protocol.pause_writing() failed",
    "protocol.resume_writing() failed",
    "protocol.connection_lost() call failed.",
    "protocol.data_received() call failed.",
    "protocol.eof_received() call failed.",
    "Fatal error on transport",
    "Fatal error on SSL transport",
    "Fatal error on SSL protocol",
    "Fatal error: protocol.data_received() call failed.",
    "Fatal error: protocol.eof_received() call failed.",
    "Fatal error: protocol.buffer_updated() call failed.",
    "Fatal error: protocol.get_buffer() call failed.",
    "Fatal read error on socket transport",
    "Fatal write error on socket transport",
    "SSL handshake failed",
    "SSL error in data received",
    "SSL error errno",
    "Error in sslproto",
    "Unknown exception in SIGCHLD handler",
    "Task",  # … has errored out but its parent task is already completed
    # asyncpg
    "Resetting connection with an active transaction",
    # grpc.aio, whose compiled code has no frames that show the literals
    "Unexpected",  # [exception] raised by servicer method [method]
    "Unhandled exception",
    "Failed to shutdown gRPC Core",
    "Failed grpc.aio server",
    "Abort error unexpectedly suppressed",
    "RPC cancelled for servicer method",
    "Exception calling application",
    "Exception iterating responses",
    "Exception deserializing request!",
    "Exception serializing message!",
    # tenacity
    "Retrying",
    "Finished call to",
    "Starting call to",
)


def library_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Sets ``event``, ``where`` and ``exc_info``. A structlog processor for ``foreign_pre_chain`` with ``pass_foreign_args``."""
    record, args = event.get("_record"), event.pop("positional_args", ())
    if not isinstance(record, logging.LogRecord):
        return event
    warned = _warning_of(record, args)
    if warned is not None:  # the text of a warning may quote a value
        event.update(event="python_warning", kind=warned["category"], where=f"{Path(warned['file']).name}:{warned['line']}")
        return event
    event["event"] = _text_of(record, args)
    event["where"] = f"{record.filename}:{record.lineno} {record.funcName}"
    error = record.exc_info or _exception_among(record, args)
    if error:
        event["exc_info"] = error
    return event


def _warning_of(record: logging.LogRecord, args: object) -> re.Match[str] | None:
    """Returns file, line and category of a record of ``logging.captureWarnings``, or None. Its text is an argument in some releases of
    Python, and the message in others."""
    if record.name != "py.warnings":
        return None
    return _WARNING.match(str(args[0] if isinstance(args, tuple) and args else record.msg))


def _exception_among(record: logging.LogRecord, args: object) -> BaseException | None:
    """Returns an exception that was logged as the message or as an argument, or None."""
    values = args if isinstance(args, tuple) else ()
    return next((each for each in (record.msg, *values) if isinstance(each, BaseException)), None)


def _text_of(record: logging.LogRecord, args: object) -> str:
    message: object = record.msg
    if not isinstance(message, str):
        return type(message).__name__
    first = message.partition("\n")[0]
    if _is_literal(message, record):
        return _BARE_PLACEHOLDER.sub(NEUTRAL, _filled(first, args) if args else first)
    for beginning in KNOWN_BEGINNINGS:
        if first.startswith(beginning):
            return beginning if first == beginning else f"{beginning} {NEUTRAL}"
    return NEUTRAL


def _is_literal(message: str, record: logging.LogRecord) -> bool:
    """Returns whether a function in the record's call stack has the text as a constant, or names a constant of its module that is the
    text."""
    return any(message in _texts_of(frame.f_code) or _is_named(message, frame) for frame in _frames_to(record))


def _frames_to(record: logging.LogRecord) -> Iterator[FrameType]:
    """Yields frames from the function that logged outwards, at most _MAX_FRAMES, because a library may log through its own function."""
    frame = inspect.currentframe()
    while frame is not None and not (frame.f_code.co_filename == record.pathname and frame.f_code.co_name == record.funcName):
        frame = frame.f_back
    for _ in range(_MAX_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _texts_of(code: CodeType) -> Iterator[str]:
    return (each for each in code.co_consts if isinstance(each, str))


def _is_named(message: str, frame: FrameType) -> bool:
    return any(name.isupper() and frame.f_globals.get(name) is message for name in frame.f_code.co_names)


def _filled(template: str, args: object) -> str:
    """Returns ``template`` with its safe values, and ``…`` for the others."""
    named: Mapping[object, object] = args if isinstance(args, Mapping) else {}
    remaining = iter(args if isinstance(args, tuple) else ())

    def value_of(match: re.Match[str]) -> str:
        if match["kind"] == "%":
            return "%"
        for _ in range(match[0].count("*")):
            next(remaining, None)  # the width
        value = named.get(match["name"]) if match["name"] else next(remaining, None)
        return _safe(value, match[0])

    return _PLACEHOLDER.sub(value_of, template)


def _safe(value: object, placeholder: str) -> str:
    match value:
        case bool():
            return str(value)
        case int() | float():
            try:
                return re.sub(r"\(\w+\)", "", placeholder) % value
            except (TypeError, ValueError, OverflowError):  # for example a placeholder with a width argument
                return str(value)
        case BaseException():
            return type(value).__name__
        case type() if issubclass(value, BaseException):
            return value.__name__
        case _:
            return NEUTRAL
