"""The commands ``tillsync backup`` and ``restore``, for the embedded database. Exit codes as in ``commands``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tillsync_cli.output import console
from tillsync_cli.session import USAGE, fail, show_progress

from tillsync_server.cli.running import read_settings, run_here

if TYPE_CHECKING:
    from tillsync_server.composition.backups import MadeBackup
    from tillsync_server.composition.restoring import Restored
    from tillsync_server.composition.settings import ServiceSettings

_NEXT = """Next: run `tillsync after-restore`. The service does not start before, because the database lacks what happened after the backup.
No admin token at hand? Start the service once with TILLSYNC_ADMIN_TOKEN set to a new one."""


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write. An existing file is replaced when the new one is complete.")
    ],
    with_secret_key: Annotated[
        bool,
        typer.Option(
            "--with-secret-key",
            help="Put the secret key into FILE too. Then FILE alone restores, and FILE alone gives away all credentials.",
        ),
    ] = False,
) -> None:
    """Write the embedded database to one file, while `tillsync serve` runs or is stopped.

    Keep the secret key elsewhere. Without the key the credentials of tills and shops in FILE are lost. With DATABASE_URL use the tools of
    PostgreSQL.
    """
    settings = _embedded_settings("backup", "pg_basebackup or pg_dump")

    async def work() -> MadeBackup:
        from tillsync_server.composition.backups import back_up

        return await back_up(settings, file, with_secret_key=with_secret_key, progress=show_progress)

    made = run_here(work)
    manifest = made.manifest
    _print(f"backup: {file} ({made.size_bytes / 1e6:.1f} MB)")
    _print(f"release {manifest.release}, schema revision {manifest.revision}, PostgreSQL {manifest.postgres_major}")
    if made.key_place is None:
        _print("the backup holds the secret key: keep it as safe as the key")
    else:
        _print(f"the backup does not hold the secret key: keep a copy of {made.key_place} elsewhere. Without it credentials are lost")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `tillsync backup` wrote.")],
) -> None:
    """Restore a backup into an empty TILLSYNC_DATA_DIR, migrate it to this release and check it. Stop `tillsync serve` first.

    The secret key comes from TILLSYNC_SECRET_KEY, the file secret-key of the data directory, or the backup, in this order.
    """
    settings = _embedded_settings("restore", "pg_restore")

    async def work() -> Restored:
        from tillsync_server.composition.restoring import restore_backup

        return await restore_backup(settings, file, show_progress)

    restored = run_here(work)
    manifest = restored.manifest
    _print(f"restored: {settings.data_dir}, as it was on {manifest.made_at} with release {manifest.release}")
    _print(f"applied: {', '.join(restored.applied)}" if restored.applied else "the schema is up to date")
    _print(f"the secret key decrypts all credentials (accounts with credentials: {restored.accounts})")
    if settings.secret_key is not None:
        _print("start the service with the same TILLSYNC_SECRET_KEY: without it, the service makes another key")
    _print(_NEXT)


def _embedded_settings(command: str, instead: str) -> ServiceSettings:
    settings = read_settings()
    if not settings.is_embedded:
        raise fail(f"`tillsync {command}` is for the embedded database: with DATABASE_URL use {instead} of PostgreSQL", code=USAGE)
    return settings


def _print(line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)
