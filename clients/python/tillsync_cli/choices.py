"""The contract's enums as choices of the command line: short, in lower case, with the words of the catalogue."""

from __future__ import annotations

from enum import StrEnum


class Queue(StrEnum):
    CUSTOMERS = "customers"
    ORDERS = "orders"


class State(StrEnum):
    PENDING = "pending"
    PROCESSED = "processed"
    SKIPPED = "skipped"
    HELD = "held"
    FAILED = "failed"
    DISMISSED = "dismissed"


class TypeAction(StrEnum):
    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


class Role(StrEnum):
    SITE = "site"
    SERVICE = "service"
    SUPPORT = "support"
    ADMIN = "admin"


class MatchEmail(StrEnum):
    ACCOUNT = "account"
    BILLING = "billing"


class GuestPolicy(StrEnum):
    DEFAULT_CUSTOMER = "default-customer"
    MATCH_ONLY = "match-only"
    MATCH_OR_CREATE = "match-or-create"


class TrustedAccounts(StrEnum):
    CONFIRMED_ONLY = "confirmed-only"
    REGISTERED_BEFORE = "registered-before"
    ALL = "all"


class ApiVersion(StrEnum):
    V2 = "v2"
    V4 = "v4"


class TypeField(StrEnum):
    AUTO = "auto"
    TYPE_ID = "type-id"
    CUSTOMER_TYPE_ID = "customer-type-id"
    TYPE = "type"


def enum_name(prefix: str, choice: str) -> str:
    """``("GUEST_POLICY", "match-only")`` → ``GUEST_POLICY_MATCH_ONLY``."""
    return f"{prefix}_{choice.upper().replace('-', '_')}"
