"""The account: one shop joined to one Epos Now account, with its settings and what is wrong with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime

from tillsync_server.domain.account_warnings import AccountWarning
from tillsync_server.domain.enums import GuestPolicy, MatchEmail, ProblemReason, Side, TillApiVersion, TillTypeField, TrustedAccounts
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, TillId

EPOS_DEFAULT_BASE_URL = "https://api.eposnowhq.com"
DEFAULT_REQUESTS_PER_MINUTE = 300
DEFAULT_PRICE_DECIMALS, MOST_PRICE_DECIMALS = 2, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class EposSettings:
    """How to reach the till. Secrets are decrypted here and empty where none is set; repr never shows them."""

    base_url: str = EPOS_DEFAULT_BASE_URL
    api_key: str = field(default="", repr=False)
    api_secret: str = field(default="", repr=False)
    customer_api_version: TillApiVersion = TillApiVersion.V2
    customer_type_api_version: TillApiVersion = TillApiVersion.V2
    v4_type_field: TillTypeField = TillTypeField.AUTO
    requests_per_minute: int = DEFAULT_REQUESTS_PER_MINUTE
    webhook_key: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """How to reach the shop. A ``bridge_secret`` means: the bridge is there, and there is no silent fallback to wc/v3."""

    base_url: str = ""
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)
    bridge_secret: str = field(default="", repr=False)
    price_decimals: int = DEFAULT_PRICE_DECIMALS
    """Of the shop's prices, as its bridge said last. Credit is rounded to them."""

    @property
    def has_bridge(self) -> bool:
        return bool(self.bridge_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the account's work that needs one side waits (invariant 8). It closes itself with the first success on its side."""

    reason: ProblemReason
    side: Side
    text: str
    since: datetime
    next_try_time: datetime | None = None
    oldest_entry_id: EntryId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    account_id: AccountId
    name: str = ""
    customer_sync_enabled: bool = True
    default_epos_customer_id: EposCustomerId | None = None
    match_email: MatchEmail = MatchEmail.ACCOUNT
    guest_policy: GuestPolicy = GuestPolicy.DEFAULT_CUSTOMER
    auto_link: bool = True
    sync_names: bool = False
    sync_phone: bool = False
    trusted_accounts: TrustedAccounts = TrustedAccounts.ALL
    """Of an account that was made before the merchant was asked. CreateAccount gives CONFIRMED_ONLY."""
    trusted_before: datetime | None = None
    """With REGISTERED_BEFORE: when that was set."""
    till_id: TillId
    shared_till: bool = False
    epos: EposSettings = field(default_factory=EposSettings)
    shop: ShopSettings = field(default_factory=ShopSettings)
    config_version: int = 1
    """The lane's; the etag of the account is made of it."""
    create_time: datetime | None = None
    update_time: datetime | None = None
    problems: tuple[Problem, ...] = ()
    """At most one a side, the oldest first."""
    warnings: tuple[AccountWarning, ...] = ()
    """Only where somebody looks at the account: GetAccount, ListAccounts, CheckAccount."""

    @property
    def etag(self) -> str:
        return f'W/"{self.config_version}"'

    def has_settings_of(self, given: Account) -> bool:
        """Whether every setting that CreateAccount takes has the value of ``given``. What the service adds by itself is not compared."""
        return self == replace(
            given,
            config_version=self.config_version,
            create_time=self.create_time,
            update_time=self.update_time,
            trusted_before=self.trusted_before,
            problems=self.problems,
            warnings=self.warnings,
            shop=replace(given.shop, price_decimals=self.shop.price_decimals),
        )

    @property
    def till_configuration(self) -> str:
        """What a search proof and a 'gone' verdict are valid for: another address, version or key pair needs its own proof.

        It is stored beside the proof, so the key stands in it as a hash.
        """
        key = hashlib.blake2b(self.epos.api_key.encode(), digest_size=8).hexdigest()
        # invariant: search-proofs-name-the-configuration
        return f"{self.epos.base_url}|{self.epos.customer_api_version.name}|{key}"
