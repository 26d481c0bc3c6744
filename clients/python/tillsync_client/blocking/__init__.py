"""The typed client for programs without asyncio. It has the methods, messages and errors of :mod:`tillsync_client`, and each call
blocks."""

from tillsync_client.blocking.client import TillsyncClient

__all__ = ["TillsyncClient"]
