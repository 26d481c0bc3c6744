"""The database pool and the HTTP client with metrics: subclasses that report the outcome of each use."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from yarl import URL

from tillsync_server.adapters.http_client import Answer, HttpClient, HttpClientSettings
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import RunInterrupted, UpstreamError


class MeasuredDatabase(Database):
    def __init__(self, metrics: Metrics, dsn: str, **options: Any) -> None:
        super().__init__(dsn, **options)
        self._metrics = metrics

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        try:
            async with super().acquire() as connection:
                yield connection
        except DATABASE_GONE as error:
            self._metrics.database_failed(error)
            raise


class MeasuredHttpClient(HttpClient):
    def __init__(self, metrics: Metrics, settings: HttpClientSettings | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._metrics = metrics

    async def request(self, side: Side, method: str, url: str | URL, **options: Any) -> Answer:
        started, outcome = time.monotonic(), "cancelled"
        try:
            answer = await super().request(side, method, url, **options)
            outcome = f"{answer.status // 100}xx"
            return answer
        except UpstreamError as error:
            outcome = type(error).__name__.lower()
            raise
        except RunInterrupted:
            outcome = "not_sent"
            raise
        finally:
            self._metrics.upstream_done(side, outcome, time.monotonic() - started)
