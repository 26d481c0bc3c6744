"""Creates, reads, lists and changes accounts and their settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tillsync_server.application.use_cases.account_fields import (
    MAX_MASK_PATHS,
    SettingField,
    checked_settings,
    is_slug,
    setting_fields,
    with_settings,
)
from tillsync_server.application.use_cases.page_tokens import PageTokens, coerced_page_size
from tillsync_server.domain.account import Account
from tillsync_server.domain.base_urls import PlainHttpAllowed, origin_of
from tillsync_server.domain.errors import FieldViolation, InvalidArgument
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.accounts import AccountChange, AccountStore, AccountWarnings

OUTPUT_ONLY = frozenset(
    {
        "problem",
        "warnings",
        "etag",
        "create_time",
        "update_time",
        "trusted_before_time",
        *(f"epos.has_{name}" for name in ("api_key", "api_secret", "webhook_key", "webhook_secret")),
        *(f"shop.has_{name}" for name in ("consumer_key", "consumer_secret", "bridge_secret")),
        "shop.price_decimals",
    }
)

# Secrets that are sent to each side. They must be given again (or removed) before anything is sent to another origin.
_SECRETS_SENT = (
    ("epos.base_url", ("epos.api_key", "epos.api_secret")),
    ("shop.base_url", ("shop.consumer_key", "shop.consumer_secret", "shop.bridge_secret")),
)

ReadSettings = Callable[[Sequence[str]], Mapping[str, Any]]
"""Returns the values of these paths in the request; None, 0 and "" are empty ones. It is called with valid paths only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInput:
    """An account in a request. ``named``: the account_id inside the account message, which must be empty or the same."""

    account_id: AccountId
    named: str
    settings: ReadSettings = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccountsPage:
    accounts: tuple[Account, ...]
    next_page_token: str


def _never(host: str, port: int) -> bool:
    return False


class AccountSettings:
    """Manages accounts. ``plain_http_allowed``: whether a till's host may use http (the allow-list); loopback always may."""

    def __init__(self, accounts: AccountStore, warnings: AccountWarnings, *, plain_http_allowed: PlainHttpAllowed = _never) -> None:
        self._accounts = accounts
        self._warnings = warnings
        self._fields: dict[str, SettingField] = setting_fields(plain_http_allowed)

    async def create(self, given: AccountInput) -> Account:
        """Creates an account. Raises AlreadyExists, FailedPrecondition (TILL_NOT_SHARED), InvalidArgument."""
        if not is_slug(given.account_id):
            raise InvalidArgument.of("account_id", "must be 1 to 64 of a-z, 0-9 and inner hyphens")
        _check_name(given)
        settings = checked_settings(self._fields, given.settings(tuple(self._fields)))
        blank = Account(account_id=given.account_id, till_id=TillId(given.account_id))
        return await self._accounts.create(with_settings(blank, settings))

    async def get(self, account_id: AccountId) -> Account:
        account = await self._accounts.get(account_id)
        [with_warnings] = await self._with_warnings([account])
        return with_warnings

    async def list_accounts(self, page_size: int, page_token: str) -> AccountsPage:
        limit = coerced_page_size(page_size)
        tokens = PageTokens("page_token", "accounts")
        after = tokens.read_text(page_token)
        found = await self._accounts.list_accounts(after=None if after is None else AccountId(after), limit=limit + 1)
        page = await self._with_warnings(found[:limit])
        return AccountsPage(page, tokens.make(page[-1].account_id) if len(found) > limit else "")

    async def update(self, given: AccountInput, mask: Sequence[str], etag: str) -> AccountChange:
        """Changes the settings in ``mask``. Raises Aborted (another etag), FailedPrecondition (TILL_NOT_SHARED, DEFAULT_CUSTOMER_LINKED),
        InvalidArgument."""
        _check_name(given)
        paths = self._checked_mask(mask)
        settings = checked_settings(self._fields, given.settings(paths))

        def change(present: Account) -> Account:
            changed = with_settings(present, settings)
            _check_origins(present, changed, settings)
            return changed

        return await self._accounts.update(given.account_id, change, etag=etag)

    async def _with_warnings(self, accounts: Sequence[Account]) -> tuple[Account, ...]:
        warnings = await self._warnings.of([account.account_id for account in accounts])
        return tuple(replace(account, warnings=warnings.get(account.account_id, ())) for account in accounts)

    def _checked_mask(self, mask: Sequence[str]) -> tuple[str, ...]:
        if len(mask) > MAX_MASK_PATHS:
            raise InvalidArgument.of("update_mask", f"must have at most {MAX_MASK_PATHS} paths")
        paths = tuple(dict.fromkeys(mask))
        problems = [problem for path in paths if (problem := self._mask_problem(path))]
        if not paths:
            problems.append("name at least one field")
        if problems:
            raise InvalidArgument([FieldViolation("update_mask", problem) for problem in problems])
        return paths

    def _mask_problem(self, path: str) -> str | None:
        if path in self._fields:
            return None
        if path == "*":
            return '"*" is refused: name the fields, so that nothing is reset by accident'
        if path in ("epos", "shop"):
            return f'"{path}" alone is refused: name its fields, such as "{path}.base_url", so that no secret is dropped by accident'
        if path == "account_id":
            return '"account_id" never changes'
        if path in OUTPUT_ONLY or path.partition(".")[0] in ("problem", "warnings"):
            return f'"{path}" is output only'
        return f'"{path[:100]}" is no field of Account; names are written like auto_link or epos.api_key'


def _check_name(given: AccountInput) -> None:
    if given.named not in ("", given.account_id):
        raise InvalidArgument.of("account.account_id", "must be empty or the same as account_id")


def _check_origins(present: Account, changed: Account, given: Iterable[str]) -> None:
    """Raises InvalidArgument (SECRETS_NEEDED) if a stored secret would be sent to an origin for which it was not given. A removed secret
    counts as given."""
    named = frozenset(given)
    violations = []
    for url_path, secret_paths in _SECRETS_SENT:
        before, after = origin_of(_at(present, url_path)), origin_of(_at(changed, url_path))
        if after is None or before == after:
            continue
        violations += [
            FieldViolation(
                f"account.{path}", f"{url_path} gets another origin: give this secret again in the same call, or empty to remove it"
            )
            for path in secret_paths
            if path not in named and _at(present, path)
        ]
    if violations:
        raise InvalidArgument(violations, reason="SECRETS_NEEDED")


def _at(account: Account, path: str) -> str:
    part, _, name = path.partition(".")
    value: str = getattr(getattr(account, part), name)
    return value
