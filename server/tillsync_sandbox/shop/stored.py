"""The stored data of a sandbox shop: users with their metas, the bridge's rows, customer types and events."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tillsync_sandbox.changes import ChangeSignal
from tillsync_sandbox.shop.user_meta import MetaRow, UserMeta

BILLING_FIELDS = (
    "first_name",
    "last_name",
    "company",
    "address_1",
    "address_2",
    "city",
    "state",
    "postcode",
    "country",
    "email",
    "phone",
)


@dataclass(slots=True, kw_only=True)
class ShopUser:
    """A WordPress user as WooCommerce sees it. Any role, also an administrator, may be a customer."""

    user_id: int
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    role: str = "customer"
    registered: str = "2026-01-05T09:30:00"
    """Registration time in UTC, as WordPress stores ``user_registered``. User id and time together identify the person."""
    billing: dict[str, str] = field(default_factory=dict)
    meta: UserMeta

    @property
    def username(self) -> str:
        return self.email.partition("@")[0] or f"user{self.user_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeValues:
    points: str
    credit: str
    type_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRow:
    """A row of the bridge's own table. A removed row is a tombstone that holds only its version."""

    version: int
    removed: bool = False
    points: str | None = None
    credit: str | None = None
    type_id: int | None = None
    as_of: str | None = None
    """``as_of`` (RFC 3339) of the write that last changed a value."""
    epos_customer_id: int | None = None
    """Till customer of the values. None: the service did not say, or the row is removed."""
    linked_at: float = 0.0
    """Unix seconds of the last change of the till customer, and of a removal."""

    @property
    def values(self) -> BridgeValues | None:
        if self.removed or self.points is None or self.credit is None:
            return None
        return BridgeValues(points=self.points, credit=self.credit, type_id=self.type_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRow:
    """One customer type. A removed row is a tombstone."""

    version: int
    removed: bool = False
    name: str = ""
    discount: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """The answer of an order as an event carries it, without its notes."""

    comment: str
    causes: tuple[str, ...]
    epos_customer_id: str
    note_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopEvent:
    """An event of the service that the bridge has applied."""

    event_id: str
    subject: str
    sequence: int
    type: str
    entry_id: str
    state: str
    outcome: str
    held_count: int
    answer: EventAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopOrder:
    """A web order with the plugin's outbox row and the stored answer of the service."""

    order_id: int
    order_key: str
    order_number: str = ""
    user_id: int | None = None
    account_email: str = ""
    billing_email: str = ""
    entry_id: str = ""
    """Entry of the service's last answer. Empty: none."""
    answer: dict[str, object] | None = None
    """``state``, ``outcome``, ``notes``, ``causes`` and ``epos_customer_id`` as the contract's JSON has them."""
    updated_at: float = 0.0
    """Unix seconds of the last answer."""

    @property
    def waits(self) -> bool:
        state = None if self.answer is None else self.answer.get("state")
        return state in (None, "ENTRY_STATE_PENDING", "ENTRY_STATE_HELD")


class ShopStore:
    """The shop's database. Code that changes it must call :meth:`notify`, which wakes every :meth:`wait_for`."""

    def __init__(self) -> None:
        self.users: dict[int, ShopUser] = {}
        self.bridge_rows: dict[int, BridgeRow] = {}
        self.customer_types: dict[int, TypeRow] = {}
        self.orders: dict[int, ShopOrder] = {}
        """Orders that the plugin has sent. The sandbox sends none itself: a test that plays the plugin stores them."""
        self.drains = 0
        """Drains of the outbox that the service asked for."""
        self.site_token = ""
        """The plugin's token for the service, which a test that plays the plugin sets."""
        self.site_settings: dict[str, object] = {}
        """The account's settings of the service's last answer, as the contract's JSON has them. Empty: none yet."""
        self.events: list[ShopEvent] = []
        """Applied events in order of arrival."""
        self.event_sequences: dict[str, int] = {}
        """Highest applied sequence by subject."""
        self._meta_ids = itertools.count(1001)
        self._next_user_id = 1
        self._ids_by_email: dict[str, int] = {}
        """User ids by case-folded email."""
        self._changes = ChangeSignal()

    def add_user(
        self,
        user_id: int | None,
        *,
        email: str,
        first_name: str,
        last_name: str,
        phone: str,
        role: str,
        registered: str = "2026-01-05T09:30:00",
        meta: Iterable[tuple[str, object]] = (),
    ) -> ShopUser:
        """Adds a user. Raises ValueError when the id or the email is taken, because WordPress refuses both."""
        if user_id is None:
            user_id = self._next_user_id
        if user_id < 1:
            raise ValueError(f"user_id: {user_id} is no user id, they begin at 1")
        if user_id in self.users:
            raise ValueError(f"user_id: user {user_id} exists already, leave it out or choose another")
        if email and self.user_by_email(email) is not None:
            raise ValueError("email: another user has this address, WordPress keeps them unique")
        user = ShopUser(
            user_id=user_id,
            email=email,
            first_name=first_name,
            last_name=last_name,
            role=role,
            registered=registered,
            billing=dict.fromkeys(BILLING_FIELDS, "") | {"phone": phone},
            meta=UserMeta(lambda: next(self._meta_ids)),
        )
        for key, value in meta:
            user.meta.update(key, value)
        self.users[user_id] = user
        self._next_user_id = max(self._next_user_id, user_id + 1)
        if email:
            self._ids_by_email[email.casefold()] = user_id
        self.notify()
        return user

    def change_user(
        self,
        user_id: int,
        *,
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        phone: str | None = None,
    ) -> ShopUser:
        """Changes a user as the shop's admin does. None keeps a value.

        Raises KeyError without such a user, ValueError when the email is taken.
        """
        user = self.users[user_id]
        if email and self.user_by_email(email) not in (None, user):
            raise ValueError("email: another user has this address, WordPress keeps them unique")
        if email is not None:
            self.set_email(user, email)
        user.first_name = user.first_name if first_name is None else first_name
        user.last_name = user.last_name if last_name is None else last_name
        if phone is not None:
            user.billing["phone"] = phone
        self.notify()
        return user

    def set_email(self, user: ShopUser, email: str) -> None:
        """Sets the email. The caller must have checked that no other user has it."""
        self._forget_email(user)
        user.email = email
        if email:
            self._ids_by_email.setdefault(email.casefold(), user.user_id)

    def _forget_email(self, user: ShopUser) -> None:
        if self._ids_by_email.get(user.email.casefold()) == user.user_id:
            del self._ids_by_email[user.email.casefold()]

    def delete_user(self, user_id: int) -> None:
        """Deletes a user and its metas like ``wp_delete_user``. The hook ``deleted_user`` deletes the bridge's row."""
        user = self.users.pop(user_id)
        self._forget_email(user)
        self.bridge_rows.pop(user_id, None)
        self.notify()

    def user_by_email(self, email: str) -> ShopUser | None:
        user_id = self._ids_by_email.get(email.casefold())
        return None if user_id is None else self.users[user_id]

    def meta_rows(self, user_id: int) -> list[MetaRow]:
        return list(self.users[user_id].meta.rows)

    def notify(self) -> None:
        self._changes.notify()

    async def wait_for(self, predicate: Callable[[], object], timeout: float, describe: Callable[[], object]) -> None:
        """Returns once ``predicate()`` is true. It is evaluated after every change. Raises TimeoutError."""
        await self._changes.wait_for(predicate, timeout, describe)
