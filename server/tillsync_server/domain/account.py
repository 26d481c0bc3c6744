"""The account: one shop joined to one Epos Now account, with its settings, problems and warnings."""

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
    """Address and credentials of the till. Secrets are decrypted. An empty one is not set. repr hides them."""

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
    """Address and credentials of the shop. With a ``bridge_secret`` the service uses only the bridge and never falls back to wc/v3."""

    base_url: str = ""
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)
    bridge_secret: str = field(default="", repr=False)
    price_decimals: int = DEFAULT_PRICE_DECIMALS
    """Decimals of the shop's prices, as its bridge last reported. Credit is rounded to them."""

    @property
    def has_bridge(self) -> bool:
        return bool(self.bridge_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the account's work that needs one side waits (invariant 8). The first success of that side closes it."""

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
    """ALL applies to accounts from before this setting existed. CreateAccount sets CONFIRMED_ONLY."""
    trusted_before: datetime | None = None
    """With REGISTERED_BEFORE: the time at which that value was set."""
    till_id: TillId
    shared_till: bool = False
    epos: EposSettings = field(default_factory=EposSettings)
    shop: ShopSettings = field(default_factory=ShopSettings)
    config_version: int = 1
    """The lane's config_version. The account's etag contains it."""
    create_time: datetime | None = None
    update_time: datetime | None = None
    problems: tuple[Problem, ...] = ()
    """At most one for each side, oldest first."""
    warnings: tuple[AccountWarning, ...] = ()
    """Filled only for GetAccount, ListAccounts and CheckAccount."""

    @property
    def etag(self) -> str:
        return f'W/"{self.config_version}"'

    def has_settings_of(self, given: Account) -> bool:
        """Whether every setting of CreateAccount has the value of ``given``. Fields that the service sets are not compared."""
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
        """Address, API version and key of the till. Search proofs and *gone* verdicts are valid only for one configuration.

        It is stored beside the proof, so it contains only a hash of the key.
        """
        key = hashlib.blake2b(self.epos.api_key.encode(), digest_size=8).hexdigest()
        # invariant: search-proofs-name-the-configuration
        return f"{self.epos.base_url}|{self.epos.customer_api_version.name}|{key}"
