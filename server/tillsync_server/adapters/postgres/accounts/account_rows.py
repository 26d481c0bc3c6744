"""Maps rows of ``account`` joined with ``account_state`` to :class:`tillsync_server.domain.account.Account`, and back to columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import asyncpg

from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.queues.entry_rows import lane_status
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.enums import GuestPolicy, MatchEmail, TillApiVersion, TillTypeField, TrustedAccounts
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId

SECRETS: Final[dict[str, Callable[[Account], str]]] = {
    "epos_api_key": lambda account: account.epos.api_key,
    "epos_api_secret": lambda account: account.epos.api_secret,
    "epos_webhook_key": lambda account: account.epos.webhook_key,
    "epos_webhook_secret": lambda account: account.epos.webhook_secret,
    "shop_consumer_key": lambda account: account.shop.consumer_key,
    "shop_consumer_secret": lambda account: account.shop.consumer_secret,
    "shop_bridge_secret": lambda account: account.shop.bridge_secret,
}
"""Encrypted columns, in the order of the statements' parameters."""


def account_from(row: asyncpg.Record, box: SecretBox) -> Account:
    secrets = {column: "" if row[column] is None else box.decrypt(row[column]) for column in SECRETS}
    default_customer = row["default_epos_customer_id"]
    return Account(
        account_id=AccountId(row["account_id"]),
        name=row["name"],
        customer_sync_enabled=row["customer_sync_enabled"],
        default_epos_customer_id=None if default_customer is None else EposCustomerId(default_customer),
        match_email=MatchEmail(row["match_email"]),
        guest_policy=GuestPolicy(row["guest_policy"]),
        auto_link=row["auto_link"],
        sync_names=row["sync_names"],
        sync_phone=row["sync_phone"],
        trusted_accounts=TrustedAccounts(row["trusted_accounts"]),
        trusted_before=row["trusted_before"],
        till_id=TillId(row["till_id"]),
        shared_till=row["shared_till"],
        epos=EposSettings(
            base_url=row["epos_base_url"],
            api_key=secrets["epos_api_key"],
            api_secret=secrets["epos_api_secret"],
            customer_api_version=TillApiVersion(row["epos_customer_api_version"]),
            customer_type_api_version=TillApiVersion(row["epos_customer_type_api_version"]),
            v4_type_field=TillTypeField(row["epos_v4_type_field"]),
            requests_per_minute=row["epos_requests_per_minute"],
            webhook_key=secrets["epos_webhook_key"],
            webhook_secret=secrets["epos_webhook_secret"],
        ),
        shop=ShopSettings(
            base_url=row["shop_base_url"],
            price_decimals=row["shop_price_decimals"],
            consumer_key=secrets["shop_consumer_key"],
            consumer_secret=secrets["shop_consumer_secret"],
            bridge_secret=secrets["shop_bridge_secret"],
        ),
        config_version=row["config_version"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        problems=lane_status(row).problems,
    )


def settings_columns(account: Account) -> list[Any]:
    """Returns the parameters $2 to $20 of the statements ``accounts/insert`` and ``accounts/update``."""
    return [
        account.name,
        account.customer_sync_enabled,
        account.default_epos_customer_id,
        int(account.match_email),
        int(account.guest_policy),
        account.auto_link,
        account.sync_names,
        account.sync_phone,
        account.till_id,
        account.shared_till,
        account.epos.base_url,
        int(account.epos.customer_api_version),
        int(account.epos.customer_type_api_version),
        int(account.epos.v4_type_field),
        account.epos.requests_per_minute,
        account.shop.base_url,
        account.shop.price_decimals,
        int(account.trusted_accounts),
        account.trusted_before,
    ]


def secret_columns(account: Account, box: SecretBox, *, before: Account | None = None, stored: asyncpg.Record | None = None) -> list[Any]:
    """Returns the parameters $21 to $27. A secret that equals the one ``before`` keeps its ``stored`` bytes."""
    columns: list[bytes | None] = []
    for column, secret_of in SECRETS.items():
        secret = secret_of(account)
        if before is not None and stored is not None and secret == secret_of(before):
            columns.append(stored[column])
        else:
            columns.append(box.encrypt(secret) if secret else None)
    return columns
