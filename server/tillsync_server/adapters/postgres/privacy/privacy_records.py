"""Maps rows about a person to records of an export, with readable labels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import asyncpg

from tillsync_server.domain.enums import EntryKind, EntryState, Outcome
from tillsync_server.domain.intent import IntentState
from tillsync_server.domain.link import LinkOrigin
from tillsync_server.ports.privacy import PersonCategory, PersonRecord

_EVENT_TYPES = {1: "order finished", 2: "decision needed", 3: "decision closed"}
_FACTS = (
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("company", "Company"),
    ("phone", "Phone"),
    ("account_email", "Account email"),
    ("billing_email", "Billing email"),
    ("create_time", "Ordered at"),
)


def link_record(row: asyncpg.Record) -> PersonRecord:
    return _record(
        PersonCategory.LINK,
        str(row["epos_customer_id"]),
        row["create_time"],
        ("Till customer", row["epos_customer_id"]),
        ("Shop customer", row["woo_customer_id"]),
        ("Linked by", LinkOrigin(row["origin"]).name.lower().replace("_", " ")),
        ("Shop customer registered at", row["woo_registered_at"]),
        ("Values as of", row["as_of"]),
        ("Till last read at", row["epos_read_at"]),
        ("Gone from the till since", row["epos_gone_at"]),
        ("Gone from the shop since", row["woo_gone_at"]),
    )


def link_mark_record(row: asyncpg.Record) -> PersonRecord:
    fields = (("Shop customer", row["woo_customer_id"]), ("Unlinked by hand at", row["create_time"]))
    return _record(PersonCategory.LINK_MARK, str(row["woo_customer_id"]), row["create_time"], *fields)


def removal_record(row: asyncpg.Record) -> PersonRecord:
    fields = (("Shop customer", row["woo_customer_id"]), ("Former till customer", row["epos_customer_id"]))
    return _record(PersonCategory.PENDING_REMOVAL, str(row["woo_customer_id"]), row["create_time"], *fields)


def entry_record(row: asyncpg.Record) -> PersonRecord:
    kind = EntryKind(row["kind"])
    facts: dict[str, Any] = {} if row["facts"] is None else json.loads(row["facts"])
    return _record(
        PersonCategory.QUEUE_ENTRY,
        str(row["entry_id"]),
        row["create_time"],
        ("Order" if kind is EntryKind.ORDER_CUSTOMER else "Till customer", row["subject_id"]),
        ("Order number", row["order_number"]),
        ("Label", row["subject_label"]),
        *((label, facts.get(name)) for name, label in _FACTS),
        ("Compared account email", row["account_email"]),
        ("Compared billing email", row["billing_email"]),
        *_answer(row),
        ("Finished at", row["finish_time"]),
        *(("Attempt", _attempt(one)) for one in json.loads(row["attempts"])),
    )


def match_record(row: asyncpg.Record) -> PersonRecord:
    return _record(
        PersonCategory.ORDER_MATCH,
        str(row["order_id"]),
        row["create_time"],
        ("Order", row["order_id"]),
        ("Compared account email", row["account_email"]),
        ("Compared billing email", row["billing_email"]),
        *_answer(row),
    )


def event_record(row: asyncpg.Record) -> PersonRecord:
    return _record(
        PersonCategory.EVENT,
        str(row["order_id"]),
        row["event_time"],
        ("Order", row["order_id"]),
        ("Told to the shop", _EVENT_TYPES[row["type"]]),
        ("State", EntryState(row["state"]).name.lower()),
        ("Outcome", None if row["outcome"] is None else Outcome(row["outcome"]).name),
        ("Taken by the shop", "yes" if row["delivered"] >= row["sequence"] else "not yet"),
    )


def intent_record(row: asyncpg.Record) -> PersonRecord:
    return _record(
        PersonCategory.CREATE_INTENT,
        f"{row['email']} {row['till_id']}",
        row["create_time"],
        ("Email", row["email"]),
        ("State", IntentState(row["state"]).name.lower()),
        ("Till customer", row["epos_customer_id"]),
        ("Settled at", row["settled_at"]),
    )


def _answer(row: asyncpg.Record) -> Iterable[tuple[str, object]]:
    yield "Shop customer", row["woo_customer_id"]
    yield "Till customer", row["epos_customer_id"]
    yield "Candidates", ", ".join(str(candidate) for candidate in row["candidate_ids"] or ())
    yield "State", EntryState(row["state"]).name.lower()
    yield "Outcome", None if row["outcome"] is None else Outcome(row["outcome"]).name
    yield "Comment", row["comment"]
    yield "Notes", row["notes"]


def _attempt(stored: dict[str, Any]) -> str:
    parts = (stored["f"], Outcome(stored["o"]).name, stored.get("c", ""), stored.get("n", "").replace("\n", "; "))
    return " · ".join(part for part in parts if part)


def _record(category: PersonCategory, record_id: str, create_time: datetime | None, *fields: tuple[str, object]) -> PersonRecord:
    return PersonRecord(
        category=category,
        record_id=record_id,
        create_time=create_time,
        fields=tuple((label, _text(value)) for label, value in fields if value not in (None, "")),
    )


def _text(value: object) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
