"""`tillsync backup`: one file with the embedded database. `restoring` reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from tillsync_server.adapters.postgres.backups import (
    BackupError,
    BackupFileError,
    BackupWriter,
    Manifest,
    Work,
    cluster_size,
    copy_cluster,
    in_thread,
)
from tillsync_server.adapters.postgres.backups.work import Progress
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.embedded import DataDirectoryInUseError, EmbeddedPostgres, EmbeddedPostgresError, socket_dsn
from tillsync_server.adapters.postgres.embedded.data_directory import DataDirectory
from tillsync_server.adapters.postgres.embedded.identity import run_as
from tillsync_server.adapters.postgres.migrations import this_release
from tillsync_server.adapters.postgres.migrations.schema_state import schema_state
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.private_files import read_private
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import SECRET_KEY_FILE, database_problem

_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """``key_place``: where the secret key is that the backup does not hold, or None if it holds the key."""

    manifest: Manifest
    size_bytes: int
    key_place: str | None


async def back_up(settings: ServiceSettings, file: Path, *, with_secret_key: bool, progress: Progress) -> MadeBackup:
    """Writes a backup of the embedded database to ``file``, which is replaced at the end or stays as it is.

    Beside a running service this process reads the files of its server, and changes nothing. Without one the server runs for the
    time of the backup, and no service can start meanwhile. Raises StartError.
    """
    file = _replaceable(file)
    key = stored_key(settings) if with_secret_key else None
    if with_secret_key and key is None:
        raise StartError(f"there is no secret key: neither TILLSYNC_SECRET_KEY nor {settings.data_dir / SECRET_KEY_FILE} has one")
    work = Work("copied", progress)
    try:
        async with _server(settings, progress) as (cluster, dsn):
            connection = await asyncpg.connect(
                dsn, timeout=_CONNECT_SECONDS, server_settings={"search_path": settings.db_schema, "application_name": "tillsync backup"}
            )
            try:
                with BackupWriter(file, work) as writer:
                    manifest = await _manifest(connection, settings, cluster, has_secret_key=key is not None)
                    work.total_bytes = manifest.cluster_bytes
                    writer.add_manifest(manifest)
                    if key is not None:
                        writer.add_secret_key(key)
                    await copy_cluster(connection, cluster, writer, work)
                    size = await in_thread(work, writer.finish)
            finally:
                connection.terminate()
    except (EmbeddedPostgresError, BackupError, BackupFileError) as error:
        raise StartError(str(error)) from error
    except PermissionError as error:
        raise StartError(f"{error.filename or file} belongs to another user: run this as the user of the service") from error
    except (asyncpg.PostgresError, *DATABASE_GONE) as error:
        if isinstance(error, OSError) and error.strerror and not isinstance(error, ConnectionError):
            raise StartError(f"the backup cannot be written to {file} ({error.strerror}): a former file stays as it was") from error
        raise StartError(f"the backup is not made, and a former file stays as it was: {database_problem(error)}") from error
    return MadeBackup(manifest, size, None if key is not None else _key_place(settings))


def stored_key(settings: ServiceSettings) -> str | None:
    """Returns the secret keys that this host has, from the settings or the data directory. Makes none. Raises StartError."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    return read_private(settings.data_dir / SECRET_KEY_FILE)


def _replaceable(file: Path) -> Path:
    """Returns the file behind links. Raises StartError for anything but a regular or new file: a rename would replace a device too."""
    file = file.resolve()
    if file.exists() and not file.is_file():
        raise StartError(f"{file} is no regular file: name a file that the backup may replace")
    if not file.parent.is_dir():
        raise StartError(f"{file.parent} is no directory: make it first")
    return file


@asynccontextmanager
async def _server(settings: ServiceSettings, progress: Progress) -> AsyncIterator[tuple[Path, str]]:
    """The cluster's directory, and the address of its server: that of the running service, or one for the time of the block."""
    user = run_as()
    directory = DataDirectory(settings.data_dir, user)
    if directory.made_by() is None:
        raise StartError(f"{settings.data_dir} holds no database: set TILLSYNC_DATA_DIR to the data directory of the service")
    if directory.cluster.stat().st_uid != user.uid and not (user.drops and directory.is_locked()):
        raise StartError(f"{directory.cluster} belongs to another user: run this as the user of the service")
    embedded = EmbeddedPostgres(settings.data_dir, bin_dir=settings.postgres_bin)
    try:
        dsn = await embedded.start()
    except DataDirectoryInUseError:
        socket = directory.running_socket()
        if socket is None:
            raise
        progress("the service runs: its database is copied while it works")
        yield directory.cluster, socket_dsn(socket)
        return
    try:
        yield directory.cluster, dsn
    finally:
        await embedded.stop()


async def _manifest(
    connection: asyncpg.Connection[asyncpg.Record], settings: ServiceSettings, cluster: Path, *, has_secret_key: bool
) -> Manifest:
    state = await schema_state(connection)
    if state.revision is None:
        raise StartError(f"the database has no schema {settings.db_schema}: set TILLSYNC_DB_SCHEMA as the service has it")
    return Manifest(
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        release=this_release(),
        schema=settings.db_schema,
        revision=state.revision,
        least_release=state.least_release,
        postgres_major=connection.get_server_version().major,
        cluster_bytes=cluster_size(cluster),
        has_secret_key=has_secret_key,
    )


def _key_place(settings: ServiceSettings) -> str:
    return "TILLSYNC_SECRET_KEY" if settings.secret_key is not None else str(settings.data_dir / SECRET_KEY_FILE)
