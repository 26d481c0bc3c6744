"""Logs exceptions that nothing catches, of the main thread, of threads and of finalizers. Each is one line without the message."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

import structlog

_LOG = structlog.get_logger(__name__)


def log_uncaught_exceptions() -> None:
    """Sets the hooks of the whole process. Python's own hooks print messages, which quote values, and print no JSON."""
    sys.excepthook = _of_main_thread
    threading.excepthook = _of_thread
    sys.unraisablehook = _of_finalizer


def _of_main_thread(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):  # Ctrl-C is no fault
        sys.__excepthook__(kind, error, trace)
        return
    _LOG.critical("uncaught_exception", exc_info=(kind, error, trace))


def _of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:  # a thread ends itself on purpose
        return
    _LOG.error("uncaught_exception_in_thread", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def _of_finalizer(args: sys.UnraisableHookArgs) -> None:
    _LOG.error("unraisable_exception", where=_name_of(args.object), exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def _name_of(source: object) -> str:
    """Returns the qualified name of a function or class, or the type's name of another object."""
    name = getattr(source, "__qualname__", None)
    return name if isinstance(name, str) else type(source).__name__
