"""The settings of an account by path (``auto_link``, ``epos.api_key``), each with its default, check and place. Update masks and new
accounts use them.

To add a setting: domain.account, the proto field, a row here, the column (adapters/postgres/accounts/account_rows.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, TypeVar

from tillsync_server.domain.account import DEFAULT_REQUESTS_PER_MINUTE, EPOS_DEFAULT_BASE_URL, Account
from tillsync_server.domain.base_urls import PlainHttpAllowed, shop_base_url, till_base_url
from tillsync_server.domain.enums import GuestPolicy, MatchEmail, TillApiVersion, TillTypeField, TrustedAccounts
from tillsync_server.domain.errors import FieldViolation, InvalidArgument
from tillsync_server.domain.ids import EposCustomerId, TillId

MAX_NAME_LENGTH = 100
MAX_SECRET_LENGTH = 512
MAX_REQUESTS_PER_MINUTE = 100_000
MAX_MASK_PATHS = 100
"""Far more than there are settings. Without a limit a mask of millions of made-up names would get an error for each name."""
_MAX_ID = 2**63 - 1
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
_BRIDGE_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")

Check = Callable[[Any], Any]
"""Converts a value that is not empty to the stored value. Raises ValueError with the problem."""

Member = TypeVar("Member", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting. ``default`` replaces an empty value. ``path``: its place in the account."""

    path: str
    default: Any
    check: Check


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


def setting_fields(plain_http_allowed: PlainHttpAllowed) -> dict[str, SettingField]:
    """Returns every path that an update_mask may name. :func:`with_settings` sets the default of ``till_id``, the account's id."""
    rows = (
        SettingField("name", "", _text(MAX_NAME_LENGTH)),
        SettingField("customer_sync_enabled", True, bool),
        SettingField("default_epos_customer_id", None, _till_customer),
        SettingField("match_email", MatchEmail.ACCOUNT, _enum_member(MatchEmail)),
        SettingField("guest_policy", GuestPolicy.DEFAULT_CUSTOMER, _enum_member(GuestPolicy)),
        SettingField("auto_link", True, bool),
        SettingField("sync_names", False, bool),
        SettingField("sync_phone", False, bool),
        SettingField("trusted_accounts", TrustedAccounts.CONFIRMED_ONLY, _enum_member(TrustedAccounts)),
        SettingField("till_id", None, _till_id),
        SettingField("shared_till", False, bool),
        SettingField("epos.base_url", EPOS_DEFAULT_BASE_URL, lambda text: till_base_url(text, plain_http_allowed)),
        SettingField("epos.api_key", "", _issued(_basic_user)),
        SettingField("epos.api_secret", "", _issued(_text(MAX_SECRET_LENGTH))),
        SettingField("epos.customer_api_version", TillApiVersion.V2, _enum_member(TillApiVersion)),
        SettingField("epos.customer_type_api_version", TillApiVersion.V2, _enum_member(TillApiVersion)),
        SettingField("epos.v4_type_field", TillTypeField.AUTO, _enum_member(TillTypeField)),
        SettingField("epos.requests_per_minute", DEFAULT_REQUESTS_PER_MINUTE, _requests_per_minute),
        SettingField("epos.webhook_key", "", _basic_user),
        SettingField("epos.webhook_secret", "", _text(MAX_SECRET_LENGTH)),
        SettingField("shop.base_url", "", shop_base_url),
        SettingField("shop.consumer_key", "", _issued(_basic_user)),
        SettingField("shop.consumer_secret", "", _issued(_text(MAX_SECRET_LENGTH))),
        SettingField("shop.bridge_secret", "", bridge_secret),
    )
    return {row.path: row for row in rows}


def checked_settings(fields: Mapping[str, SettingField], given: Mapping[str, Any], *, within: str = "account") -> dict[str, Any]:
    """Returns ``given`` by path, with defaults in place of empty values. Raises InvalidArgument, which names every invalid value as
    ``<within>.<path>``."""
    checked: dict[str, Any] = {}
    violations = []
    for path, value in given.items():
        field = fields[path]
        try:
            # False is a value of a switch, not an empty one
            is_empty = value is None or value == "" or (value == 0 and value is not False)
            checked[path] = field.default if is_empty else field.check(value)
        except ValueError as error:
            violations.append(FieldViolation(f"{within}.{path}", str(error)))
    if violations:
        raise InvalidArgument(violations)
    return checked


def with_settings(account: Account, settings: Mapping[str, Any]) -> Account:
    """Returns ``account`` with the checked settings."""
    own: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {"epos": {}, "shop": {}}
    for path, value in settings.items():
        part, dot, name = path.partition(".")
        if dot:
            parts[part][name] = value
        else:
            own[path] = value
    if "trusted_accounts" in own:
        own["trusted_before"] = _trusted_before(account, own["trusted_accounts"])
    if "till_id" in own and own["till_id"] is None:
        own["till_id"] = TillId(account.account_id)
    return replace(account, **own, epos=replace(account.epos, **parts["epos"]), shop=replace(account.shop, **parts["shop"]))


def _trusted_before(present: Account, trusted: TrustedAccounts) -> datetime | None:
    """Returns the time of trust, which is set once. Saving REGISTERED_BEFORE again does not trust users who have registered since."""
    if trusted is not TrustedAccounts.REGISTERED_BEFORE:
        return None
    return present.trusted_before or datetime.now(UTC)


def _text(max_length: int) -> Check:
    def check(text: str) -> str:
        if len(text) > max_length:
            raise ValueError(f"at most {max_length} characters")
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
            raise ValueError("must not contain control characters")
        return text

    return check


def _basic_user(text: str) -> str:
    if ":" in text:
        raise ValueError("must not contain a colon: it is the user of Basic credentials")
    checked: str = _text(MAX_SECRET_LENGTH)(text)
    return checked


def _issued(check: Check) -> Check:
    """Returns a check of credentials that the other side issued and the service sends. Issued ones are ASCII. No specification says which
    encoding the other side reads, so other characters are refused."""

    def check_issued(text: str) -> str:
        non_ascii = next((position for position, character in enumerate(text, 1) if not character.isascii()), None)
        if non_ascii is not None:
            raise ValueError(f"character {non_ascii} is none that such a key has (a dash or blank of a text program?): copy it again")
        checked: str = check(text)
        return checked

    return check_issued


def bridge_secret(text: str) -> str:
    """Returns ``text`` if it is a bridge secret. Raises ValueError with the problem."""
    if not _BRIDGE_SECRET.fullmatch(text):
        raise ValueError("must be 32 random bytes as base64url: 43 characters without padding")
    return text


def _enum_member(kind: type[Member]) -> Callable[[int], Member]:
    def check(number: int) -> Member:
        try:
            return kind(number)
        except ValueError as error:
            raise ValueError(f"must be one of {', '.join(member.name for member in kind)}") from error

    return check


def _till_customer(number: int) -> EposCustomerId:
    if not 0 < number <= _MAX_ID:
        raise ValueError("must be greater than 0; leave it out for none")
    return EposCustomerId(number)


def _till_id(text: str) -> TillId:
    if not is_slug(text):
        raise ValueError("must be 1 to 64 of a-z, 0-9 and inner hyphens")
    return TillId(text)


def _requests_per_minute(number: int) -> int:
    if not 0 < number <= MAX_REQUESTS_PER_MINUTE:
        raise ValueError(f"must be 1 to {MAX_REQUESTS_PER_MINUTE:,}; leave it out for {DEFAULT_REQUESTS_PER_MINUTE}")
    return number
