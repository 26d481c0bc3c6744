"""Reads and changes the settings that a merchant may change, and counts the entries that a change enqueues or requeues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tillsync_server.application.use_cases.account_fields import MAX_MASK_PATHS, checked_settings, setting_fields, with_settings
from tillsync_server.application.use_cases.account_settings import ReadSettings
from tillsync_server.application.use_cases.till_lookup import TillLookup
from tillsync_server.domain.account import Account
from tillsync_server.domain.errors import Aborted, FieldViolation, InvalidArgument, ResourceExhausted, Unavailable
from tillsync_server.domain.ids import AccountId, EposCustomerId
from tillsync_server.domain.settings_change import SettingsEffect
from tillsync_server.ports.accounts import AccountChange, AccountStore

SITE_SETTINGS: Final = (
    "customer_sync_enabled",
    "default_epos_customer_id",
    "match_email",
    "guest_policy",
    "auto_link",
    "sync_names",
    "sync_phone",
    "trusted_accounts",
)
"""Fields of Account. They have the same meanings and defaults there."""
_DEFAULT_CUSTOMER = "default_epos_customer_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettingsUpdate:
    """A change of site settings. ``mask``: paths within the settings; an empty one with ``validate_only`` only reads. An empty ``etag``
    matches every version."""

    account_id: AccountId
    settings: ReadSettings = field(repr=False)
    mask: Sequence[str] = ()
    etag: str = ""
    validate_only: bool = False


class SiteSettings:
    def __init__(self, accounts: AccountStore, lookup: TillLookup) -> None:
        self._accounts = accounts
        self._lookup = lookup
        fields = setting_fields(lambda _host, _port: False)
        self._fields = {path: fields[path] for path in SITE_SETTINGS}

    async def update(self, given: SiteSettingsUpdate) -> AccountChange:
        """Changes or reads the settings. A new default customer must exist in Epos Now; if the till cannot be asked, the effect has a note
        with the reason. Raises Aborted (another etag), FailedPrecondition (DEFAULT_CUSTOMER_LINKED), InvalidArgument, NotFound."""
        if not given.mask and given.validate_only:
            return await self._read(given)
        paths = self._checked_mask(given.mask)
        settings = checked_settings(self._fields, given.settings(paths), within="settings")
        notes = await self._check_default_customer(given.account_id, settings.get(_DEFAULT_CUSTOMER))

        def change(present: Account) -> Account:
            return with_settings(present, settings)

        changed = await self._accounts.update(given.account_id, change, etag=given.etag, dry_run=given.validate_only)
        return replace(changed, effect=replace(changed.effect, notes=(*changed.effect.notes, *notes)))

    async def _check_default_customer(self, account_id: AccountId, customer_id: EposCustomerId | None) -> tuple[str, ...]:
        """Returns notes. Raises InvalidArgument if Epos Now has no such customer."""
        if customer_id is None or (await self._accounts.get(account_id)).default_epos_customer_id == customer_id:
            return ()
        try:
            found = await self._lookup.read(account_id, [customer_id])
        except (Unavailable, ResourceExhausted) as error:
            return (f"the default customer was not checked, so check the account later. {error}",)
        if not found:
            raise InvalidArgument.of(
                f"settings.{_DEFAULT_CUSTOMER}", f"Epos Now has no customer {customer_id}: give the number of a customer that exists"
            )
        return ()

    async def _read(self, given: SiteSettingsUpdate) -> AccountChange:
        account = await self._accounts.get(given.account_id)
        if given.etag and given.etag != account.etag:
            raise Aborted(f"account {given.account_id} has changed since you read it: read it again", metadata={"etag": account.etag})
        return AccountChange(account=account, effect=SettingsEffect())

    def _checked_mask(self, mask: Sequence[str]) -> tuple[str, ...]:
        if len(mask) > MAX_MASK_PATHS:
            raise InvalidArgument.of("update_mask", f"must have at most {MAX_MASK_PATHS} paths")
        paths = tuple(dict.fromkeys(mask))
        problems = [f'"{path[:100]}" is not among {", ".join(self._fields)}' for path in paths if path not in self._fields]
        if not paths:
            problems.append("name at least one field; with validate_only, none reads the settings as they are")
        if problems:
            raise InvalidArgument([FieldViolation("update_mask", problem) for problem in problems])
        return paths
