"""The typed client for programs without asyncio: the methods, messages and errors of :mod:`tillsync_client`, each call blocking."""

from tillsync_client.blocking.client import TillsyncClient

__all__ = ["TillsyncClient"]
