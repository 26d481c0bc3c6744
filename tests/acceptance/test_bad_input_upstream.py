"""Till or shop send invalid answers.

The entry's outcome and notes say so, the lane continues, and the entry succeeds when the side recovers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from support.postgres import Cluster
from support.race_environment import RaceEnvironment, SandboxAccount, an_order, race_environment, shop_state
from support.waiting import until
from tillsync.v1 import vocabulary_pb2
from tillsync_server.adapters.postgres.statements import load

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PROBE_NOW, _RESCHEDULE_LANE = load("accounts/probe_now"), load("engine/reschedule_lane")
HTML = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Log in, please</body></html>"
JSON = {"content_type": "application/json"}
DEEP = "[" * 50_000
HUGE = "[" + "1," * 9_000_000 + "1]"

NONSENSE: dict[str, dict[str, Any]] = {
    "an HTML page with 200": {"status": 200, "body": HTML, "content_type": "text/html"},
    "an HTML page declared as JSON": {"status": 200, "body": HTML, **JSON},
    "nothing at all": {"status": 200, "body": "", **JSON},
    "JSON cut short": {"status": 200, "body": '{"CustomerID": 501, "Curren', **JSON},
    "an answer that breaks off": {"truncate": True},
    "null": {"status": 200, "body": "null", **JSON},
    "a number": {"status": 200, "body": "7", **JSON},
    "a text": {"status": 200, "body": '"ok"', **JSON},
    "an empty list": {"status": 200, "body": "[]", **JSON},
    "a list of lists": {"status": 200, "body": "[[[]]]", **JSON},
    "an object without anything": {"status": 200, "body": "{}", **JSON},
    "brackets without end": {"status": 200, "body": DEEP, **JSON},
    "a huge body": {"status": 200, "body": HUGE, **JSON},
    "bytes that are not text": {"status": 200, "body": "\udcff\udcfe".encode("utf-16", "surrogatepass").decode("latin-1"), **JSON},
    "an unknown status": {"status": 299, "body": "?", **JSON},
    "a teapot": {"status": 418, "body": "I'm a teapot"},
    "a redirect": {"status": 302, "headers": {"Location": "https://elsewhere.example.test/"}},
    "no answer": {"disconnect": "before"},
}
OF_CUSTOMERS: dict[str, dict[str, Any]] = {
    **NONSENSE,
    "points that are not a number": {"status": 200, "body": '{"CustomerID": 501, "CurrentPoints": NaN, "CurrentBalance": 1}', **JSON},
    "no points at all": {"status": 200, "body": '{"CustomerID": 501, "CurrentBalance": 1}', **JSON},
    "another customer": {"status": 200, "body": '{"CustomerID": 502, "CurrentPoints": 66, "CurrentBalance": 1}', **JSON},
    "an id in words": {"status": 200, "body": '{"CustomerID": "you", "CurrentPoints": 66, "CurrentBalance": 1}', **JSON},
}
INVALID_POINTS = {"infinite": "1e999999", "in words": '"many"', "in a list": "[1]", "a flag": "true"}
_DONE = '{"user_id": 21, "status": "updated"}'
_BEYOND = '{"user_id": 21, "status": "stale", "version": "99999999999999999999999"}'
OF_WRITES: dict[str, dict[str, Any]] = {
    **NONSENSE,
    "null results": {"status": 200, "body": '{"results": null}', **JSON},
    "too few results": {"status": 200, "body": '{"results": []}', **JSON},
    "too many results": {"status": 200, "body": f'{{"results": [{_DONE}, {_DONE}]}}', **JSON},
    "the result of another": {"status": 200, "body": '{"results": [{"user_id": 99, "status": "updated"}]}', **JSON},
    "a status of its own making": {"status": 200, "body": '{"results": [{"user_id": 21, "status": "splendid"}]}', **JSON},
    "stale without a version": {"status": 200, "body": '{"results": [{"user_id": 21, "status": "stale"}]}', **JSON},
    "a version beyond all": {"status": 200, "body": f'{{"results": [{_BEYOND}]}}', **JSON},
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(cluster: Cluster) -> AsyncIterator[RaceEnvironment]:
    changes = {"TILLSYNC_MAX_ATTEMPTS": "2", "TILLSYNC_TILL_TIMEOUT_SECONDS": "3", "TILLSYNC_SHOP_TIMEOUT_SECONDS": "3"}
    async with race_environment(cluster, **changes) as made:
        yield made


async def two_customers(made: SandboxAccount) -> None:
    """Adds two linked customers with new points. Only the requests of the first one get invalid answers."""
    for epos, woo in ((501, 21), (502, 22)):
        made.till.add_customer(epos, email=f"{epos}@example.test", points=1)
        made.shop.add_customer(woo, email=f"{woo}@example.test")
        await made.link(epos, woo)
    await made.quiet()
    for epos in (501, 502):
        made.till.change_customer(epos, points=7)


def points(made: SandboxAccount) -> dict[int, str]:
    return {user: values.points for user, values in shop_state(made.shop)["values"].items()}


async def attempted(made: SandboxAccount, comment: str) -> None:
    """Waits until the first customer's entry shows the failed attempt in comment and notes."""

    async def comment_and_notes() -> list[str]:
        entry = await made.newest("epos_customer_id", 501)
        return [entry.comment, *entry.notes]

    lines = await until_holds(comment_and_notes, lambda lines: lines[0] == comment and len(lines) > 1)
    assert all("Traceback" not in line and "the service itself failed" not in line and len(line) <= 500 for line in lines), lines


async def until_holds(ask: Any, holds: Any) -> Any:
    answer = None

    async def is_true() -> bool:
        nonlocal answer
        answer = await ask()
        return bool(holds(answer))

    await until(is_true, lambda: f"stays {answer}")
    return answer


async def assert_recovers(made: SandboxAccount) -> None:
    """Ends the pause, if there is one, and syncs the customer successfully."""
    account = await made.running.client.accounts.get_account(made.account)
    if account.HasField("problem"):
        await made.connection.execute(_PROBE_NOW, made.account, datetime.now(UTC))
        await made.connection.execute(_RESCHEDULE_LANE, made.account)
    await made.hint(501)
    await until_holds(lambda: _as_awaitable(points(made)), lambda found: found == {21: "7", 22: "7"})
    await made.quiet()
    assert (await made.newest("epos_customer_id", 501)).comment == "Successfully Updated"


async def _as_awaitable(value: Any) -> Any:
    return value


@pytest.mark.parametrize("nonsense", OF_CUSTOMERS)
async def test_invalid_till_answer_fails_the_entry_and_changes_neither_shop_nor_link(environment: RaceEnvironment, nonsense: str) -> None:
    async with environment.new_account() as made:
        await two_customers(made)
        fault = made.till.faults.script(method="GET", path="/api/v2/customer/501", times=None, **OF_CUSTOMERS[nonsense])
        await made.hint(501)
        await attempted(made, "Customer Endpoint Point call api failed")
        assert points(made)[21] == "1", "the invalid answer changes nothing in the shop"
        assert (501, 21, True) in await made.links(), "the invalid answer does not break the link"
        fault.cancel()
        await made.hint(502)
        await assert_recovers(made)


@pytest.mark.parametrize("nonsense", INVALID_POINTS)
async def test_invalid_points_are_not_written_and_the_other_values_are(environment: RaceEnvironment, nonsense: str) -> None:
    async with environment.new_account() as made:
        await two_customers(made)
        body = f'{{"CustomerID": 501, "CurrentPoints": {INVALID_POINTS[nonsense]}, "CurrentBalance": 7.25}}'
        answer: dict[str, Any] = {"status": 200, "body": body, **JSON}
        fault = made.till.faults.script(method="GET", path="/api/v2/customer/501", times=None, **answer)
        await made.hint(501)
        await made.shop.wait_for(lambda: made.shop.store.bridge_rows[21].credit == "7.25")
        assert points(made)[21] == "1", "the shop keeps the former points"
        fault.cancel()
        await made.hint(502)
        await assert_recovers(made)


@pytest.mark.parametrize("nonsense", OF_WRITES)
async def test_invalid_shop_answer_fails_the_entry_and_keeps_the_link(environment: RaceEnvironment, nonsense: str) -> None:
    async with environment.new_account() as made:
        await two_customers(made)
        fault = made.shop.faults.script(method="POST", path="*/customers/batch", times=None, **OF_WRITES[nonsense])
        await made.hint(501)
        await attempted(made, "WooCommerce customer not updated")
        assert (501, 21, True) in await made.links()
        fault.cancel()
        await made.hint(502)
        await assert_recovers(made)


@pytest.mark.parametrize("nonsense", [name for name in NONSENSE if name not in ("an empty list",)])
async def test_invalid_search_answer_creates_no_customer(environment: RaceEnvironment, nonsense: str) -> None:
    async with environment.new_account() as made:
        made.till.add_customer(501, email="grace@example.test")
        made.shop.add_customer(21, email="hedy@example.test")
        spoilt = made.till.faults.script(method="GET", path="/api/v2/customer", times=None, **NONSENSE[nonsense])
        await made.order(an_order(woo=21, email="hedy@example.test"))

        async def match() -> Any:
            return await made.match_of(1042)

        found = await until_holds(match, lambda match: match.comment != "")
        assert (found.comment, found.epos_customer_id) == ("Customer Id Not Matched with EPOSNOW", 0)
        assert found.state in (vocabulary_pb2.ENTRY_STATE_PENDING, vocabulary_pb2.ENTRY_STATE_FAILED)
        assert found.notes
        assert made.till.log.count(method="POST") == 0
        assert await made.links() == set()
        spoilt.cancel()


async def test_email_too_long_for_the_till_holds_the_order_and_is_not_cut(environment: RaceEnvironment) -> None:
    long = f"{'a' * 40}@{'b' * 10}.example.test"
    async with environment.new_account() as made:
        made.till.add_customer(501, email=long[:50])
        made.shop.add_customer(21, email=long)
        await made.order(an_order(woo=21, email=long))
        await made.quiet()
        held = await made.match_of(1042)
        assert (held.state, held.comment) == (vocabulary_pb2.ENTRY_STATE_HELD, "Customer Id Not Matched with EPOSNOW")
        assert "longer than 50 characters" in held.notes[0]
        assert made.till.log.count(method="POST") == 0
        assert await made.links() == set()
