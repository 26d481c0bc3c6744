"""What can go wrong with the embedded PostgreSQL."""

from __future__ import annotations


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot run. The message says why and what to do."""
