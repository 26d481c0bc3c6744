"""The database of a process, with its pool and notifications. The embedded PostgreSQL is migrated; DATABASE_URL must have the current
schema."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import asyncpg
import structlog

from tillsync_server.adapters.observability.measured import MeasuredDatabase
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.connections.cell import require_usable_cell
from tillsync_server.adapters.postgres.connections.notifications import PostgresNotifications
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.connections.session_settings import UnusableDatabaseError
from tillsync_server.adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox, SecretKeyError
from tillsync_server.adapters.postgres.migrations import MigrationBlockedError, SchemaError, migrate, require_current
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.private_files import make_private
from tillsync_server.composition.settings import ServiceSettings

_LOG = structlog.get_logger(__name__)
SECRET_KEY_FILE = "secret-key"
_REFUSALS = (asyncpg.PostgresError, asyncpg.InterfaceError, *DATABASE_GONE, ValueError)


class Storage:
    """Opens and closes the database. After ``start`` there is an open pool on a current schema. Each closing method is bounded in time."""

    def __init__(self, settings: ServiceSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._embedded: EmbeddedPostgres | None = None
        self.database: Database
        self.notifications: PostgresNotifications
        self.secret_box: SecretBox

    async def start(self) -> None:
        """Raises StartError. Then ``close_database`` and ``stop_embedded`` stop the parts that have started."""
        if self._settings.is_embedded:
            self._embedded = _embedded(self._settings)
        try:
            self.secret_box = SecretBox.from_setting(secret_key(self._settings))
            dsn = await database_dsn(self._settings, self._embedded)
            await self._prepare_schema(dsn)
            await self.database.open()
        except (SecretKeyError, EmbeddedPostgresError, SchemaError, MigrationBlockedError) as error:
            raise StartError(str(error)) from error
        except _REFUSALS as error:
            raise StartError(f"the database cannot be used: {database_problem(error)}") from error
        self.notifications = PostgresNotifications(self.database)

    async def _prepare_schema(self, dsn: str) -> None:
        settings = self._settings
        if settings.is_embedded:
            applied = await migrate(dsn, schema=settings.db_schema, progress=_log_progress)
            if applied:
                _LOG.info("database_migrated", revisions=applied)
        self.database = MeasuredDatabase(self._metrics, dsn, schema=settings.db_schema, max_size=settings.db_pool_size)
        # invariant: serve-needs-own-sessions
        if not settings.is_embedded:
            await self.database.require_own_sessions()
        connection = await self.database.connect()
        try:
            await require_current(connection)
            await require_usable_cell(connection, settings.db_schema)
        finally:
            await connection.close(timeout=2)

    async def close_database(self) -> None:
        if hasattr(self, "database"):
            await self.database.close()

    async def stop_embedded(self) -> None:
        if self._embedded is not None:
            await self._embedded.stop()
            self._embedded = None


async def migrate_database(settings: ServiceSettings, progress: Callable[[str], None] = lambda _line: None) -> list[str]:
    """Runs `tillsync migrate`. Returns the revisions applied now. ``progress`` receives lines for the operator. Raises StartError."""
    embedded = _embedded(settings) if settings.is_embedded else None
    try:
        dsn = await database_dsn(settings, embedded)
        # invariant: migrate-needs-own-sessions
        if embedded is None:
            await Database(dsn, schema=settings.db_schema).require_own_sessions()
        return await migrate(dsn, schema=settings.db_schema, progress=progress)
    except (EmbeddedPostgresError, SchemaError, MigrationBlockedError) as error:
        raise StartError(str(error)) from error
    except _REFUSALS as error:
        raise StartError(f"the database cannot be migrated: {database_problem(error)}") from error
    finally:
        if embedded is not None:
            await embedded.stop()


def _log_progress(line: str) -> None:
    _LOG.info("migration_progress", what=line)


def _embedded(settings: ServiceSettings) -> EmbeddedPostgres:
    return EmbeddedPostgres(settings.data_dir, bin_dir=settings.postgres_bin)


async def database_dsn(settings: ServiceSettings, embedded: EmbeddedPostgres | None) -> str:
    """Returns the address of the database. Starts ``embedded`` if there is one."""
    if embedded is not None:
        return await embedded.start()
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def secret_key(settings: ServiceSettings) -> str:
    """Returns the comma-separated keys. With the embedded PostgreSQL a missing key is made and stored beside it. Raises StartError."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    if not settings.is_embedded:
        raise StartError("TILLSYNC_SECRET_KEY is required with DATABASE_URL")
    path: Path = settings.data_dir / SECRET_KEY_FILE
    return make_private(path, lambda: secrets.token_urlsafe(32))


_DATABASE_PROBLEMS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        "it refuses the user or password of DATABASE_URL",
    ),
    ((asyncpg.InvalidCatalogNameError,), "it has no database of the name in DATABASE_URL: create it first"),
    (
        (asyncpg.InsufficientPrivilegeError,),
        "its user may not do this: it needs CREATE on the database (migrate), or ownership of the schema",
    ),
    ((asyncpg.TooManyConnectionsError,), "it has no free connections"),
    (
        (asyncpg.TargetServerAttributeNotMatched,),
        "no host in DATABASE_URL is what target_session_attrs asks for: the primary is away, or not named",
    ),
    (
        (asyncpg.ProtocolViolationError,),
        "it refuses the settings that a session is opened with, as PgBouncer does with start-up parameters: use session pooling and let "
        "them through, or set DATABASE_URL to PostgreSQL itself",
    ),
    ((TimeoutError,), "it does not answer in time; check the address in DATABASE_URL"),
)
"""Texts for errors by type; the first match counts."""


def database_problem(error: BaseException) -> str:
    """Returns the problem in plain words, without the driver's quotes of the address."""
    if isinstance(error, UnusableDatabaseError):
        return str(error)
    for types, text in _DATABASE_PROBLEMS:
        if isinstance(error, types):
            return text
    match error:
        case OSError():
            return f"no connection ({type(error).__name__}); check that it runs, and the address in DATABASE_URL"
        case asyncpg.PostgresError():
            return f"{type(error).__name__} (SQLSTATE {error.sqlstate})"
        case ValueError():
            return "DATABASE_URL is no postgresql:// address"
        case _:
            return type(error).__name__
