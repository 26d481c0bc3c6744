"""The stored data of a sandbox till: customers, customer types and sales."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

from tillsync_sandbox.changes import ChangeSignal
from tillsync_sandbox.till.switches import EmailMatch


@dataclass(slots=True, kw_only=True)
class StoredCustomer:
    """One customer. Decimals keep their scale, because the real till serves 0.00, 0.0 and 0."""

    customer_id: int
    title: int | None = None
    forename: str | None = None
    surname: str | None = None
    business_name: str | None = None
    date_of_birth: str | None = None
    contact_number: str | None = None
    contact_number2: str | None = None
    email_address: str | None = None
    type_id: int | None = None
    max_credit: Decimal = Decimal("0.00")
    current_balance: Decimal = Decimal("0.00")
    expiry_date: str | None = None
    card_number: str | None = None
    current_points: Decimal = Decimal(0)
    sign_up_date: str | None = None
    notes: str | None = None
    sign_up_location_id: int | None = 4200
    main_address_id: int | None = None
    marketing_consent: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(("Email", "Text", "Phone", "Mail"), False))
    deleted: bool = False
    """Soft-deleted (see ``DeleteMode.SOFT``)."""
    served: dict[str, str] = field(default_factory=dict, repr=False)
    """Cached JSON rows by the name of their :class:`RowSchema`. Every change clears the cache."""


@dataclass(slots=True, kw_only=True)
class StoredType:
    type_id: int
    name: str | None = None
    discount: Decimal = Decimal("0.0")
    description: str | None = None
    default_expiry_length: int = 0
    default_max_credit: Decimal = Decimal("0.0")
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransaction:
    """A sale."""

    transaction_id: int
    customer: StoredCustomer | None
    """The buyer. None: the till does not know the buyer."""


Stored = StoredCustomer | StoredType | StoredTransaction


class Change(Enum):
    """Values of ``Epos-Action``."""

    COMPLETE = "Complete"
    """A sale was completed."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


Listener = Callable[[Change, Stored, bool], None]
"""Gets the change, the changed object, and whether an API client (True) or a person at the till made it."""


class TillStore:
    def __init__(self) -> None:
        self.customers: dict[int, StoredCustomer] = {}
        self.types: dict[int, StoredType] = {}
        self.transactions: dict[int, StoredTransaction] = {}
        self.listener: Listener | None = None
        self._order: list[int] = []
        """Ids of listed customers, ascending."""
        self._by_email: dict[str, dict[int, None]] = {}
        """Ids of customers by case-folded email."""
        self._next_customer_id = 90001
        self._next_type_id = 4001
        self._next_transaction_id = 700_001
        self._changes = ChangeSignal()

    # -- customers

    def add_customer(self, customer_id: int | None = None, *, by_api: bool = False, **fields: Any) -> StoredCustomer:
        """Adds a customer. Emails are not unique. Raises ValueError when the id is taken."""
        if customer_id is None:
            customer_id = self._next_customer_id
        if customer_id < 1:
            raise ValueError(f"customer_id: {customer_id} is no id, they begin at 1")
        if customer_id in self.customers:
            raise ValueError(f"customer_id: customer {customer_id} exists already")
        customer = StoredCustomer(customer_id=customer_id, **fields)
        self._next_customer_id = max(self._next_customer_id, customer_id + 1)
        self.customers[customer_id] = customer
        bisect.insort(self._order, customer_id)
        self._index(customer)
        self._notify(Change.CREATE, customer, by_api)
        return customer

    def change_customer(self, customer_id: int, *, by_api: bool = False, **fields: Any) -> StoredCustomer:
        """Changes a customer. Raises KeyError without such a customer, ValueError for an unknown field."""
        customer = self.customers[customer_id]
        self._set(customer, fields)
        self._notify(Change.UPDATE, customer, by_api)
        return customer

    def sell(self, customer_id: int | None, **fields: Any) -> StoredTransaction:
        """Stores a sale. ``fields`` are the customer's values after the sale. Raises KeyError without such a customer.

        The sale is one change. The switches of webhooks decide which triggers it has.
        """
        customer = None if customer_id is None else self.customers[customer_id]
        if customer is not None:
            self._set(customer, fields)
        sale = StoredTransaction(transaction_id=self._next_transaction_id, customer=customer)
        self._next_transaction_id += 1
        self.transactions[sale.transaction_id] = sale
        self._notify(Change.COMPLETE, sale, False)
        return sale

    def _set(self, customer: StoredCustomer, fields: dict[str, Any]) -> None:
        self._check_fields(customer, fields)
        self._unindex(customer)
        for name, value in fields.items():
            setattr(customer, name, value)
        customer.served.clear()
        self._index(customer)

    def delete_customer(self, customer_id: int, *, soft: bool = False, by_api: bool = False) -> None:
        """Deletes a customer. Raises KeyError without such a customer."""
        customer = self.customers[customer_id]
        self._unindex(customer)
        if not customer.deleted:
            self._order.pop(bisect.bisect_left(self._order, customer_id))
        if soft:
            customer.deleted = True
        else:
            del self.customers[customer_id]
        self._notify(Change.DELETE, customer, by_api)

    def list_customers(self, first: int, count: int) -> list[StoredCustomer]:
        """Returns ``count`` customers in order of their ids, from position ``first``."""
        return [self.customers[customer_id] for customer_id in self._order[max(first, 0) : max(first + count, 0)]]

    @property
    def customer_count(self) -> int:
        """Number of customers in lists."""
        return len(self._order)

    def __iter__(self) -> Iterator[StoredCustomer]:
        return iter(self.list_customers(0, len(self._order)))

    def find_by_email(self, text: str, match: EmailMatch) -> list[StoredCustomer]:
        """Returns the matching customers in order of their ids. Leading and trailing white space of ``text`` counts."""
        searched = text.casefold()
        if match is EmailMatch.IGNORED:
            return list(self)
        if match is EmailMatch.CONTAINS:
            ids = [customer_id for email, holders in self._by_email.items() if searched in email for customer_id in holders]
        else:
            ids = list(self._by_email.get(searched, ()))
        found = [self.customers[customer_id] for customer_id in sorted(ids)]
        return [customer for customer in found if customer.email_address == text] if match is EmailMatch.EXACT else found

    # -- types

    def add_type(self, type_id: int | None = None, *, by_api: bool = False, **fields: Any) -> StoredType:
        if type_id is None:
            type_id = self._next_type_id
        if type_id < 1:
            raise ValueError(f"type_id: {type_id} is no id, they begin at 1")
        if type_id in self.types:
            raise ValueError(f"type_id: customer type {type_id} exists already")
        stored = StoredType(type_id=type_id, **fields)
        self._next_type_id = max(self._next_type_id, type_id + 1)
        self.types[type_id] = stored
        self._notify(Change.CREATE, stored, by_api)
        return stored

    def change_type(self, type_id: int, *, by_api: bool = False, **fields: Any) -> StoredType:
        stored = self.types[type_id]
        self._check_fields(stored, fields)
        for name, value in fields.items():
            setattr(stored, name, value)
        self._notify(Change.UPDATE, stored, by_api)
        return stored

    def delete_type(self, type_id: int, *, soft: bool = False, by_api: bool = False) -> None:
        """Deletes a type. A hard delete removes the type from its customers. Raises KeyError without such a type."""
        stored = self.types[type_id]
        if soft:
            stored.deleted = True
        else:
            del self.types[type_id]
            for customer in self.customers.values():
                if customer.type_id == type_id:
                    customer.type_id = None
                    customer.served.clear()
        self._notify(Change.DELETE, stored, by_api)

    def type_is_used(self, type_id: int) -> bool:
        return any(customer.type_id == type_id for customer in self.customers.values())

    # -- changes

    async def wait_for(self, predicate: Callable[[], object], timeout: float, describe: Callable[[], object]) -> None:
        """Returns once ``predicate()`` is true. It is evaluated after every change. Raises TimeoutError."""
        await self._changes.wait_for(predicate, timeout, describe)

    def _notify(self, change: Change, changed: Stored, by_api: bool) -> None:
        if self.listener is not None:
            self.listener(change, changed, by_api)
        self._changes.notify()

    @staticmethod
    def _check_fields(changed: StoredCustomer | StoredType, fields: dict[str, Any]) -> None:
        known = {each.name for each in dataclasses.fields(changed)} - {"customer_id", "type_id" if isinstance(changed, StoredType) else ""}
        for name in fields:
            if name not in known:
                raise ValueError(f"{name}: no such field; there are {', '.join(sorted(known))}")

    def _index(self, customer: StoredCustomer) -> None:
        if not customer.deleted and customer.email_address is not None:
            self._by_email.setdefault(customer.email_address.casefold(), {})[customer.customer_id] = None

    def _unindex(self, customer: StoredCustomer) -> None:
        if customer.email_address is not None and (holders := self._by_email.get(customer.email_address.casefold())) is not None:
            holders.pop(customer.customer_id, None)
            if not holders:
                del self._by_email[customer.email_address.casefold()]
