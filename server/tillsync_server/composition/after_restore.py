"""`tillsync after-restore`: compares a restored database with the shops, before the service starts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from tillsync_server.adapters.http_client import HttpClient, HttpClientSettings
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.restores.restore_store import PostgresRestores
from tillsync_server.adapters.postgres.tokens.token_store import PostgresTokens
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.application.use_cases.after_restore import AccountReport, AfterRestore, Asked
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import Storage
from tillsync_server.domain.errors import NotFound, Unavailable
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRun:
    """What `tillsync after-restore` is asked to do. ``since``: time of the backup; None: that of the pending restore. ``finish``: the
    restore ends also if a shop could not be asked."""

    since: datetime | None = None
    accounts: Collection[AccountId] = ()
    revoked_tokens: Collection[str] = ()
    dry_run: bool = False
    finish: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    since: datetime
    accounts: list[AccountReport]
    tokens: tuple[Token, ...]
    """Valid tokens without an account."""
    is_ended: bool
    """The service may start."""

    @property
    def all_asked(self) -> bool:
        return all(report.asked is not Asked.FAILED for report in self.accounts)


async def after_restore(settings: ServiceSettings, run: RestoreRun, progress: Callable[[str], None]) -> RestoreReport:
    """Runs while no process of the service runs. It may be repeated; it goes on with the accounts that are not completed. Raises
    StartError."""
    storage = Storage(settings, Metrics("maintenance"))
    try:
        await storage.start()
        restores, tokens = PostgresRestores(storage.database), PostgresTokens(storage.database, storage.notifications)
        accounts = PostgresAccounts(storage.database, storage.secret_box, storage.notifications)
        since = run.since or await _time_of_backup(restores)
        http = HttpClient(HttpClientSettings(allowed_hosts=settings.hosts(serves=True)))
        try:
            shops = WooGateway(http, WooAdapterSettings(timeout_seconds=settings.shop_timeout_seconds))
            use_case = AfterRestore(restores, accounts, tokens, shops)
            if not run.dry_run:
                for token_id in sorted(set(run.revoked_tokens)):
                    await use_case.revoke(token_id)
            reports = await use_case.run(since, only=run.accounts, dry_run=run.dry_run, progress=progress)
            may_end = not run.dry_run and (run.finish or await use_case.is_complete())
            is_ended = may_end and await restores.end()
            return RestoreReport(since=since, accounts=reports, tokens=await use_case.tokens_without_account(), is_ended=is_ended)
        finally:
            await http.close()
    except (NotFound, Unavailable) as error:
        raise StartError(str(error)) from error
    finally:
        await storage.close_database()
        await storage.stop_embedded()


async def skip_restore(settings: ServiceSettings) -> bool:
    """Ends a pending restore without a comparison. Returns whether there was one. Raises StartError."""
    storage = Storage(settings, Metrics("maintenance"))
    try:
        await storage.start()
        return await PostgresRestores(storage.database).end()
    finally:
        await storage.close_database()
        await storage.stop_embedded()


async def require_no_restore(database: Database) -> None:
    """Raises StartError while a restored database was not compared with the shops. Its workers would decide again what is decided."""
    restore = await PostgresRestores(database).pending()
    # invariant: restored-databases-do-not-work
    if restore is not None:
        since = "" if restore.since is None else f" of {restore.since:%Y-%m-%d %H:%M:%S} UTC"
        raise StartError(
            f"the database was restored from a backup{since}: run `tillsync after-restore` first, which asks the shops what happened since "
            "(or `tillsync after-restore --skip`, which asks nothing)"
        )


async def _time_of_backup(restores: PostgresRestores) -> datetime:
    restore = await restores.pending()
    if restore is None or restore.since is None:
        raise StartError("no restore is pending: name the time of the backup with --since, for example --since 2026-11-25T02:00Z")
    return restore.since
