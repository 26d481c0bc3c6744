"""Reads ``rings.toml``, which says to which accounts each release of the bridge is offered."""

from __future__ import annotations

import tomllib
from typing import Any

from tillsync_server.adapters.bridge_releases.release_files import BadFileError
from tillsync_server.domain.bridge_release import Ring, is_version
from tillsync_server.domain.ids import AccountId

RINGS_FILE = "rings.toml"
RINGS_BYTES = 1024 * 1024
_FORM = 'write a table for each version, such as ["1.4.0"], with accounts = ["shop-a"] and percent = 0 to 100'


def read_rings(content: bytes) -> dict[str, Ring]:
    """Returns the rings by version. Raises BadFileError, because a misread ring could offer a release to every shop."""
    try:
        parsed = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BadFileError(RINGS_FILE, "rings_unreadable", f"is no TOML: {_FORM}") from error
    return {version: _ring(version, table) for version, table in parsed.items()}


def _ring(version: str, table: Any) -> Ring:
    if not is_version(version) or not isinstance(table, dict):
        raise BadFileError(RINGS_FILE, "rings_unreadable", f"has {version[:40]!r} where a version is expected: {_FORM}")
    if unknown := sorted(set(table) - {"accounts", "percent"}):
        raise BadFileError(RINGS_FILE, "rings_unreadable", f"has the unknown key {unknown[0][:40]!r} for {version}: {_FORM}")
    accounts, percent = table.get("accounts", []), table.get("percent", 0)
    if not isinstance(accounts, list) or not all(isinstance(account, str) for account in accounts):
        raise BadFileError(RINGS_FILE, "rings_unreadable", f"has no list of account ids in accounts of {version}: {_FORM}")
    if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= 100:
        raise BadFileError(RINGS_FILE, "rings_unreadable", f"has no whole number from 0 to 100 in percent of {version}: {_FORM}")
    return Ring(frozenset(map(AccountId, accounts)), percent)
