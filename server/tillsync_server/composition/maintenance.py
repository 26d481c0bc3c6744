"""One-off work of an operator: the database's status, and the re-encryption of stored credentials with the newest key."""

from __future__ import annotations

from urllib.parse import quote

import asyncpg

from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE, Database
from tillsync_server.adapters.postgres.encryption.secret_box import SecretKeyError
from tillsync_server.adapters.postgres.maintenance.db_health import DatabaseHealth, QueueSample
from tillsync_server.adapters.postgres.migrations import SchemaError, require_current
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import Storage, database_problem


async def reencrypt_credentials(settings: ServiceSettings) -> int:
    """Re-encrypts for `tillsync reencrypt`, and returns the number of accounts rewritten. It may run beside the service, except with the
    embedded database, which belongs to one process. Raises StartError."""
    storage = Storage(settings, Metrics("maintenance"))
    try:
        await storage.start()
        return await PostgresAccounts(storage.database, storage.secret_box, storage.notifications).reencrypt()
    except SecretKeyError as error:
        raise StartError(str(error)) from error
    finally:
        await storage.close_database()
        await storage.stop_embedded()


async def database_status(settings: ServiceSettings) -> QueueSample:
    """Returns the sample for `tillsync status`. It runs beside a service, also on its embedded PostgreSQL, and changes nothing. Raises
    StartError."""
    database = Database(running_dsn(settings), schema=settings.db_schema, max_size=1)
    try:
        connection = await database.connect()
        try:
            await require_current(connection)
        finally:
            await connection.close(timeout=2)
        return await DatabaseHealth(database).sample()
    except SchemaError as error:
        raise StartError(str(error)) from error
    except (asyncpg.PostgresError, ValueError, *DATABASE_GONE) as error:
        raise StartError(f"the database cannot be read: {database_problem(error)}") from error
    finally:
        await database.close()


def running_dsn(settings: ServiceSettings) -> str:
    """Returns the address of DATABASE_URL, or of the embedded PostgreSQL of a service that runs. Raises StartError if there is none."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    socket_directory = settings.data_dir / "run"
    if not (socket_directory / ".s.PGSQL.5432").exists():
        raise StartError(f"no embedded PostgreSQL runs in {settings.data_dir}: start `tillsync serve`, or set DATABASE_URL")
    return f"postgresql://tillsync@/postgres?host={quote(str(socket_directory), safe='')}"
