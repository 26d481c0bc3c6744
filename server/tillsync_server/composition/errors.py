"""Why the service cannot start."""

from __future__ import annotations


class StartError(RuntimeError):
    """The service cannot start as it is set up. The message says why and what to do, and holds no secret."""
