"""The till emulator: start, stop, reads of its state, and changes as a person at the till makes them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Any

from tillsync_sandbox.changes import DEFAULT_TIMEOUT_SECONDS
from tillsync_sandbox.faults import Faults
from tillsync_sandbox.request_log import RequestLog
from tillsync_sandbox.serving import SandboxServer
from tillsync_sandbox.till.control import ControlApi
from tillsync_sandbox.till.service import TillService
from tillsync_sandbox.till.stored import TillStore
from tillsync_sandbox.till.switches import EmailMatch, TillSwitches
from tillsync_sandbox.till.webhooks import Webhooks

_SHORT_NAMES = {
    "email": "email_address",
    "phone": "contact_number",
    "points": "current_points",
    "balance": "current_balance",
}
_DECIMALS = frozenset({"current_points", "current_balance", "max_credit", "discount", "default_max_credit"})


class SandboxTill:
    """A running till emulator: ``async with SandboxTill() as till: … till.origin``. ``seed`` determines all random behaviour.

    Its methods make changes at the till, which send webhooks. Changes by API clients send webhooks only with ``webhook_echo``.
    """

    def __init__(self, switches: TillSwitches | None = None, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0) -> None:
        self.switches = switches or TillSwitches()
        self.store = TillStore()
        self.webhooks = Webhooks(self.switches, seed + 1)
        self.store.listener = self.webhooks.on_change
        self._service = TillService(self.store, self.switches, seed)
        self._host, self._port = host, port
        self._server = SandboxServer(self._service.answer, ControlApi(self.store, self.switches, self.webhooks).routes())

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        await self._server.start(self._host, self._port)
        self.webhooks.start()

    async def stop(self) -> None:
        await self.webhooks.stop()
        await self._server.stop()

    async def __aenter__(self) -> SandboxTill:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    @property
    def origin(self) -> str:
        """The till's base address: scheme, host and port, without a final slash."""
        return self._server.origin

    @property
    def log(self) -> RequestLog:
        return self._server.log

    @property
    def faults(self) -> Faults:
        return self._server.faults

    def add_customer(self, customer_id: int | None = None, **fields: Any) -> int:
        """Adds a customer and returns its id. ``fields`` are those of ``StoredCustomer``, and the short names ``email``, ``phone``,
        ``points`` and ``balance``.
        """
        fields = {"forename": "Ada", "surname": "Byron", "sign_up_date": "2024-05-01T09:30:00"} | _stored(fields)
        return self.store.add_customer(customer_id, **fields).customer_id

    def change_customer(self, customer_id: int, **fields: Any) -> None:
        """Changes a customer. Raises KeyError without such a customer."""
        self.store.change_customer(customer_id, **_stored(fields))

    def sell(self, customer_id: int | None = None, **fields: Any) -> int:
        """Makes a sale and returns the transaction's id. ``fields`` are the customer's values after the sale.

        ``customer_id`` None means a buyer whom the till does not know. The switches ``sale_webhooks`` and ``transaction_body`` set the
        webhooks.
        """
        return self.store.sell(customer_id, **_stored(fields)).transaction_id

    def delete_customer(self, customer_id: int) -> None:
        self.store.delete_customer(customer_id)

    def customers_by_email(self, email: str) -> list[int]:
        """Returns the ids of customers with this email, in any case. Two ids mean a twin."""
        return [customer.customer_id for customer in self.store.find_by_email(email, EmailMatch.CI)]

    def add_type(self, type_id: int | None = None, **fields: Any) -> int:
        """Adds a customer type and returns its id. ``fields`` are those of ``StoredType``."""
        return self.store.add_type(type_id, **({"name": "Basic", "description": "Basic customer"} | _stored(fields))).type_id

    def change_type(self, type_id: int, **fields: Any) -> None:
        self.store.change_type(type_id, **_stored(fields))

    def delete_type(self, type_id: int) -> None:
        self.store.delete_type(type_id)

    async def wait_for(self, predicate: Callable[[], object], timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        """Returns once ``predicate()`` is true. It is evaluated after every change of the store. Raises TimeoutError."""
        await self.store.wait_for(predicate, timeout, self.log.newest)


def _stored(fields: dict[str, Any]) -> dict[str, Any]:
    named = {_SHORT_NAMES.get(name, name): value for name, value in fields.items()}
    return {name: Decimal(str(value)) if name in _DECIMALS else value for name, value in named.items()}
