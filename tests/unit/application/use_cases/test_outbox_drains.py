"""Planned calls of shops that then send their due orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from fakes.accounts import FakeAccounts
from support.logs import captured_lines
from support.waiting import until
from tillsync_server.application.use_cases import outbox_drains
from tillsync_server.application.use_cases.outbox_drains import OutboxDrains
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import FailedPrecondition, NotFound, ServerFailure
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.till import WritePermit

SHOP_A = AccountId("shop-a")


class FakeOutboxes:
    """Implements ports.shop_outbox.ShopOutboxes and ShopOutbox. Each drain takes the next answer; without one no order waits."""

    def __init__(self) -> None:
        self.drained: list[AccountId] = []
        self.answers: list[float | Exception | None] = []
        self.gate: asyncio.Event | None = None

    def outbox(self, account: Account) -> FakeOutboxes:
        self.drained.append(account.account_id)
        return self

    async def drain(self, permit: WritePermit) -> float | None:
        assert 0 < permit.seconds_allowed(60.0) <= 60.0
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def accounts() -> FakeAccounts:
    made = FakeAccounts()
    made.add(
        Account(
            account_id=SHOP_A, till_id=TillId("till-a"), shop=ShopSettings(base_url="https://shop.example.test", bridge_secret="s" * 43)
        )
    )
    return made


@pytest.fixture
def outboxes() -> FakeOutboxes:
    return FakeOutboxes()


@pytest_asyncio.fixture
async def drains(accounts: FakeAccounts, outboxes: FakeOutboxes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OutboxDrains]:
    monkeypatch.setattr(outbox_drains, "LEAST_SECONDS", 0.0)
    made = OutboxDrains(accounts, outboxes)
    yield made
    await made.close()


async def test_shop_is_called_at_the_planned_time_and_until_no_order_waits(drains: OutboxDrains, outboxes: FakeOutboxes) -> None:
    outboxes.answers = [0.0, 0.01, None]
    planned = await drains.schedule(SHOP_A, 0)
    assert abs((planned - datetime.now(UTC)).total_seconds()) < 5
    await until(lambda: len(outboxes.drained) == 3)
    await asyncio.sleep(0.1)
    assert outboxes.drained == [SHOP_A] * 3


async def test_earlier_call_stays_and_replaces_a_later_one(drains: OutboxDrains, outboxes: FakeOutboxes) -> None:
    late = await drains.schedule(SHOP_A, 200)
    early = await drains.schedule(SHOP_A, 100)
    kept = await drains.schedule(SHOP_A, 10_000)
    assert (late - early).total_seconds() > 90
    assert abs((kept - early).total_seconds()) < 1
    await drains.schedule(SHOP_A, 0)
    await until(lambda: outboxes.drained == [SHOP_A])
    await asyncio.sleep(0.1)
    assert outboxes.drained == [SHOP_A], "the replaced call is cancelled"


async def test_order_that_waits_during_a_call_gets_one_of_its_own(drains: OutboxDrains, outboxes: FakeOutboxes) -> None:
    outboxes.gate = asyncio.Event()
    await drains.schedule(SHOP_A, 0)
    await until(lambda: outboxes.drained == [SHOP_A])
    await drains.schedule(SHOP_A, 0)
    await until(lambda: outboxes.drained == [SHOP_A] * 2)
    outboxes.gate.set()


async def test_failed_call_is_logged_and_not_repeated(drains: OutboxDrains, outboxes: FakeOutboxes) -> None:
    outboxes.answers = [ServerFailure(Side.SHOP, "the shop failed", status=500), 0.0]
    with captured_lines() as lines:
        await drains.schedule(SHOP_A, 0)
        await until(lambda: bool(lines.of("outbox_not_drained")))
    [line] = lines.of("outbox_not_drained")
    assert (line["account_id"], line["error"], line["http_status"]) == ("shop-a", "ServerFailure", 500)
    await asyncio.sleep(0.1)
    assert outboxes.drained == [SHOP_A]


async def test_shop_without_bridge_and_unknown_account_are_refused(
    drains: OutboxDrains, accounts: FakeAccounts, outboxes: FakeOutboxes
) -> None:
    with pytest.raises(NotFound):
        await drains.schedule(AccountId("shop-b"), 0)
    accounts.add(replace(await accounts.get(SHOP_A), shop=ShopSettings()))
    with pytest.raises(FailedPrecondition) as refused:
        await drains.schedule(SHOP_A, 0)
    assert refused.value.reason == "SHOP_NOT_CONNECTED"
    assert outboxes.drained == []


async def test_shop_that_was_disconnected_meanwhile_is_not_called(
    drains: OutboxDrains, accounts: FakeAccounts, outboxes: FakeOutboxes
) -> None:
    account = await accounts.get(SHOP_A)
    await drains.schedule(SHOP_A, 0.05)
    accounts.add(replace(account, shop=ShopSettings()))
    await asyncio.sleep(0.2)
    assert outboxes.drained == []


async def test_close_cancels_planned_calls(drains: OutboxDrains, outboxes: FakeOutboxes) -> None:
    await drains.schedule(SHOP_A, 0.05)
    await drains.close()
    await asyncio.sleep(0.2)
    assert outboxes.drained == []
