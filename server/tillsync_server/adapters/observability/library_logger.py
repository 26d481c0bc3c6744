"""Makes a filtered logger for a library that accepts one."""

from __future__ import annotations

import logging
from collections.abc import Callable


def library_logger(name: str, should_log: Callable[[BaseException | None], bool]) -> logging.Logger:
    """Returns a logger that writes to the logger of this name. ``should_log`` gets the exception of each record, or None."""
    logger = logging.Logger(name)
    logger.parent = logging.getLogger(name)
    logger.addFilter(lambda record: should_log(record.exc_info[1] if record.exc_info else None))
    return logger
