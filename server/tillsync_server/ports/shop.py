"""The shop: one WooCommerce site. Implemented by ``adapters/woo``, through the bridge or, without it, through wc/v3."""

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
    """The shop holds a newer version (``version``): re-read the till and send above it; never counts as applied."""
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    """Refused; ``field`` names what."""
    NOT_DONE = "not_done"
    """Not reached in the shop's time: send again, no attempt charged."""
    ERROR = "error"
    """This item failed (``error``); its neighbours did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    status: WriteStatus
    version: int | None = None
    field: str | None = None
    error: UpstreamError | None = None
    not_kept: tuple[str, ...] = ()
    """UPDATED, but for these of first_name, last_name and phone: the shop took them and does not have them now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopStatus:
    bridge_version: str
    home_url: str
    wordpress: str
    woocommerce: str
    api: int
    """Newest version of the bridge's wire that plugin and service both speak."""
    max_batch: int
    price_decimals: int = DEFAULT_PRICE_DECIMALS


class ShopClient(Protocol):
    @property
    def max_batch(self) -> int:
        """Most items one ``write_customers`` request carries: 500 with the bridge, 100 with wc/v3."""
        ...

    async def write_customers(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        """By position. Raises UpstreamError only when the request as a whole failed (then nothing is known of any item,
        unless the error is Unreachable). One bad item is an item's result. More than ``max_batch`` items: ValueError."""
        ...

    async def put_customer_type(self, customer_type: TillCustomerType, version: int, permit: WritePermit) -> WriteResult:
        """Only with the bridge; without one, ``UNCHANGED`` is not claimed: raises Refused saying what is missing."""
        ...

    async def delete_customer_type(self, type_id: EposCustomerTypeId, version: int, permit: WritePermit) -> WriteResult: ...

    async def read_users(self, ids: Sequence[WooCustomerId]) -> dict[WooCustomerId, ShopUser]:
        """Users as the shop has them now, at most 100; those that it does not have are left out. Refused where the shop cannot be asked
        (an older bridge)."""
        ...

    async def status(self) -> ShopStatus:
        """The bridge's own status route."""
        ...

    async def check_access(self) -> None:
        """A read that only valid credentials get: ``status`` with the bridge, one customer of wc/v3 without it."""
        ...

    async def probe(self) -> None:
        """``status`` with the bridge, ``/wp-json/`` without it. Returns when the shop answers sensibly."""
        ...


class ShopGateway(Protocol):
    def client(self, account: Account, gate: RequestGate | None = None) -> ShopClient:
        """``gate``: entered by each request. None: nothing holds the requests up."""
        ...


class ShopDirectory(Protocol):
    """Looks people up in a shop by consumer keys, also where the bridge writes: it has no route for that."""

    async def customers_with_email(self, account: Account, email: str) -> list[WooCustomerId]:
        """Shop users of any role that have this email today, compared after normalising; ascending. Raises UpstreamError;
        CredentialsRefused where the account has no consumer keys."""
        ...
