"""Stores accounts: settings, encrypted credentials, and the work that a change of them requires. The statements are in ``accounts.sql``.

Lock order: lane, then account row, then till. This module alone encrypts and decrypts the credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import asyncpg

from tillsync_server.adapters.postgres.accounts.account_cache import AccountCache
from tillsync_server.adapters.postgres.accounts.account_rows import SECRETS, account_from, secret_columns, settings_columns
from tillsync_server.adapters.postgres.connections.pool import Connection, Database
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.engine.locked_lane import locked_lane
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound, RequestError, RunInterrupted, Unavailable
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.settings_change import Requeue, effect_of, ends_pause, is_other_shop, requeued_by
from tillsync_server.ports.accounts import AccountChange
from tillsync_server.ports.wakeups import Notifier

_LOCK_LANE = load("engine/lock_lane")
_INSERT = load("accounts/insert")
_INSERT_LANE = load("accounts/insert_lane")
_INSERT_OR_LOCK_TILL = load("tills/insert_or_lock_till")
_OTHERS_ON_TILL = load("accounts/others_on_till")
_GET = load("accounts/get")
_LOCK = load("accounts/lock")
_LIST = load("accounts/list")
_UPDATE = load("accounts/update")
_RAISE_CONFIG_VERSION = load("engine/raise_config_version")
_PROBE_NOW = load("accounts/probe_now")
_RESCHEDULE_LANE = load("engine/reschedule_lane")
_CLOSE_PROBLEM_OF_SIDE = load("accounts/close_problem_of_side")
_IS_LINKED = load("accounts/is_linked")
_COUNT_REQUEUES = load("accounts/count_requeues")
_WRITE_REQUEUE = load("accounts/write_requeue")
_CLEAR_TYPE_HASHES = load("accounts/clear_type_hashes")
_OF_TILL = load("accounts/of_till")
_SECRETS_AFTER = load("accounts/secrets_after")
_STORE_SECRETS = load("accounts/store_secrets")
_NOTE_CUSTOMER_IDS = load("accounts/note_customer_ids")
_TILLS_WITH_SAME_CUSTOMERS = load("accounts/tills_with_same_customers")
_DISCARD_EVENTS = load("events/discard")
_DELETE_REFUSED_EVENTS = load("events/delete_refused")
_RESEND_EVENTS = load("events/resend_of_account")
_SEND_EVENTS_NOW = load("events/send_now")

_REENCRYPT_CHUNK = 200
_SAMPLE_SIZE = 200


class PostgresAccounts:
    """Implements ports.accounts.AccountStore and TillCustomersSeen, and the engine's AccountReader (``at_version``)."""

    def __init__(self, database: Database, secret_box: SecretBox, notifier: Notifier) -> None:
        self._database = database
        self._box = secret_box
        self._notifier = notifier
        self._cache = AccountCache(self.get)

    async def create(self, account: Account) -> Account:
        async with self._database.acquire() as connection, connection.transaction():
            parameters = [account.account_id, *settings_columns(account), *secret_columns(account, self._box)]
            if await connection.fetchval(_INSERT, *parameters) is None:
                return await self._created_before(connection, account)
            await connection.execute(_INSERT_LANE, account.account_id)
            await self._require_till(connection, account)
            row = await connection.fetchrow(_GET, account.account_id)
        self._notifier.accounts_changed()
        return account_from(_present(row, account.account_id), self._box)

    async def _created_before(self, connection: Connection, account: Account) -> Account:
        """Returns the stored account if an earlier call created it with the same settings. Raises AlreadyExists otherwise."""
        stored = account_from(_present(await connection.fetchrow(_GET, account.account_id), account.account_id), self._box)
        if not stored.has_settings_of(account):
            raise AlreadyExists(f"account {account.account_id} exists already", reason="ACCOUNT_EXISTS")
        return stored

    async def get(self, account_id: AccountId) -> Account:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_GET, account_id)
        return account_from(_present(row, account_id), self._box)

    async def at_version(self, account_id: AccountId, config_version: int) -> Account:
        """Returns the account at ``config_version`` or later. It is cached, and concurrent callers share one read."""
        return await self._cache.at_version(account_id, config_version)

    async def list_accounts(self, *, after: AccountId | None, limit: int) -> list[Account]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_LIST, after or "", limit)
        return [account_from(row, self._box) for row in rows]

    async def update(
        self, account_id: AccountId, change: Callable[[Account], Account], *, etag: str = "", dry_run: bool = False
    ) -> AccountChange:
        seen = await self.get(account_id)
        requested = _changed(seen, change, etag, dry_run=dry_run)
        # Counted before the lane is locked, because a large account has many links. Changes since are counted under the lock.
        counts = await self._count(account_id, requeued_by(seen, requested))
        try:
            async with self._database.acquire() as connection, connection.transaction():
                changed, announcements = await self._change_under_lock(connection, account_id, change, etag, counts, dry_run=dry_run)
        except asyncpg.LockNotAvailableError as error:
            raise Unavailable(f"account {account_id} is busy; try again", reason="ACCOUNT_BUSY") from error
        for announce in announcements:
            announce()
        return changed

    async def _change_under_lock(
        self,
        connection: Connection,
        account_id: AccountId,
        change: Callable[[Account], Account],
        etag: str,
        counted: dict[Requeue, int],
        *,
        dry_run: bool,
    ) -> tuple[AccountChange, list[Callable[[], None]]]:
        """Returns the change, and the notifications to send after the commit."""
        lane = _present(await connection.fetchrow(_LOCK_LANE, account_id), account_id)
        stored = _present(await connection.fetchrow(_LOCK, account_id), account_id)
        before = account_from(stored, self._box)
        after = _changed(before, change, etag, dry_run=dry_run)
        if after == before:
            return AccountChange(account=before, effect=effect_of({})), []
        await self._require_unlinked_default(connection, before, after)
        requeues = requeued_by(before, after)
        # A count of zero may be outdated, and a subject with a count of zero is not requeued. So zeros are counted again, which is cheap.
        counts = {what: counted[what] for what in requeues & counted.keys() if counted[what]}
        counts |= await self._count_with(connection, account_id, requeues - counts.keys())
        moves_till = (after.till_id, after.shared_till) != (before.till_id, before.shared_till)
        if dry_run:
            if moves_till:
                await self._refuse_foreign_till(connection, after)
            return AccountChange(account=after, effect=effect_of(counts)), []
        if moves_till:
            await self._require_till(connection, after)
        secrets = secret_columns(after, self._box, before=before, stored=stored)
        await connection.execute(_UPDATE, account_id, *settings_columns(after), *secrets, lane["at"])
        await connection.execute(_RAISE_CONFIG_VERSION, account_id)
        if is_other_shop(before, after):
            await connection.execute(_CLEAR_TYPE_HASHES, account_id)
            await connection.execute(_DISCARD_EVENTS, account_id)
            await connection.execute(_DELETE_REFUSED_EVENTS, account_id)
        requested = sorted(int(what) for what, count in counts.items() if count)
        if requested:
            await connection.execute(_WRITE_REQUEUE, account_id, requested, lane["at"])
        resumes = ends_pause(before, after)
        if resumes:
            await connection.execute(_PROBE_NOW, account_id, lane["at"])
            await connection.execute(_RESCHEDULE_LANE, account_id)
            await connection.execute(_RESEND_EVENTS, account_id)
            await connection.execute(_SEND_EVENTS_NOW, account_id, lane["at"])
        now = account_from(_present(await connection.fetchrow(_GET, account_id), account_id), self._box)
        announcements = [self._notifier.accounts_changed]
        announcements += [self._notifier.lanes_ready] if requested or resumes else []
        announcements += [self._notifier.requeue_waiting] if requested else []
        announcements += [self._notifier.order_events] if resumes else []
        return AccountChange(account=now, effect=effect_of(counts)), announcements

    async def _count(self, account_id: AccountId, requeues: Iterable[Requeue]) -> dict[Requeue, int]:
        async with self._database.acquire() as connection:
            return await self._count_with(connection, account_id, requeues)

    async def _count_with(self, connection: Connection, account_id: AccountId, requeues: Iterable[Requeue]) -> dict[Requeue, int]:
        requested = sorted(int(what) for what in requeues)
        rows = await connection.fetch(_COUNT_REQUEUES, account_id, requested) if requested else []
        return {Requeue(row["what"]): row["entries"] for row in rows}

    async def _require_unlinked_default(self, connection: Connection, before: Account, after: Account) -> None:
        default = after.default_epos_customer_id
        if default is None or default == before.default_epos_customer_id:
            return
        if await connection.fetchval(_IS_LINKED, after.account_id, default):
            raise FailedPrecondition(
                f"till customer {default} is linked to a shop customer and cannot be the default customer: delete the link first",
                reason="DEFAULT_CUSTOMER_LINKED",
            )

    async def _require_till(self, connection: Connection, account: Account) -> None:
        """Locks the till's row, so that two accounts that take the same till_id at once see each other."""
        await connection.execute(_INSERT_OR_LOCK_TILL, account.till_id)
        await self._refuse_foreign_till(connection, account)

    async def _refuse_foreign_till(self, connection: Connection, account: Account) -> None:
        if not account.shared_till and await connection.fetchval(_OTHERS_ON_TILL, account.till_id, account.account_id):
            raise FailedPrecondition(
                f"another account uses till_id {account.till_id}: set shared_till when both are one Epos Now company, or choose another",
                reason="TILL_NOT_SHARED",
            )

    async def resume_side(self, account_id: AccountId, side: Side, *, config_version: int) -> bool:
        try:
            async with locked_lane(self._database, account_id) as lane:
                if lane.config_version != config_version:
                    return False
                if side is Side.SHOP:
                    await lane.connection.execute(_RESEND_EVENTS, account_id)
                had_problem = await lane.connection.fetchval(_CLOSE_PROBLEM_OF_SIDE, account_id, int(side)) is not None
                if had_problem:
                    await lane.connection.execute(_RESCHEDULE_LANE, account_id)
        except Unavailable:  # the lane is locked: its owner meets the side itself
            return False
        if side is Side.SHOP:
            self._notifier.order_events()
        if had_problem:
            lane.notify(self._notifier)
        return had_problem

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_OF_TILL, till_id)
        try:
            # one by one: the first webhook of a till must leave connections free for other work
            accounts = [await self.at_version(AccountId(row["account_id"]), row["config_version"]) for row in rows]
        except RunInterrupted as error:
            raise Unavailable(f"the settings of till {till_id} cannot be read just now; try again") from error
        return [account for account in accounts if account.till_id == till_id]

    async def reencrypt(self) -> int:
        """Encrypts every stored secret with the first key of TILLSYNC_SECRET_KEY. Returns how many accounts were rewritten.

        It works in chunks of 200 accounts, each in one transaction. It may run beside all other work, and be repeated at any time.
        """
        rewritten, after = 0, ""
        while True:
            async with self._database.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_SECRETS_AFTER, after, _REENCRYPT_CHUNK)
                for row in rows:
                    renewed = {column: self._box.rotate(row[column]) for column in SECRETS if row[column] is not None}
                    if any(renewed.values()):
                        await connection.execute(
                            _STORE_SECRETS, row["account_id"], *(renewed.get(column) or row[column] for column in SECRETS)
                        )
                        rewritten += 1
            if not rows:
                return rewritten
            after = rows[-1]["account_id"]

    async def require_secrets_readable(self) -> int:
        """Decrypts every stored secret. Returns how many accounts there are with secrets. Raises SecretKeyError if no key fits one."""
        accounts, after = 0, ""
        while True:
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_SECRETS_AFTER, after, _REENCRYPT_CHUNK)
            for row in rows:
                for column in SECRETS:
                    if row[column] is not None:
                        self._box.decrypt(row[column])
            if not rows:
                return accounts
            accounts, after = accounts + len(rows), rows[-1]["account_id"]

    async def note_customer_ids(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None:
        async with self._database.acquire() as connection:
            await connection.execute(_NOTE_CUSTOMER_IDS, till_id, sorted(set(customer_ids))[:_SAMPLE_SIZE])

    async def tills_with_same_customers(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> list[TillId]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_TILLS_WITH_SAME_CUSTOMERS, till_id, list(customer_ids))
        return [TillId(row["till_id"]) for row in rows]


def _changed(account: Account, change: Callable[[Account], Account], etag: str, *, dry_run: bool) -> Account:
    """Returns the changed account. Raises Aborted if the etag is outdated and ``change`` would overwrite something."""
    if not etag or etag == account.etag:
        return change(account)
    if not dry_run:
        with suppress(RequestError):  # the caller has not read the settings that make the change invalid
            if change(account) == account:
                return account
    raise Aborted(f"account {account.account_id} has changed since you read it: read it again", metadata={"etag": account.etag})


def _present(row: asyncpg.Record | None, account_id: AccountId) -> asyncpg.Record:
    if row is None:
        raise NotFound(f"account {account_id} does not exist", reason="ACCOUNT_NOT_FOUND")
    return row
