"""Accounts, their changes and their checks as messages. Requests carry secrets, and answers never do. The ``has_`` fields say which secrets
are set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tillsync.v1 import account_pb2, account_service_pb2

from tillsync_server.adapters.grpc.messages.entries import fill_problems
from tillsync_server.application.use_cases.account_check import AccountCheckResult
from tillsync_server.application.use_cases.account_settings import AccountInput, ReadSettings
from tillsync_server.application.use_cases.site_settings import SITE_SETTINGS
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.settings_change import SettingsEffect

_OWN = (
    *("name", "customer_sync_enabled", "match_email", "guest_policy", "auto_link", "sync_names", "sync_phone", "trusted_accounts"),
    *("till_id", "shared_till"),
)
_EPOS = ("base_url", "customer_api_version", "customer_type_api_version", "v4_type_field", "requests_per_minute")
_EPOS_SECRETS = ("api_key", "api_secret", "webhook_key", "webhook_secret")
_SHOP_SECRETS = ("consumer_key", "consumer_secret", "bridge_secret")


def account_input(account_id: str, message: account_pb2.Account) -> AccountInput:
    """Returns the settings of a request, by path. An omitted switch is None. An enum is its number, 0 for UNSPECIFIED."""

    def settings(paths: Sequence[str]) -> dict[str, Any]:
        return {path: _value(message, path) for path in paths}

    return AccountInput(account_id=AccountId(account_id), named=message.account_id, settings=settings)


def _value(message: Any, path: str) -> Any:
    holder, name = message, path
    if "." in path:
        part, name = path.split(".", 1)
        holder = getattr(message, part)
    field = holder.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not holder.HasField(name):
        return None
    return getattr(holder, name)


def fill_account(message: account_pb2.Account, account: Account) -> None:
    """Writes ``account`` into an empty message."""
    m: Any = message
    m.account_id = account.account_id
    for name in _OWN:
        setattr(m, name, getattr(account, name))
    m.default_epos_customer_id = account.default_epos_customer_id or 0
    for name in _EPOS:
        setattr(m.epos, name, getattr(account.epos, name))
    for name in _EPOS_SECRETS:
        setattr(m.epos, f"has_{name}", bool(getattr(account.epos, name)))
    m.shop.base_url, m.shop.price_decimals = account.shop.base_url, account.shop.price_decimals
    for name in _SHOP_SECRETS:
        setattr(m.shop, f"has_{name}", bool(getattr(account.shop, name)))
    _fill_trusted_before(m, account)
    m.etag = account.etag
    if account.create_time is not None:
        m.create_time.FromDatetime(account.create_time)
    if account.update_time is not None:
        m.update_time.FromDatetime(account.update_time)
    fill_problems(message, account.problems)
    for warning in account.warnings:
        w: Any = message.warnings.add(text=warning.text[:500], remedy=warning.remedy[:500], count=warning.count)
        w.reason, w.side = warning.reason, warning.side
        w.since.FromDatetime(warning.since)
        w.last_time.FromDatetime(warning.last_time)


def site_settings_reader(message: account_service_pb2.SiteSettings) -> ReadSettings:
    def settings(paths: Sequence[str]) -> dict[str, Any]:
        return {path: getattr(message, path) for path in paths}

    return settings


def fill_site_settings(message: account_service_pb2.SiteSettings, account: Account) -> None:
    m: Any = message
    for name in SITE_SETTINGS:
        setattr(m, name, getattr(account, name) or 0)
    _fill_trusted_before(m, account)


def _fill_trusted_before(m: Any, account: Account) -> None:
    if account.trusted_before is not None:
        m.trusted_before_time.FromDatetime(account.trusted_before)


def fill_effect(message: account_service_pb2.SettingsEffect, effect: SettingsEffect) -> None:
    message.queued_customer_count = effect.queued_customers
    message.queued_customer_type_count = effect.queued_customer_types
    message.requeued_entry_count = effect.requeued_entries
    message.notes.extend(effect.notes)


def check_response(checked: AccountCheckResult) -> account_service_pb2.CheckAccountResponse:
    response = account_service_pb2.CheckAccountResponse(ok=checked.ok)
    for step in checked.steps:
        m: Any = response.steps.add(name=step.name, ok=step.ok, text=step.text, remedy=step.remedy, details=dict(step.details))
        m.side = step.side or 0
    for warning in checked.warnings:
        m = response.warnings.add(name=warning.name, text=warning.text, remedy=warning.remedy)
        m.side = warning.side or 0
    return response
