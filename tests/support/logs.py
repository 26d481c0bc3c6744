"""The service's log as an operator reads it: lines of JSON without the values that the formatter drops."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from tillsync_server.adapters.observability.logs import configure_logging


class CapturedLines:
    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handler: logging.Handler
        """The one that writes them."""

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.all() if line["event"] == event]


@contextmanager
def unchanged_logging() -> Iterator[None]:
    """Undoes what the block changes in the log configuration of this process, as a command of the service does that runs in it."""
    root = logging.getLogger()
    handlers, root_level = list(root.handlers), root.level
    chatty = {name: logging.getLogger(name).level for name in ("asyncio", "aiohttp", "grpc")}
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    before = structlog.get_config()
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.captureWarnings(False)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        root.handlers[:] = handlers
        root.setLevel(root_level)
        for name, chatty_level in chatty.items():
            logging.getLogger(name).setLevel(chatty_level)


@contextmanager
def captured_lines(level: str = "debug") -> Iterator[CapturedLines]:
    """Captures the log of this process inside the block, formatted as `serve` formats it."""
    made = CapturedLines()
    with unchanged_logging():
        configure_logging(level, stream=made.stream)
        made.handler = logging.getLogger().handlers[-1]
        yield made
