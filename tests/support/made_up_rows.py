"""Rows and parameters of one made-up account, so that each named statement finds something to read and to change.

Each text is ``shop-a``, each number 1, each id ``ID``, and each time lies in the past or, for leases, in the future. So a parameter of any
statement matches the rows by its type alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

TEXT, NUMBER, NOW = "shop-a", 1, datetime.now(UTC)
ID, FINISHED_ID = UUID("01900000-0000-7000-8000-000000000001"), UUID("01900000-0000-7000-8000-000000000002")
PAST, FUTURE = NOW - timedelta(minutes=1), NOW + timedelta(hours=1)
_ENTRY = """
  account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count, coalesced_count, outcome,
  cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email, billing_email, attempts,
  create_time, update_time"""
SEED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("INSERT INTO account (account_id, till_id, epos_base_url, shop_bridge_secret) VALUES ($1, $1, $1, $2)", (TEXT, b"shop-a")),
    (
        "INSERT INTO lane (account_id, lease_owner, lease_token, lease_expires_at, next_run_at, next_live_at) "
        "VALUES ($1, $1, 1, $2, $3, $3)",
        (TEXT, FUTURE, PAST),
    ),
    ("INSERT INTO account_side (account_id, side, opened_by, times_opened) VALUES ($1, 1, $2, 1)", (TEXT, ID)),
    (
        f"INSERT INTO entry ({_ENTRY}, due_at, facts) VALUES ($1, $2, 1, 1, 1, 1, 1, false, 1, 0, 0, 1, 1, $1, $1, 1, 1, $1, $1, $1, $1, "
        "'[]', $3, $3, $3, NULL)",
        (TEXT, ID, PAST),
    ),
    (
        f"INSERT INTO entry ({_ENTRY}, due_at, facts) VALUES ($1, $2, 2, 3, 1, 4, 1, false, 1, 0, 0, 1, 1, $1, $1, 1, 1, $1, $1, $1, $1, "
        "'[]', $3, $3, $3, '{\"phone\": \"1\"}')",
        (TEXT, UUID("01900000-0000-7000-8000-000000000003"), PAST),
    ),
    (
        f"INSERT INTO entry_history ({_ENTRY}, finish_time, retention) VALUES ($1, $2, 1, 1, 2, 5, 1, false, 1, 0, 0, 1, 1, $1, $1, 1, 1, "
        "$1, $1, $1, $1, '[]', $3, $3, $3, 2)",
        (TEXT, FINISHED_ID, PAST),
    ),
    (
        "INSERT INTO order_match (account_id, order_id, order_key, facts_hash, entry_id, state, account_email, billing_email, create_time, "
        "update_time) VALUES ($1, 1, $1, $2, $3, 4, $1, $1, $4, $4)",
        (TEXT, b"shop-a", UUID("01900000-0000-7000-8000-000000000003"), PAST),
    ),
    ("INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, as_of) VALUES ($1, 1, 1, 1, $2)", (TEXT, PAST)),
    ("INSERT INTO link_mark (account_id, woo_customer_id) VALUES ($1, 1)", (TEXT,)),
    ("INSERT INTO shop_version (account_id, subject_kind, subject_id, last_version) VALUES ($1, 1, 1, 1)", (TEXT,)),
    ("INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ($1, 1, 1)", (TEXT,)),
    ("INSERT INTO customer_type (account_id, epos_customer_type_id) VALUES ($1, 1)", (TEXT,)),
    ("INSERT INTO requeue (account_id, what) VALUES ($1, 1)", (TEXT,)),
    ("INSERT INTO till (till_id, tokens, refilled_at) VALUES ($1, 1, $2)", (TEXT, PAST)),
    ("INSERT INTO till_knowledge (till_id, configuration) VALUES ($1, $1)", (TEXT,)),
    (
        "INSERT INTO intent (till_id, email, state, account_id, owner, settled_at, create_time) VALUES ($1, $1, 1, $1, $1, $2, $2)",
        (TEXT, PAST),
    ),
    ("INSERT INTO token (token_id, token_hash, role, account_id, name) VALUES ($1, $2, 1, $1, $1)", (TEXT, b"shop-a")),
    (
        "INSERT INTO order_event (account_id, order_id, sequence, type, entry_id, state, event_time) VALUES ($1, 1, 1, 1, $2, 4, $3)",
        (TEXT, ID, PAST),
    ),
    ("INSERT INTO event_delivery (account_id, lease_token, lease_expires_at, next_try_at) VALUES ($1, 1, $2, $2)", (TEXT, PAST)),
    (
        "INSERT INTO refused_event (account_id, order_id, sequence, field, first_time, told_time) VALUES ($1, 1, 1, $1, $2, $2)",
        (TEXT, PAST),
    ),
    (
        "INSERT INTO till_sale (till_id, transaction_id, account_id, due_at, create_time) VALUES ($1, 1, $1, $2, $2)",
        (TEXT, PAST),
    ),
    (
        "INSERT INTO unread_row (till_id, key, page, reason, first_time, last_time) VALUES ($1, $1, 1, $1, $2, $2)",
        (TEXT, PAST),
    ),
    (
        "INSERT INTO stray_output (account_id, route, kind, plugin, first_time, last_time) VALUES ($1, $1, 1, $1, $2, $2)",
        (TEXT, PAST),
    ),
)
_VALUES: dict[str, Any] = {
    "text": TEXT,
    "varchar": TEXT,
    "bool": True,
    "int2": NUMBER,
    "int4": NUMBER,
    "int8": NUMBER,
    "float8": 1.0,
    "uuid": ID,
    "timestamptz": PAST,
    "jsonb": "{}",
    "bytea": b"shop-a",
    "interval": timedelta(seconds=1),
}
OWN_VALUES: Mapping[str, tuple[Mapping[int, Any], ...]] = {
    "accounts/insert": ({1: "shop-b", 13: 2, 14: 2},),
    "accounts/note_bridge": ({2: "1.2.3"},),
    "accounts/update": ({13: 2, 14: 2},),
    "engine/complete": ({12: ["{1}"]}, {5: [2], 12: ["{1}"]}, {5: [4], 12: [None], 18: [2]}),
    "maintenance/make_weeks": ({1: "entry_history_short", 2: 12, 3: 12},),
    "orders/store": ({5: [UUID("01900000-0000-7000-8000-000000000004")], 6: [2]}, {17: [False]}),
    "restores/keep_answers": ({6: [2]}, {2: NOW, 6: [5]}),
}
"""Values of parameters, by their number, that tables accept in place of the made-up ones. A statement runs once with each mapping."""


def parameter(type_name: str) -> Any:
    """The made-up value of a type, such as ``int8`` or ``text[]``."""
    return [_VALUES[type_name[:-2]]] if type_name.endswith("[]") else _VALUES[type_name]
