"""What a restored database takes over from a shop (domain.restored)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.ids import AccountId, EntryId, EposCustomerId, OrderId, TillId, WooCustomerId, new_entry_id
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.domain.restored import (
    LinkStep,
    OrderStep,
    ShopLink,
    ShopOrder,
    StoredAnswer,
    entry_time,
    link_step,
    order_step,
    site_settings_texts,
)

KEY, EARLIER, LATER = "k" * 64, new_entry_id(), new_entry_id()
NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
EPOS, WOO = EposCustomerId(101), WooCustomerId(12)


def shop_order(entry_id: EntryId | None, state: EntryState | None) -> ShopOrder:
    return ShopOrder(order_id=OrderId(1), order_key=KEY, entry_id=entry_id, state=state)


@pytest.mark.parametrize("state", [EntryState.PROCESSED, EntryState.SKIPPED, EntryState.DISMISSED])
def test_later_final_answer_of_the_shop_is_kept(state: EntryState) -> None:
    order = shop_order(LATER, state)
    assert order_step(order, None) is OrderStep.KEEP
    assert order_step(order, StoredAnswer("other" * 12, LATER, EntryState.PROCESSED)) is OrderStep.KEEP, "another order had the id"
    for stored in (EntryState.PENDING, EntryState.HELD):
        assert order_step(order, StoredAnswer(KEY, LATER, stored)) is OrderStep.KEEP
    for stored in EntryState:
        assert order_step(order, StoredAnswer(KEY, EARLIER, stored)) is OrderStep.KEEP


@pytest.mark.parametrize("stored", list(EntryState))
@pytest.mark.parametrize("state", [None, *EntryState])
def test_later_entry_of_the_database_is_never_replaced(stored: EntryState, state: EntryState | None) -> None:
    assert order_step(shop_order(EARLIER, state), StoredAnswer(KEY, LATER, stored)) is OrderStep.UNCHANGED


@pytest.mark.parametrize("state", [EntryState.PENDING, EntryState.HELD, EntryState.FAILED, None])
def test_open_order_is_asked_again_only_if_the_database_lacks_it(state: EntryState | None) -> None:
    order = shop_order(LATER, state)
    assert order_step(order, None) is OrderStep.ASK_AGAIN
    assert order_step(order, StoredAnswer(KEY, EARLIER, EntryState.HELD)) is OrderStep.UNCHANGED
    assert order_step(order, StoredAnswer(KEY, EARLIER, EntryState.PROCESSED)) is OrderStep.LOST_REQUEST
    assert order_step(order, StoredAnswer(KEY, LATER, EntryState.PROCESSED)) is OrderStep.UNCHANGED
    assert order_step(shop_order(None, None), None) is OrderStep.ASK_AGAIN


def link(epos: int = EPOS, woo: int = WOO, *, gone: bool = False) -> Link:
    return Link(
        account_id=AccountId("shop-a"),
        epos_customer_id=EposCustomerId(epos),
        woo_customer_id=WooCustomerId(woo),
        origin=LinkOrigin.BY_HAND,
        create_time=NOW,
        epos_gone_at=NOW if gone else None,
    )


SHOWN = ShopLink(woo_customer_id=WOO, epos_customer_id=EPOS, is_removed=False, registered_at=None, changed_at=NOW)
REMOVED = replace(SHOWN, epos_customer_id=None, is_removed=True)


@pytest.mark.parametrize(
    ("shown", "existing", "step"),
    [
        (SHOWN, [], LinkStep.RESTORE),
        (SHOWN, [link()], LinkStep.UNCHANGED),
        (SHOWN, [link(102, gone=True)], LinkStep.RESTORE),
        (SHOWN, [link(102)], LinkStep.CONFLICT),
        (SHOWN, [link(woo=13)], LinkStep.CONFLICT),
        (replace(SHOWN, epos_customer_id=EposCustomerId(7)), [], LinkStep.CONFLICT),
        (replace(SHOWN, epos_customer_id=None), [link()], LinkStep.UNCHANGED),
        (REMOVED, [link()], LinkStep.UNLINK),
        (REMOVED, [], LinkStep.UNCHANGED),
        (replace(REMOVED, changed_at=NOW - timedelta(seconds=1)), [link()], LinkStep.UNCHANGED),
    ],
)
def test_link_step(shown: ShopLink, existing: list[Link], step: LinkStep) -> None:
    assert link_step(shown, existing, since=NOW, default_customer=EposCustomerId(7)) is step


def test_time_of_an_entry_comes_from_its_id() -> None:
    made = EntryId(UUID("0193614e-6000-7000-8000-000000000000"))
    assert entry_time(made, NOW) == datetime.fromtimestamp(0x0193614E6000 / 1000, UTC)
    assert entry_time(made, datetime(2020, 1, 1, tzinfo=UTC)) == datetime(2020, 1, 1, tzinfo=UTC)
    assert entry_time(EntryId(uuid4()), NOW) == NOW


def test_settings_have_the_texts_of_the_shop() -> None:
    texts = site_settings_texts(Account(account_id=AccountId("shop-a"), till_id=TillId("t"), default_epos_customer_id=EPOS))
    assert texts["default_epos_customer_id"] == "101"
    assert texts["customer_sync_enabled"] in ("on", "off")
    assert texts["match_email"] == "account"
