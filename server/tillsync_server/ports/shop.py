"""The shop, which is one WooCommerce site. ``adapters/woo`` implements it with the bridge's routes or, without a bridge, with wc/v3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tillsync_server.domain.account import DEFAULT_PRICE_DECIMALS, Account
from tillsync_server.domain.customer import CustomerWrite, TillCustomerType
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.ids import EposCustomerTypeId, WooCustomerId
from tillsync_server.domain.shop_users import ShopUser
from tillsync_server.ports.request_gate import RequestGate
from tillsync_server.ports.till import WritePermit


class WriteStatus(Enum):
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"
    """The shop has a newer version (``version``). Read the till again and send a higher version. The write is not applied."""
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    """The shop refused the item. ``field`` names the refused field."""
    NOT_DONE = "not_done"
    """The shop did not reach the item in its time. Send it again without charging an attempt."""
    ERROR = "error"
    """Only this item failed, with ``error``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    status: WriteStatus
    version: int | None = None
    field: str | None = None
    error: UpstreamError | None = None
    not_kept: tuple[str, ...] = ()
    """The fields of first_name, last_name and phone that an UPDATED shop accepted but did not store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopStatus:
    bridge_version: str
    home_url: str
    wordpress: str
    woocommerce: str
    api: int
    """Newest wire version of the bridge that plugin and service both support."""
    max_batch: int
    price_decimals: int = DEFAULT_PRICE_DECIMALS


class ShopClient(Protocol):
    @property
    def max_batch(self) -> int:
        """Most items of one ``write_customers`` request: 500 with the bridge, 100 with wc/v3."""
        ...

    async def write_customers(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        """Returns one result for each item, in the same order. A faulty item only changes its own result.

        Raises UpstreamError only if the whole request failed. Then the effect on each item is unknown, unless the error is Unreachable.
        Raises ValueError for more than ``max_batch`` items.
        """
        ...

    async def put_customer_type(self, customer_type: TillCustomerType, version: int, permit: WritePermit) -> WriteResult:
        """Writes the type through the bridge. Without a bridge it raises Refused, which names what is missing."""
        ...

    async def delete_customer_type(self, type_id: EposCustomerTypeId, version: int, permit: WritePermit) -> WriteResult: ...

    async def read_users(self, ids: Sequence[WooCustomerId]) -> dict[WooCustomerId, ShopUser]:
        """At most 100 users as the shop has them now. Missing users are left out. Raises Refused if the bridge is too old for this call."""
        ...

    async def status(self) -> ShopStatus:
        """Calls the bridge's status route."""
        ...

    async def check_access(self) -> None:
        """Reads something that needs valid credentials: ``status`` with the bridge, one customer of wc/v3 without it."""
        ...

    async def probe(self) -> None:
        """Calls ``status`` with the bridge, ``/wp-json/`` without it. Returns if the answer is valid."""
        ...


class ShopGateway(Protocol):
    def client(self, account: Account, gate: RequestGate | None = None) -> ShopClient:
        """Returns a client whose requests each enter ``gate``. None: the requests have no limit."""
        ...


class ShopDirectory(Protocol):
    """Finds shop users with consumer keys, also for accounts with a bridge, because the bridge has no such route."""

    async def customers_with_email(self, account: Account, email: str) -> list[WooCustomerId]:
        """Shop users of any role whose normalised email equals this one now, in ascending order of id. Raises UpstreamError, and
        CredentialsRefused if the account has no consumer keys."""
        ...
