"""A logger for a library that takes one, with what is told elsewhere left out."""

from __future__ import annotations

import logging
from collections.abc import Callable


def library_logger(name: str, should_log: Callable[[BaseException | None], bool]) -> logging.Logger:
    """Writes where the logger of this name does. ``should_log``: asked with the exception of each record, None without one."""
    logger = logging.Logger(name)
    logger.parent = logging.getLogger(name)
    logger.addFilter(lambda record: should_log(record.exc_info[1] if record.exc_info else None))
    return logger
