"""A till or a shop accepts connections and never answers.

The account shows one problem, few requests wait, no attempt is charged, and the work resumes without help.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import RaceEnvironment, SandboxAccount, an_order, race_environment
from support.waiting import until
from tillsync.v1 import account_pb2, vocabulary_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
EPOS, WOO, COUNT = 500, 100, 40
ROUNDS = 15
DEFAULT = 7


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    async with race_environment(cluster, TILLSYNC_TILL_TIMEOUT_SECONDS="0.5", TILLSYNC_SHOP_TIMEOUT_SECONDS="0.5") as made:
        yield made


async def linked_customers(made: SandboxAccount) -> None:
    made.till.add_customer(DEFAULT, email="guests@example.test")
    for number in range(COUNT):
        made.till.add_customer(EPOS + number, email=f"c{number}@example.test", points=1)
        made.shop.add_customer(WOO + number, email=f"c{number}@example.test")
        await made.link(EPOS + number, WOO + number)
    await made.update(default_epos_customer_id=DEFAULT)
    await made.quiet()
    for number in range(COUNT):
        made.till.change_customer(EPOS + number, points=2)


async def problems(made: SandboxAccount) -> list[account_pb2.AccountProblem]:
    return list((await made.running.client.accounts.get_account(made.account)).problems)


async def hint_all_until_a_problem(made: SandboxAccount) -> None:
    for number in range(COUNT):
        await made.hint(EPOS + number)
    await until(lambda: problems(made), lambda: problems(made))


async def assert_all_updated(made: SandboxAccount) -> None:
    await made.quiet()
    rows = made.shop.store.bridge_rows
    assert {rows[WOO + number].points for number in range(COUNT)} == {"2"}
    charged = await made.connection.fetch("SELECT attempts FROM entry_history WHERE account_id = $1 AND attempt_count > 1", made.account)
    assert charged == [], [row["attempts"] for row in charged]


async def test_hanging_till_keeps_few_requests_waiting_and_charges_no_attempt(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await linked_customers(made)
        silent = made.till.faults.script(path="*", times=None, hang="before")
        made.till.log.clear()
        await hint_all_until_a_problem(made)
        [problem] = await problems(made)
        assert (problem.side, problem.reason) == (vocabulary_pb2.SIDE_TILL, account_pb2.PROBLEM_REASON_UNREACHABLE)
        assert problem.text.startswith("Epos Now: no answer")
        assert len(made.till.log) < COUNT, "each attempt to read is one request"
        silent.cancel()
        await assert_all_updated(made)
        assert await problems(made) == []


async def test_orders_run_while_the_shop_hangs(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await linked_customers(made)
        silent = made.shop.faults.script(path="*", times=None, hang="before")
        await hint_all_until_a_problem(made)
        assert [problem.side for problem in await problems(made)] == [vocabulary_pb2.SIDE_SHOP]
        await made.order(an_order(1, email="", billing="guest@example.test"))
        await made.order(an_order(2, woo=WOO, email="c0@example.test", billing="c0@example.test"))
        await until(lambda: _both_answered(made), lambda: _both_answered(made))
        assert [problem.side for problem in await problems(made)] == [vocabulary_pb2.SIDE_SHOP]
        silent.cancel()
        await assert_all_updated(made)
        assert await problems(made) == []


@pytest.mark.parametrize(("side", "work"), [("till", "/api/*/Customer*"), ("shop", "*/customers/batch")])
async def test_successful_status_check_closes_the_problem_uncharged(environment: RaceEnvironment, side: str, work: str) -> None:
    async with environment.new_account() as made:
        await linked_customers(made)
        faults = (made.till if side == "till" else made.shop).faults
        hangs, silent = (faults.script(path=path, times=None, hang="before") for path in (work, "*"))
        await hint_all_until_a_problem(made)
        silent.cancel()  # The status check gets an answer. The request of the probe does not.
        await until(lambda: _has_no_problem(made), lambda: problems(made))
        hangs.cancel()
        await assert_all_updated(made)


async def _has_no_problem(made: SandboxAccount) -> bool:
    return not await problems(made)


async def test_orders_run_while_the_shop_is_unavailable_and_customers_wait_uncharged(environment: RaceEnvironment) -> None:
    async with environment.new_account() as made:
        await linked_customers(made)
        writes, away = (made.shop.faults.script(path=path, times=None, disconnect="before") for path in ("*/customers/batch", "*"))
        await hint_all_until_a_problem(made)
        for number in range(1, 2 * ROUNDS, 2):
            await made.order(an_order(number, email="", billing="guest@example.test"))
            await made.order(an_order(number + 1, woo=WOO + number, email=f"c{number}@example.test", billing=f"c{number}@example.test"))
            await until(lambda: _both_answered(made, number), lambda: _both_answered(made, number))  # noqa: B023
            await made.hint(EPOS + number)
        assert [problem.side for problem in await problems(made)] == [vocabulary_pb2.SIDE_SHOP]
        assert {row.points for row in made.shop.store.bridge_rows.values()} == {"1"}
        [waiting] = await made.connection.fetch("SELECT count(*), sum(attempt_count) FROM entry WHERE account_id = $1", made.account)
        assert tuple(waiting) == (COUNT, 0)
        assert writes.used < COUNT / 2, "only the runs before the pause and the probes call the shop"
        writes.cancel()
        away.cancel()
        await assert_all_updated(made)
        assert await problems(made) == []


async def _both_answered(made: SandboxAccount, first: int = 1) -> bool:
    matches = [await made.match_of(number) for number in (first, first + 1)]
    return all(match.state == vocabulary_pb2.ENTRY_STATE_PROCESSED for match in matches)
