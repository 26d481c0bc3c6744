"""Databases that tests reuse. Copying the template takes a third of a second, emptying a database a twentieth.

A database is reused only if its catalog equals the template's, so that only rows changed. It gets a new name each time, so a process
left over from one test cannot reach the next test's data. A doubtful database is dropped.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from dataclasses import dataclass, field

import asyncpg

_numbers = itertools.count(1)
_RUN = secrets.token_hex(4)
"""Part of each database name, because several runs may share one server."""

_CATALOG = """
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
  SELECT concat_ws(' ', 'class', oid, relname, relkind, relhastriggers, reloptions, relacl, relowner) AS line FROM pg_class
    WHERE oid >= 16384 AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_')
  UNION ALL SELECT concat_ws(' ', 'attribute', attrelid, attnum, attname, xmin) FROM pg_attribute WHERE attrelid >= 16384
  UNION ALL SELECT concat_ws(' ', 'proc', oid, xmin) FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgenabled) FROM pg_trigger WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'constraint', oid, conname, convalidated) FROM pg_constraint WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisvalid) FROM pg_index WHERE indexrelid >= 16384
  UNION ALL SELECT concat_ws(' ', 'namespace', oid, nspname, nspacl) FROM pg_namespace WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'statistic', schemaname, tablename, attname) FROM pg_stats WHERE schemaname !~ '^(pg_|information_)'
  UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setrole, setconfig) FROM pg_db_role_setting
) AS everything
"""
_TABLES = """
SELECT oid::bigint, format('%I.%I', relnamespace::regnamespace, relname) AS name, pg_relation_size(oid) > 0 AS has_rows FROM pg_class
WHERE oid >= 16384 AND relkind IN ('r', 'p') AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_')
"""
_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2 AND backend_type = 'client backend'
"""
"""Autovacuum runs as the superuser. Another role may not terminate it and need not, because DROP and RENAME cancel it."""


@dataclass
class DatabasePool:
    """``dsn`` is the server's, for a role that may create databases. ``template`` is a migrated database without connections."""

    dsn: str
    template: str
    _free: list[str] = field(default_factory=list)
    _catalog: str = ""
    _empty_tables: set[int] = field(default_factory=set)
    _rows: dict[str, str] = field(default_factory=dict)
    """Rows of the template's tables that have rows from the start. They must not change."""

    async def prepare(self) -> None:
        connection = await self._connect(self.template)
        self._catalog = await connection.fetchval(_CATALOG)
        tables = await connection.fetch(_TABLES)
        self._empty_tables = {table["oid"] for table in tables if not table["has_rows"]}
        self._rows = {table["name"]: await _rows(connection, table["name"]) for table in tables if table["has_rows"]}
        await connection.close()

    async def take(self) -> str:
        name = f"test_{_RUN}_{next(_numbers)}"
        connection = await self._connect()
        try:
            if self._free:
                await connection.execute(f"ALTER DATABASE {self._free.pop()} RENAME TO {name}")
                await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            else:
                await connection.execute(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY file_copy")
        finally:
            await connection.close()
        return name

    async def give_back(self, name: str) -> None:
        admin = await self._connect()
        try:
            try:
                reusable = await self._empty(admin, name)
            except (asyncpg.PostgresError, TimeoutError):
                reusable = False
            if reusable:
                self._free.append(name)
            else:
                await _drop(admin, name)
        finally:
            await admin.close()

    async def _empty(self, admin: asyncpg.Connection, name: str) -> bool:
        inside = await self._connect(name)
        pid = inside.get_server_pid()
        try:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            async with asyncio.timeout(5):  # no wait of a test: a database still in use then is dropped
                while await admin.fetch(_TERMINATE, name, pid):  # PostgreSQL's own wait has steps of a tenth of a second
                    await asyncio.sleep(0.002)
            tables = await inside.fetch(_TABLES)
            used = [table["name"] for table in tables if table["has_rows"] and table["oid"] in self._empty_tables]
            if used:
                await inside.execute(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE")
            if await inside.fetchval(_CATALOG) != self._catalog:
                return False
            if {table: await _rows(inside, table) for table in self._rows} != self._rows:
                return False
        finally:
            await inside.close()
        return True

    async def drop_all(self) -> None:
        """Drops the template and all other databases of this run."""
        admin = await self._connect()
        try:
            left = await admin.fetch(
                "SELECT datname FROM pg_database WHERE datname = $1 OR datname LIKE $2", self.template, f"test\\_{_RUN}\\_%"
            )
            for row in left:
                await _drop(admin, row["datname"])
        finally:
            await admin.close()

    async def _connect(self, name: str | None = None) -> asyncpg.Connection:
        return await asyncpg.connect(self.dsn, database=name) if name else await asyncpg.connect(self.dsn)


async def _drop(admin: asyncpg.Connection[asyncpg.Record], name: str) -> None:
    """Terminates the clients of a database and drops it. WITH (FORCE) would also need the right to terminate autovacuum."""
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await admin.fetch(_TERMINATE, name, 0)
    await admin.execute(f"DROP DATABASE {name}")


async def _rows(connection: asyncpg.Connection, table: str) -> str:
    text: str = await connection.fetchval(f"SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM {table} t")
    return text
