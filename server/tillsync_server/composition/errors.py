"""Errors of the start."""

from __future__ import annotations


class StartError(RuntimeError):
    """The service cannot start with its settings. The message has the reason and the remedy, and no secret."""
