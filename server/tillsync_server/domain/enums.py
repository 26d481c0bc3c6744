"""The closed word lists. Numbers are shared by the proto enums and the smallint columns: never renumber."""

from __future__ import annotations

from enum import IntEnum


class Queue(IntEnum):
    """The two queues support staff know by name."""

    CUSTOMERS = 1
    ORDERS = 2


class EntryKind(IntEnum):
    """What an entry is about; it decides the queue and the flow."""

    CUSTOMER = 1
    CUSTOMER_TYPE = 2
    ORDER_CUSTOMER = 3

    @property
    def queue(self) -> Queue:
        return Queue.ORDERS if self is EntryKind.ORDER_CUSTOMER else Queue.CUSTOMERS


class EntryState(IntEnum):
    """PENDING and HELD are live; the others are finished."""

    PENDING = 1
    PROCESSED = 2
    SKIPPED = 3
    HELD = 4
    FAILED = 5
    DISMISSED = 6

    @property
    def is_live(self) -> bool:
        return self in (EntryState.PENDING, EntryState.HELD)


class Priority(IntEnum):
    """LIVE: someone waits. BULK: a sweep. Lower sorts first."""

    LIVE = 1
    BULK = 2


class CustomerTypeAction(IntEnum):
    """What the caller saw happen to a customer type: a hint, the worker re-reads the till."""

    ADD = 1
    UPDATE = 2
    DELETE = 3


class MatchEmail(IntEnum):
    """Which of an order's two emails is compared with the till."""

    ACCOUNT = 1
    BILLING = 2


class GuestPolicy(IntEnum):
    """What happens to an order without a shop customer."""

    DEFAULT_CUSTOMER = 1
    MATCH_ONLY = 2
    MATCH_OR_CREATE = 3


class Outcome(IntEnum):
    """How an entry stands. The exact comment of each is in :mod:`tillsync_server.domain.catalogue`."""

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


class Side(IntEnum):
    """Which outside system a problem belongs to."""

    TILL = 1
    SHOP = 2


class ProblemReason(IntEnum):
    """Account-wide failures: they pause the lane and charge no attempt."""

    UNREACHABLE = 1
    """DNS, connect or TLS failure; a page of something before the side, 5xx or an unreadable answer while the probe fails too."""
    CREDENTIALS_REFUSED = 2
    THROTTLED = 3
    WRONG_ADDRESS = 4
    """Address or API version wrong: 404 without proof, redirects, an HTML 404 while the probe fails too."""
    BRIDGE_MISSING = 5
    """The account has a bridge secret but the shop's plugin does not answer."""
    SETTINGS_INCOMPLETE = 6
    """Credentials or addresses that the flow needs are not set."""


class WarningReason(IntEnum):
    """What is wrong with an account without pausing it. The sentences are in :mod:`tillsync_server.domain.account_warnings`."""

    EVENTS_REFUSED = 1
    """The shop's bridge is too old for what it is told of orders."""
    ROWS_UNREADABLE = 2
    """Rows of the till's customer list cannot be read; they are passed over."""
    STRAY_OUTPUT = 3
    """The shop prints something around the data of its answers; it is read all the same."""
    TILL_BUSY = 4
    """The till refuses requests although our part of its limit is not used up: another app of the company is busy."""


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
    """Which field of a V4 customer names its type (docs/epos-now.md#customers: which one is unknown)."""

    AUTO = 1
    """The first of the three that is there."""
    TYPE_ID = 2
    CUSTOMER_TYPE_ID = 3
    TYPE = 4


class EmailConfirmation(IntEnum):
    """What a shop knows of the email of a shop customer's account. None in its place: the caller does not say."""

    UNCONFIRMED = 1
    CONFIRMED = 2
    CHANGED = 3
    """Unconfirmed, and typed after the account was registered."""


class TrustedAccounts(IntEnum):
    """Which shop accounts are linked although nobody has confirmed their email."""

    CONFIRMED_ONLY = 1
    REGISTERED_BEFORE = 2
    ALL = 3


class LinkGround(IntEnum):
    """Why a link may show a till customer's values to a shopper."""

    NOT_KEPT = 1
    """Made before grounds were kept."""
    CONFIRMED_EMAIL = 2
    TRUSTED_ACCOUNT = 3
    BY_HAND = 4
