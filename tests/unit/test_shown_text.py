"""Names that a till serves are shown in terminals and on web pages: they must not steer them."""

from __future__ import annotations

import pytest
from support.shop_flow_world import ShopWorld, till_customer, till_type
from support.virtual_time import on_virtual_time
from tillsync.v1 import link_pb2
from tillsync_server.adapters.grpc.messages.links import fill_customer
from tillsync_server.application.use_cases.till_lookup import CustomerAtTill
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.shown_text import shown


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("Ada  Byron", "Ada Byron"),
        ("Ada\x1b[2J\x9b31m\x07", "Ada [2J 31m"),
        ("Ada\u202eetis\u2066\u200f", "Ada etis"),
        ("a\r\nb\u2028c", "a b c"),
        ("سارا می\u200cخواهد", "سارا می\u200cخواهد"),
        ("\x00", ""),
        ("x" * 5_000_000, "x" * 255),
    ],
)
def test_one_line_that_steers_nothing(raw: str, line: str) -> None:
    assert shown(raw) == line


def test_a_candidate_is_shown_so() -> None:
    customer = TillCustomer(
        epos_customer_id=EposCustomerId(7), forename="Ada\x1b]0;x\x07", surname="Byron", card_number="12\x1b[1m", sign_up_date="2026\x9b"
    )
    message = link_pb2.EposCustomer()
    fill_customer(message, CustomerAtTill(customer, None))
    assert (message.name, message.card_number, message.sign_up_date) == ("Ada ]0;x Byron", "12 [1m", "2026")
    assert customer.forename == "Ada\x1b]0;x\x07", "what is synced and compared stays as it is"


@on_virtual_time
async def test_labels_in_the_queues_are_shown_so() -> None:
    world = ShopWorld()
    world.link(1, 12)
    world.till.put(till_customer(1, forename="Ada\x1b[2J", surname="\x1b"))
    world.till.put_types(till_type(name="Basic\u202e\r\n"))
    assert (await world.sync(1)).subject_label == "Ada [2J"
    assert (await world.sync_type(4001)).subject_label == "Basic"
