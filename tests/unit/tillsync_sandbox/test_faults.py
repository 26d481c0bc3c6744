"""Scripted faults and the request log, tested on the till. The shop uses the same server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from support.sandbox import NEW_V2, Caller, till_caller
from tillsync_sandbox import SandboxTill
from tillsync_sandbox.request_log import Ending

CUSTOMER = "/api/V2/Customer"


@pytest_asyncio.fixture
async def till() -> AsyncIterator[SandboxTill]:
    async with SandboxTill() as running:
        yield running


@pytest_asyncio.fixture
async def call(till: SandboxTill) -> AsyncIterator[Caller]:
    async with till_caller(till) as made:
        yield made


# -- faults


async def test_exactly_the_third_create_loses_its_answer(till: SandboxTill, call: Caller) -> None:
    script = till.faults.script(method="POST", path="/api/v2/customer*", skip=2, disconnect="after")
    statuses: list[int] = []
    for _ in range(4):
        try:
            statuses.append((await call("POST", CUSTOMER, NEW_V2)).status)
        except aiohttp.ServerDisconnectedError:
            statuses.append(0)
        assert (await call("GET", CUSTOMER)).status == 200
    assert statuses == [201, 201, 0, 201]
    assert till.store.customer_count == 4
    assert script.used == 1
    assert [(each.status, each.ending) for each in till.log.matching(method="POST")][2] == (201, Ending.DISCONNECTED)


async def test_disconnect_before_the_request_carries_out_nothing(till: SandboxTill, call: Caller) -> None:
    till.faults.script(method="POST", disconnect="before")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call("POST", CUSTOMER, NEW_V2)
    assert till.store.customer_count == 0
    assert till.log.matching(method="POST")[0].status is None


async def test_scripted_status_replaces_the_answer(till: SandboxTill, call: Caller) -> None:
    till.faults.script(path=f"{CUSTOMER}", status=503, body="later", headers={"Retry-After": "7"}, times=2)
    for _ in range(2):
        reply = await call("POST", CUSTOMER, NEW_V2)
        assert (reply.status, reply.text, reply.headers["Retry-After"]) == (503, "later", "7")
    assert till.store.customer_count == 0
    assert (await call("POST", CUSTOMER, NEW_V2)).status == 201


async def test_scripted_status_can_follow_a_carried_out_request(till: SandboxTill, call: Caller) -> None:
    till.faults.script(method="POST", status=500, carry_out=True)
    assert (await call("POST", CUSTOMER, NEW_V2)).status == 500
    assert till.store.customer_count == 1


async def test_hanging_request_continues_when_released(till: SandboxTill, call: Caller) -> None:
    script = till.faults.script(contains="ada@example.test", hang="before")
    posting = asyncio.create_task(call("POST", CUSTOMER, NEW_V2))
    await script.arrived()
    assert (await call("GET", CUSTOMER)).json == []
    script.release()
    assert (await posting).status == 201


async def test_hanging_request_is_carried_out_after_its_client_left(till: SandboxTill, call: Caller) -> None:
    script = till.faults.script(method="POST", hang="before")
    posting = asyncio.create_task(call("POST", CUSTOMER, NEW_V2))
    await script.arrived()
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    await till.log.wait_for(method="POST", ended=True)
    assert till.store.customer_count == 0
    script.release()
    await till.wait_for(lambda: till.store.customer_count == 1)
    assert till.log.matching(method="POST")[0].ending is Ending.CLIENT_GONE


async def test_hanging_answer_follows_a_carried_out_request(till: SandboxTill, call: Caller) -> None:
    script = till.faults.script(method="POST", hang="after")
    posting = asyncio.create_task(call("POST", CUSTOMER, NEW_V2))
    await till.wait_for(lambda: till.store.customer_count == 1)
    assert not posting.done()
    script.release()
    assert (await posting).status == 201


async def test_truncated_body_ends_early(till: SandboxTill, call: Caller) -> None:
    till.faults.script(method="POST", truncate=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await call("POST", CUSTOMER, NEW_V2)
    assert till.store.customer_count == 1
    assert till.log.matching(method="POST")[0].ending is Ending.TRUNCATED


async def test_delayed_request_waits_before_it_is_served(till: SandboxTill, call: Caller) -> None:
    till.faults.script(method="GET", delay_seconds=0.05)
    began = asyncio.get_running_loop().time()
    assert (await call("GET", CUSTOMER)).status == 200
    assert asyncio.get_running_loop().time() - began >= 0.05


async def test_predicate_and_query_select_the_request(till: SandboxTill, call: Caller) -> None:
    till.faults.script(query={"page": "2"}, status=500)
    till.faults.script(where=lambda request: "page" not in request.query, status=502)
    statuses = [(await call("GET", CUSTOMER + query)).status for query in ("?page=1", "?page=2", "", "")]
    assert statuses == [200, 500, 502, 200]


async def test_cancelled_script_affects_no_request(till: SandboxTill, call: Caller) -> None:
    script = till.faults.script(path="*", status=500, times=None)
    assert [(await call("GET", CUSTOMER)).status for _ in range(3)] == [500] * 3
    script.cancel()
    assert (await call("GET", CUSTOMER)).status == 200
    assert script.used == 3


@pytest.mark.parametrize(
    "fields", [{"times": 0}, {"skip": -1}, {"hang": "never"}, {"disconnect": True}, {"status": 99}, {"delay_seconds": -1}, {"nonsense": 1}]
)
async def test_invalid_script_is_refused(till: SandboxTill, call: Caller, fields: dict[str, object]) -> None:
    (name,) = fields
    with pytest.raises(ValueError, match=name):
        till.faults.script(**fields)  # type: ignore[arg-type]
    reply = await call("POST", "/sandbox/faults", fields)
    assert reply.status == 400
    assert name in reply.json["error"]


async def test_scripted_page_answers_until_cancelled(till: SandboxTill, call: Caller) -> None:
    reply = await call("POST", "/sandbox/faults", {"path": "*", "times": None, "page": "siteground_202"})
    met = await call("GET", CUSTOMER)
    assert (met.status, "sgcaptcha" in met.text) == (202, True)
    assert (await call("DELETE", f"/sandbox/faults/{reply.json['script_id']}")).status == 200
    assert (await call("GET", CUSTOMER)).json == []
    assert (await call("POST", "/sandbox/faults", {"page": "no_such_page"})).status == 400


async def test_scripted_output_precedes_the_real_answer(till: SandboxTill, call: Caller) -> None:
    till.faults.script(path="*", printed_before="<b>Notice</b>: ")
    met = await call("GET", CUSTOMER)
    assert (met.status, met.text) == (200, "<b>Notice</b>: []")


async def test_control_api_scripts_and_cancels_faults(till: SandboxTill, call: Caller) -> None:
    hanging = (await call("POST", "/sandbox/faults", {"method": "POST", "path": "/api/*/customer", "hang": "before"})).json["script_id"]
    failing = (await call("POST", "/sandbox/faults", {"method": "GET", "status": 500, "times": None})).json["script_id"]
    assert (await call("GET", CUSTOMER)).status == 500
    assert (await call("DELETE", f"/sandbox/faults/{failing}")).status == 200
    assert (await call("GET", CUSTOMER)).status == 200
    posting = asyncio.create_task(call("POST", CUSTOMER, NEW_V2))
    shown = (await call("GET", "/sandbox/requests?method=POST&at_least=1&wait_seconds=10")).json["requests"]
    assert [each["ending"] for each in shown] == ["open"]
    assert (await call("POST", f"/sandbox/faults/{hanging}/release")).status == 200
    assert (await posting).status == 201
    assert [script["used"] for script in (await call("GET", "/sandbox/faults")).json["faults"]] == [1, 1]
    assert (await call("DELETE", "/sandbox/faults")).status == 200
    assert (await call("GET", "/sandbox/faults")).json["faults"] == []
    for path in ("/sandbox/faults/99", "/sandbox/nonsense"):
        assert (await call("DELETE", path)).status == 404


async def test_a_used_up_script_that_still_hangs_can_be_released(till: SandboxTill, call: Caller) -> None:
    script_id = (await call("POST", "/sandbox/faults", {"method": "POST", "hang": "before"})).json["script_id"]
    posting = asyncio.create_task(call("POST", CUSTOMER, NEW_V2))
    await till.log.wait_for(method="POST")
    till.faults.script(method="GET", status=500)
    assert (await call("POST", f"/sandbox/faults/{script_id}/release")).status == 200
    assert (await posting).status == 201
    till.faults.script(method="GET", status=500)
    assert (await call("POST", f"/sandbox/faults/{script_id}/release")).status == 404


# -- the log


async def test_request_log_has_order_and_content_without_credentials(till: SandboxTill, call: Caller) -> None:
    await call("GET", f"{CUSTOMER}?page=1&consumer_secret=cs_123", headers={"X-Tillsync-Signature": "v1=abc", "Cookie": "a=b"})
    await call("POST", CUSTOMER, NEW_V2)
    await call("GET", "/sandbox/customers")
    first, second = till.log
    assert (first.number, first.method, first.path, first.status) == (1, "GET", CUSTOMER, 200)
    assert first.query == {"page": "1", "consumer_secret": "[redacted]"}
    assert {first.headers[name] for name in ("authorization", "x-tillsync-signature", "cookie")} == {"[redacted]"}
    assert first.scheme == "Basic"
    assert b"ada@example.test" in second.body
    assert second.time >= first.time
    shown = (await call("GET", "/sandbox/requests")).json
    assert [each["number"] for each in shown["requests"]] == [1, 2]
    assert "sandbox-secret" not in str(shown)
    assert [each["number"] for each in (await call("GET", "/sandbox/requests?after=1")).json["requests"]] == [2]
    assert [each["number"] for each in (await call("GET", "/sandbox/requests?contains=ada@")).json["requests"]] == [2]
    assert (await call("GET", "/sandbox/requests?after=x")).status == 400
    assert (await call("DELETE", "/sandbox/requests")).status == 200
    assert (await call("GET", "/sandbox/requests")).json == {"total": 2, "requests": []}


async def test_request_log_can_wait_for_requests(till: SandboxTill, call: Caller) -> None:
    waiting = asyncio.create_task(till.log.wait_for(2, method="GET", path="/API/V2/*"))
    await call("GET", CUSTOMER)
    await call("POST", CUSTOMER, NEW_V2)
    assert not waiting.done()
    await call("GET", CUSTOMER)
    assert [request.number for request in await waiting] == [1, 3]
    with pytest.raises(TimeoutError):
        await till.log.wait_for(3, method="GET", timeout=0.01)


async def test_request_log_drops_the_oldest_bodies_first(till: SandboxTill, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillsync_sandbox.request_log.MAX_BODY_BYTES", 10)
    for body in (b"123456", b"abcdef"):
        await call("POST", CUSTOMER, body=body)
    assert [request.body for request in till.log] == [b"", b"abcdef"]
