"""Enumerations. Proto enums and smallint columns use the same numbers, so a number never changes."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class StoredCode(IntEnum):
    """A code of a database column to which a later release may add values.

    Two releases share a database while processes are replaced, and after a step back. A number that this release does not know becomes a
    member with the number as its name, equal to no member of this release. It is shown as it is: nothing is decided by it.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        # invariant: codes-of-later-releases-are-readable
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            return None
        code = int.__new__(cls, value)
        code._name_, code._value_ = str(value), value
        return code


class Queue(IntEnum):
    """The two queues, by the names that support staff use."""

    CUSTOMERS = 1
    ORDERS = 2


class EntryKind(StoredCode):
    """The kind of an entry's subject. It decides the queue and the flow."""

    CUSTOMER = 1
    CUSTOMER_TYPE = 2
    ORDER_CUSTOMER = 3

    @property
    def queue(self) -> Queue:
        return Queue.ORDERS if self is EntryKind.ORDER_CUSTOMER else Queue.CUSTOMERS


class EntryState(StoredCode):
    """PENDING and HELD entries are live. All others are finished."""

    PENDING = 1
    PROCESSED = 2
    SKIPPED = 3
    HELD = 4
    FAILED = 5
    DISMISSED = 6

    @property
    def is_live(self) -> bool:
        return self in (EntryState.PENDING, EntryState.HELD)


class Priority(StoredCode):
    """LIVE: a caller or shopper waits. BULK: a sweep. Lower sorts first."""

    LIVE = 1
    BULK = 2


class CustomerTypeAction(IntEnum):
    """The change of a customer type that the caller saw. It is only a hint, because the worker reads the till again."""

    ADD = 1
    UPDATE = 2
    DELETE = 3


class MatchEmail(IntEnum):
    """The email of an order that is searched for in the till."""

    ACCOUNT = 1
    BILLING = 2


class GuestPolicy(IntEnum):
    """What happens to an order without a shop customer."""

    DEFAULT_CUSTOMER = 1
    MATCH_ONLY = 2
    MATCH_OR_CREATE = 3


class Outcome(StoredCode):
    """The stable code of an entry's status. :mod:`tillsync_server.domain.catalogue` has the exact comment of each."""

    UPDATED = 1
    SYNC_DISABLED = 2
    CUSTOMER_NOT_LINKED = 3
    EPOS_FETCH_FAILED = 4
    WOO_NOT_UPDATED = 5
    TYPE_REQUEST_FAILED = 6
    DUPLICATE_EMAIL = 7
    CUSTOMER_NOT_MATCHED = 8
    PRODUCT_AND_CUSTOMER_NOT_MATCHED = 9
    PRODUCT_NOT_MATCHED = 10
    MATCHED_LINK = 11
    MATCHED_EMAIL = 12
    CUSTOMER_CREATED = 13
    DEFAULT_CUSTOMER = 14


class Side(StoredCode):
    """An outside system of an account."""

    TILL = 1
    SHOP = 2


class ProblemReason(StoredCode):
    """Account-wide failures. They pause their side of the account and charge no attempt."""

    UNREACHABLE = 1
    """A DNS, connect or TLS failure. Also a page of another program, a 5xx or an unreadable answer, if the probe fails too."""
    CREDENTIALS_REFUSED = 2
    THROTTLED = 3
    WRONG_ADDRESS = 4
    """The address or the API version is wrong: a 404 without proof, a redirect, or an HTML 404, if the probe fails too."""
    BRIDGE_MISSING = 5
    """The account has a bridge secret, but the shop's plugin does not answer."""
    SETTINGS_INCOMPLETE = 6
    """Credentials or addresses that the flow needs are not set."""


class WarningReason(IntEnum):
    """Warnings of an account. They pause no work. :mod:`tillsync_server.domain.account_warnings` has the texts."""

    EVENTS_REFUSED = 1
    """The shop's bridge is too old to read some order events."""
    ROWS_UNREADABLE = 2
    """Rows of the till's customer list cannot be read. They are skipped."""
    STRAY_OUTPUT = 3
    """The shop prints text around the data of its answers. The service reads the data all the same."""
    TILL_BUSY = 4
    """The till refuses requests although our part of its limit is not used up, because another app of the company is busy."""


class MessageClass(IntEnum):
    DONE = 1
    SKIPPED = 2
    WAITING_FOR_PERSON = 3
    WILL_RETRY = 4
    FAILED = 5


class Responsible(IntEnum):
    """Who can act on a message."""

    MERCHANT = 1
    SHOP_HOST = 2
    TILL = 3
    SERVICE = 4


class Role(IntEnum):
    """What a bearer token may do (``adapters/grpc/access.py``)."""

    SITE = 1
    SERVICE = 2
    SUPPORT = 3
    ADMIN = 4


class TillApiVersion(IntEnum):
    V2 = 2
    V4 = 4


class TillTypeField(IntEnum):
    """The field of a V4 customer that names its type. Which one it is, is unknown (docs/epos-now.md#customers)."""

    AUTO = 1
    """The first of the three that is present."""
    TYPE_ID = 2
    CUSTOMER_TYPE_ID = 3
    TYPE = 4


class EmailConfirmation(IntEnum):
    """Whether the email of a shop customer's account is confirmed. None in its place: the caller does not say."""

    UNCONFIRMED = 1
    CONFIRMED = 2
    CHANGED = 3
    """Unconfirmed, and entered after the account was registered."""


class TrustedAccounts(IntEnum):
    """The shop accounts that are linked without a confirmed email."""

    CONFIRMED_ONLY = 1
    REGISTERED_BEFORE = 2
    ALL = 3


class LinkGround(StoredCode):
    """Why a link may show a till customer's values to a shopper."""

    NOT_KEPT = 1
    """The link is older than this record of grounds."""
    CONFIRMED_EMAIL = 2
    TRUSTED_ACCOUNT = 3
    BY_HAND = 4
