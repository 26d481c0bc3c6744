"""`tillsync restore`: a backup becomes the database of an empty data directory, completely or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.backups import BackupFileError, Manifest, Work, in_thread, read_manifest, sync_directory, unpack
from tillsync_server.adapters.postgres.backups.work import Progress
from tillsync_server.adapters.postgres.connections.pool import DATABASE_GONE
from tillsync_server.adapters.postgres.embedded import EmbeddedPostgresError
from tillsync_server.adapters.postgres.embedded.binaries import find_binaries
from tillsync_server.adapters.postgres.embedded.data_directory import DataDirectory
from tillsync_server.adapters.postgres.embedded.identity import RunAs, run_as
from tillsync_server.adapters.postgres.encryption.secret_box import SecretKeyError
from tillsync_server.adapters.postgres.migrations import release_order, this_release
from tillsync_server.adapters.postgres.restores.restore_store import PostgresRestores
from tillsync_server.composition.backups import stored_key
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.private_files import make_private
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import SECRET_KEY_FILE, Storage, database_problem, migrate_database

_SCRATCH = "restore.partial"
_KNOWN_DIRECTORIES = frozenset({"run", "lost+found", _SCRATCH})
"""Directories that a data directory without a database may hold, beside those whose names begin with ``postgres`` or a dot."""


@dataclass(frozen=True, slots=True)
class Restored:
    """``accounts``: those with credentials, which the key decrypts. ``applied``: revisions applied now."""

    manifest: Manifest
    applied: list[str]
    accounts: int


async def restore_backup(settings: ServiceSettings, file: Path, progress: Progress) -> Restored:
    """Restores ``file`` into the data directory, migrates and checks it. The service must not run. Raises StartError."""
    user = run_as()
    directory = DataDirectory(settings.data_dir, user)
    try:
        manifest = read_manifest(file)
        _require_release(file, manifest)
        _require_schema(settings, manifest)
        directory.prepare()
        directory.lock()
        try:
            _require_empty(directory.root)
            _require_version(settings, manifest, user)
            if stored_key(settings) is None and not manifest.has_secret_key:
                raise StartError(
                    f"{file} holds no secret key: put the key of the service into {directory.root / SECRET_KEY_FILE} (chmod 600), or set "
                    "TILLSYNC_SECRET_KEY"
                )
            return await _restore(settings, file, manifest, directory, user, progress)
        finally:
            directory.unlock()
    except (BackupFileError, EmbeddedPostgresError) as error:
        raise StartError(str(error)) from error
    except (asyncpg.PostgresError, *DATABASE_GONE) as error:
        if isinstance(error, OSError) and error.strerror:
            raise StartError(f"{error.filename or directory.root}: {error.strerror}. Nothing was restored") from error
        raise StartError(f"nothing was restored: {database_problem(error)}") from error


async def _restore(
    settings: ServiceSettings, file: Path, manifest: Manifest, directory: DataDirectory, user: RunAs, progress: Progress
) -> Restored:
    """Makes the database in a directory beside the final one, and moves it when every check has passed."""
    with _scratch(directory.root) as scratch:
        work = Work("restored", progress)
        work.total_bytes = manifest.cluster_bytes
        owner = (user.uid, user.gid) if user.drops else None
        new_cluster = DataDirectory(scratch, user).cluster
        key_of_file = await in_thread(work, lambda: unpack(file, new_cluster, work, owner))
        key = stored_key(settings) or key_of_file
        if key is None:
            raise StartError(f"{file} holds no secret key, although its manifest names one: use another backup")
        progress("starts the database, migrates and checks it")
        applied, accounts = await _check(settings, scratch, key, _time(manifest.made_at), progress)
        if settings.secret_key is None:
            make_private(directory.root / SECRET_KEY_FILE, lambda: key)
        new_cluster.rename(directory.cluster)
        sync_directory(directory.root)
    return Restored(manifest, applied, accounts)


async def _check(settings: ServiceSettings, scratch: Path, key: str, made_at: datetime | None, progress: Progress) -> tuple[list[str], int]:
    """Starts the restored server, migrates it, decrypts every credential, and stores that the shops must be asked before the service
    starts. Returns the revisions applied, and the number of accounts.

    Raises StartError.
    """
    here = settings.model_copy(update={"data_dir": scratch, "secret_key": SecretStr(key)})
    applied = await migrate_database(here, progress)
    storage = Storage(here, Metrics("maintenance"))
    try:
        await storage.start()
        accounts = PostgresAccounts(storage.database, storage.secret_box, storage.notifications)
        number = await accounts.require_secrets_readable()
        await PostgresRestores(storage.database).note_restored(made_at)
        return applied, number
    except SecretKeyError as error:
        raise StartError(
            "the secret key is not that of the backup, because it decrypts no credentials in it: put the key of that time into "
            f"{settings.data_dir / SECRET_KEY_FILE} or TILLSYNC_SECRET_KEY. Nothing was restored"
        ) from error
    finally:
        await storage.close_database()
        await storage.stop_embedded()


def _time(made_at: str) -> datetime | None:
    """Returns the time of a manifest, or None for a text of another form. Then `tillsync after-restore` needs --since."""
    try:
        return datetime.strptime(made_at, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A new directory under ``root``, removed at the end. It stays if PostgreSQL did not start in it, because its log is there."""
    scratch = root / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o711)
    has_useful_log = False
    try:
        yield scratch
    except StartError as error:
        has_useful_log = isinstance(error.__cause__, EmbeddedPostgresError)
        raise
    finally:
        if not has_useful_log:
            shutil.rmtree(scratch, ignore_errors=True)


def _require_release(file: Path, manifest: Manifest) -> None:
    ours, needed = this_release(), max(manifest.release, manifest.least_release or "0", key=release_order)
    if release_order(ours) < release_order(needed):
        raise StartError(f"{file} is of release {manifest.release}, and this is {ours}: restore it with release {needed} or newer")


def _require_schema(settings: ServiceSettings, manifest: Manifest) -> None:
    if settings.db_schema != manifest.schema:
        raise StartError(f"the backup is of schema {manifest.schema}, not {settings.db_schema}: set TILLSYNC_DB_SCHEMA={manifest.schema}")


def _require_version(settings: ServiceSettings, manifest: Manifest, user: RunAs) -> None:
    find_binaries(settings.postgres_bin, None, user)  # has its own text for settings that name no PostgreSQL
    try:
        find_binaries(settings.postgres_bin, manifest.postgres_major, user)
    except EmbeddedPostgresError as error:
        major = manifest.postgres_major
        raise StartError(
            f"the backup is of PostgreSQL {major}, and no other version can open it: install PostgreSQL {major} (on Debian "
            f"postgresql-{major}), or name its folder of programs in TILLSYNC_POSTGRES_BIN"
        ) from error


def _require_empty(root: Path) -> None:
    """Raises StartError if the data directory holds a database, or another directory that is not the service's. Files may be there: the
    secret key, the admin token, backups."""
    if (root / "postgres").exists():
        raise StartError(
            f"{root} is not empty: it holds a database. Move it away (`mv {root}/postgres {root}/postgres.old`), or set another "
            "TILLSYNC_DATA_DIR"
        )
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and entry.name not in _KNOWN_DIRECTORIES and not entry.name.startswith(("postgres", ".")):
            raise StartError(f"{root} is not empty: it holds {entry.name}. Move it away, or set another TILLSYNC_DATA_DIR")
