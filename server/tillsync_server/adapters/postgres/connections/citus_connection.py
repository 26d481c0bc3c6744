"""A connection to a server with Citus. It runs the statements of ``….citus.sql`` in place of those with the same name."""

from __future__ import annotations

from typing import Any

import asyncpg

from tillsync_server.adapters.postgres.statements import replaced_on_citus

_REPLACED = replaced_on_citus()


class CitusConnection(asyncpg.Connection):
    """Takes the texts that ``load`` returns. Its errors are those of PostgreSQL, with one exception.

    A node that ends during a commit is XX000, an internal error. Here it is ConnectionFailureError, so that callers get UNAVAILABLE.
    """

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        try:
            return await super().execute(_REPLACED.get(query, query), *args, timeout=timeout)
        except asyncpg.InternalServerError as error:
            if query == "COMMIT;":
                raise asyncpg.ConnectionFailureError("a node of Citus ended during a commit") from error
            raise

    async def _execute(self, query: str, *args: Any, **options: Any) -> Any:
        """Runs a statement with parameters: fetch, fetchrow and fetchval call it."""
        return await super()._execute(  # type: ignore[misc]
            _REPLACED.get(query, query), *args, **options
        )
