"""Reading the customers of sales from the till: hints, retries, and the cost of an unavailable till."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from fakes.queues import FakeQueues, an_entry
from fakes.sales import FakeSales
from fakes.subject_accounts import FakeSubjectAccounts
from fakes.till import FakeTill, FakeTillGateway
from support.logs import captured_lines
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.application.use_cases.sale_reading import LONGEST_WAIT_SECONDS, PAUSE_SECONDS, SaleReading
from tillsync_server.application.use_cases.till_hints import TillHints
from tillsync_server.domain.account import Account, EposSettings
from tillsync_server.domain.enums import EntryState, Side
from tillsync_server.domain.errors import (
    CredentialsRefused,
    Refused,
    ServerFailure,
    Throttled,
    Unavailable,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.lanes import EnqueueResult, NewHint
from tillsync_server.ports.request_gate import RequestGate

TILL, A, B = TillId("company"), AccountId("shop-a"), AccountId("shop-b")
KEYS = EposSettings(api_key="key", api_secret="secret")


class DatabaseAway(Exception):
    pass


@dataclass
class World:
    clock: FakeClock = field(default_factory=FakeClock)
    hinted: list[tuple[str, int]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.accounts, self.till, self.sales = FakeAccounts(), FakeTill(), FakeSales(self.clock)
        for account_id in (A, B):
            self.accounts.add(Account(account_id=account_id, till_id=TILL, shared_till=True, epos=KEYS))
        subjects = FakeSubjectAccounts(self.accounts, linked={(A, 501), (B, 501)})
        hints = TillHints(subjects, self.sales, Enqueuer(self), Admission(FakeQueues(), clock=self.clock))
        self.gateway = FakeTillGateway(self.till)
        self.reading = SaleReading(self.sales, self.accounts, self.gateway, hints, observe=self.outcomes.append)

    async def enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        if self.failure is not None:
            return [self.failure] * len(hints)
        self.hinted += [(hint.account_id, hint.subject_id) for hint in hints]
        return [EnqueueResult(an_entry(state=EntryState.PENDING, subject_id=hint.subject_id), coalesced=False) for hint in hints]

    async def sell(self, *transaction_ids: int, buyer: int | None = 501) -> None:
        self.till.buyers |= dict.fromkeys(transaction_ids, None if buyer is None else EposCustomerId(buyer))
        await self.sales.add(TILL, A, transaction_ids)


async def test_sale_hints_every_account_linked_to_the_buyer() -> None:
    world = World()
    await world.sell(7)
    assert await world.reading.run_chunk()
    assert sorted(world.hinted) == [(A, 501), (B, 501)]
    assert world.till.calls == [("read_buyer", 7)]
    assert world.outcomes == ["hinted"]
    assert world.sales.rows == {}
    assert not await world.reading.run_chunk()


@pytest.mark.parametrize(("buyer", "outcome"), [(None, "no_customer"), (777, "nobody")])
async def test_sale_without_linked_buyer_is_done(buyer: int | None, outcome: str) -> None:
    world = World()
    await world.sell(7, buyer=buyer)
    await world.reading.run_chunk()
    assert (world.hinted, world.outcomes, world.sales.rows) == ([], [outcome], {})


async def test_missing_transaction_is_done() -> None:
    world = World()
    await world.sales.add(TILL, A, [7])
    await world.reading.run_chunk()
    assert (world.outcomes, world.sales.rows) == (["missing"], {})


async def test_thousand_sales_use_a_quarter_of_the_request_allowance() -> None:
    """300 requests a minute; ten minutes of a flood, in steps of half a second."""
    world = World()
    await world.sell(*range(1, 1_001))
    for _ in range(1_200):
        await world.reading.run_chunk()
        world.clock.advance(0.5)
    assert world.till.count("read_buyer") <= 10 * 75 + 1


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Throttled(Side.TILL, "used up", retry_after_seconds=300), 300),
        (Throttled(Side.TILL, "used up"), PAUSE_SECONDS),
        (CredentialsRefused(Side.TILL, "refused", status=401), PAUSE_SECONDS),
        (Unreachable(Side.TILL, "away"), PAUSE_SECONDS),
    ],
)
async def test_unavailable_till_gets_one_request_per_pause(error: UpstreamError, seconds: float) -> None:
    world = World()
    await world.sell(1, 2, 3)
    world.till.decide_fault = lambda method, argument: error
    await world.reading.run_chunk()
    world.clock.advance(seconds - 1)
    await world.reading.run_chunk()
    assert (world.outcomes, world.till.requests) == (["postponed"], 1)
    world.till.decide_fault = lambda method, argument: None
    for _ in range(3):
        world.clock.advance(2)
        await world.reading.run_chunk()
    assert world.outcomes == ["postponed", "hinted", "hinted", "hinted"]
    assert world.sales.rows == {}


async def test_sale_of_a_till_unavailable_for_a_day_is_given_up_and_logged() -> None:
    world = World()
    await world.sell(7)
    world.till.decide_fault = lambda method, argument: Unreachable(Side.TILL, "away")
    world.clock.advance(LONGEST_WAIT_SECONDS + 1)
    with captured_lines() as lines:
        await world.reading.run_chunk()
    [line] = lines.all()
    assert (line["event"], line["till_id"], line["transaction"], line["error"]) == ("sale_not_read", TILL, 7, "Unreachable")
    assert (world.outcomes, world.sales.rows) == (["given_up"], {})


@pytest.mark.parametrize(
    "error", [ServerFailure(Side.TILL, "failed"), Unreadable(Side.TILL, "no JSON"), Refused(Side.TILL, "refused", status=400)]
)
async def test_failing_sale_is_tried_eight_times_and_delays_no_other(error: UpstreamError) -> None:
    world = World()
    await world.sell(1, 2)
    world.till.decide_fault = lambda method, argument: error if argument == 1 else None
    with captured_lines():
        for _ in range(40):
            await world.reading.run_chunk()
            world.clock.advance(6 * 3600)
    assert world.outcomes.count("postponed") == 7
    assert world.outcomes[:2] == ["postponed", "hinted"]
    assert world.outcomes[-1] == "given_up"
    assert world.sales.rows == {}


async def test_failed_hint_of_an_account_postpones_the_sale() -> None:
    world = World()
    await world.sell(7)
    world.failure = Unavailable("busy")
    await world.reading.run_chunk()
    world.failure = None
    world.clock.advance(10)
    await world.reading.run_chunk()
    assert world.outcomes == ["postponed", "hinted"]
    assert sorted(world.hinted) == [(A, 501), (B, 501)]


async def test_database_failure_keeps_the_sale() -> None:
    world = World()
    await world.sell(7)
    world.failure = DatabaseAway()
    with pytest.raises(DatabaseAway):
        await world.reading.run_chunk()
    assert list(world.sales.rows) == [(TILL, 7)]


async def test_another_account_of_the_till_reads_if_the_first_is_gone_or_has_no_keys() -> None:
    world = World()
    requests: list[str] = []
    client = world.gateway.client

    def note(account: Account, request_class: RequestClass, gate: RequestGate | None = None) -> FakeTill:
        requests.append(account.account_id)
        assert request_class is RequestClass.LIVE
        return client(account, request_class)

    world.gateway.client = note  # type: ignore[method-assign]
    await world.sell(1, 2, 3)
    present = world.accounts.accounts[A]
    for changed in (present, replace(present, epos=EposSettings()), replace(present, till_id=TillId("own"))):
        world.accounts.add(changed)
        await world.reading.run_chunk()
        world.clock.advance(2)
    assert requests == [A, B, B]
    await world.sell(4)
    world.accounts.accounts.clear()
    await world.reading.run_chunk()
    assert world.outcomes == ["hinted", "hinted", "hinted", "no_customer"]
