"""Texts of a till are shown in terminals and on web pages, so control characters in them are made visible."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.shop_flow_world import ShopWorld, till_customer, till_type
from support.virtual_time import on_virtual_time
from tillsync.v1 import link_pb2
from tillsync_cli.output import print_json
from tillsync_server.adapters.grpc.messages.entries import entry_message
from tillsync_server.adapters.grpc.messages.links import fill_customer
from tillsync_server.application.use_cases.till_lookup import CustomerAtTill
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Priority
from tillsync_server.domain.ids import AccountId, EposCustomerId, new_entry_id
from tillsync_server.domain.shown_text import shown


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("Ada  Byron", "Ada Byron"),
        ("Ada\x1b[2J\x9b31m\x07", "Ada[U+001B][2J[U+009B]31m[U+0007]"),
        ("Ada\u202eetis\u2066\u200f", "Ada[U+202E]etis[U+2066][U+200F]"),
        ("a\r\nb\u2028c\td", "a b c d"),
        ("Ada\u00a0Byron", "Ada Byron"),
        ("A\u200bd\ufeffa\u00ad\u061c", "A[U+200B]d[U+FEFF]a[U+00AD][U+061C]"),
        ("Ada\U000e0041\ufff9\ud800", "Ada[U+E0041][U+FFF9][U+D800]"),
        ("سارا می\u200cخواهد", "سارا می\u200cخواهد"),
        ("क्\u200dष", "क्\u200dष"),
        ("Zoë \U0001f469\u200d\U0001f680\ufe0f", "Zoë \U0001f469\u200d\U0001f680\ufe0f"),
        ("A\u200cd\u200da\u200d", "A[U+200C]d[U+200D]a[U+200D]"),
        ("\u200d\u200dسا\u200d", "[U+200D][U+200D]سا[U+200D]"),
        ("\x00", "[U+0000]"),
        ("x" * 5_000_000, "x" * 255),
    ],
)
def test_shown_text_is_one_line_without_control_characters(raw: str, line: str) -> None:
    assert shown(raw) == line


def an_entry(**texts: Any) -> Entry:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return Entry(
        account_id=AccountId("shop-a"), entry_id=new_entry_id(), kind=EntryKind.ORDER_CUSTOMER, subject_id=1042, state=EntryState.HELD,
        priority=Priority.LIVE, entry_revision=1, outcome=Outcome.CUSTOMER_NOT_MATCHED, causes=(), attempt_count=1, coalesced_count=0,
        next_attempt_time=None, create_time=now, update_time=now, **texts,
    )  # fmt: skip


def test_entry_message_shows_label_comment_notes_and_order_number_safely() -> None:
    message = entry_message(
        an_entry(
            subject_label="Ada\u202e", comment="said\x1b[2J", notes=("product not linked: Mug\u2067, id 7",), order_number="10\u200b42"
        )
    )
    assert (message.subject_label, message.comment) == ("Ada[U+202E]", "said[U+001B][2J")
    assert (list(message.notes), message.order_number) == (["product not linked: Mug[U+2067], id 7"], "10[U+200B]42")


def test_cli_json_escapes_control_characters_and_keeps_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": "Ada\u202e\x9b2J می\u200cخواهد"}
    print_json(value)
    printed = capsys.readouterr().out
    assert not {"\u202e", "\x9b"} & set(printed)
    assert json.loads(printed) == value


def test_candidate_message_shows_till_texts_safely() -> None:
    customer = TillCustomer(
        epos_customer_id=EposCustomerId(7), forename="Ada\x1b]0;x\x07", surname="Byron", card_number="12\x1b[1m", sign_up_date="2026\x9b"
    )
    message = link_pb2.EposCustomer()
    fill_customer(message, CustomerAtTill(customer, None))
    assert (message.name, message.card_number, message.sign_up_date) == ("Ada[U+001B]]0;x[U+0007] Byron", "12[U+001B][1m", "2026[U+009B]")
    assert customer.forename == "Ada\x1b]0;x\x07", "what is synced and compared stays as it is"


@on_virtual_time
async def test_subject_labels_are_shown_safely() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.till.put(till_customer(1, forename="Ada\x1b[2J", surname="\x1b"))
    world.till.put_types(till_type(name="Basic\u202e\r\n"))
    assert (await world.sync(1)).subject_label == "Ada[U+001B][2J"
    assert (await world.sync_type(4001)).subject_label == "Basic[U+202E]"
