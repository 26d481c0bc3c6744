"""The errors of the embedded PostgreSQL."""

from __future__ import annotations


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot run. The message has the reason and the remedy."""


class DataDirectoryInUseError(EmbeddedPostgresError):
    """Another process of tillsync has locked the data directory."""
