"""``Enqueuer`` stores hints. An account with a locked lane delays only its own hints."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from fakes.clock import FakeClock
from support.waiting import within
from tillsync_server.application.engine.enqueuer import BUSY_SECONDS, Enqueuer
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.errors import Unavailable
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import EnqueueResult, NewHint

BUSY, OTHER = AccountId("shop-busy"), AccountId("shop-other")
STORED = cast(EnqueueResult, "stored")


class Store:
    """A hint store with a locked lane of BUSY. A statement with hints of BUSY waits for ``unlocked`` and then fails to get the lock."""

    def __init__(self) -> None:
        self.unlocked = asyncio.Event()
        self.statements: list[set[AccountId]] = []

    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        accounts = {hint.account_id for hint in hints}
        self.statements.append(accounts)
        if BUSY in accounts:
            await self.unlocked.wait()
        return [Unavailable("busy", reason="ACCOUNT_BUSY") if hint.account_id == BUSY else STORED for hint in hints]


def hint(account_id: AccountId, number: int = 1) -> NewHint:
    return NewHint(account_id, EntryKind.CUSTOMER, number, Priority.LIVE)


@pytest.mark.catches("busy-accounts-enqueue-by-themselves")
async def test_account_with_locked_lane_delays_another_account_once_at_most() -> None:
    store, clock = Store(), FakeClock()
    enqueuer = Enqueuer(store, clock=clock)
    store.unlocked.set()
    with pytest.raises(Unavailable):
        await enqueuer.enqueue(hint(BUSY))
    store.unlocked.clear()
    waiting = [asyncio.create_task(enqueuer.enqueue(hint(BUSY, number))) for number in range(3)]
    await asyncio.sleep(0)
    assert await within(enqueuer.enqueue(hint(OTHER))) == STORED
    assert store.statements == [{BUSY}, {BUSY}, {OTHER}]
    store.unlocked.set()
    refused = await within(asyncio.gather(*waiting, return_exceptions=True))
    assert [type(each) for each in refused] == [Unavailable] * 3
    await enqueuer.close()


async def test_formerly_busy_account_shares_statements_again() -> None:
    store, clock = Store(), FakeClock()
    enqueuer = Enqueuer(store, clock=clock)
    store.unlocked.set()
    with pytest.raises(Unavailable):
        await enqueuer.enqueue(hint(BUSY))
    clock.advance(BUSY_SECONDS + 1)
    both = await within(asyncio.gather(enqueuer.enqueue(hint(BUSY)), enqueuer.enqueue(hint(OTHER)), return_exceptions=True))
    assert (type(both[0]), both[1]) == (Unavailable, STORED)
    assert store.statements[-1] == {BUSY, OTHER}
    await enqueuer.close()
