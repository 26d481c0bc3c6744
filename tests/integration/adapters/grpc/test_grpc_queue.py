"""ListQueue and QueueService over a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.grpc_server import Refusal
from support.links import complete_all, facts_of, put_order
from support.waiting import HANG_SECONDS
from tillsync.v1 import customer_sync_service_pb2, queue_entry_pb2, queue_service_pb2, vocabulary_pb2
from tillsync_server.domain.enums import EntryKind, Outcome, Priority, ProblemReason, Role, Side
from tillsync_server.domain.ids import EntryId, new_entry_id
from tillsync_server.domain.verdict import AccountProblem, Verdict

pytestmark = pytest.mark.integration

Q, V = queue_service_pb2, vocabulary_pb2
ORDERS, CUSTOMERS = V.QUEUE_ORDERS, V.QUEUE_CUSTOMERS
INVALID = grpc.StatusCode.INVALID_ARGUMENT
HELD = Verdict.held(Outcome.DUPLICATE_EMAIL, "customers 1 and 2 have this email")
FAILED = Verdict.failed(Outcome.CUSTOMER_NOT_MATCHED, "refused field: Surname")
DONE = Verdict.finished(Outcome.MATCHED_EMAIL, "linked")


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world) as made:
        await made.add_account()
        yield made


async def add_orders(world: EngineWorld, verdict: Verdict | None, *numbers: int, email: str = "ada@example.test") -> list[EntryId]:
    entries = [await put_order(world, facts_of(number, woo_customer_id=number, email=email)) for number in numbers]
    if verdict is not None:
        await complete_all(world, verdict)
    return entries


def listing(**fields: Any) -> customer_sync_service_pb2.ListQueueRequest:
    return customer_sync_service_pb2.ListQueueRequest(account_id="shop-a", queue=fields.pop("queue", ORDERS), **fields)


async def list_queue(api: ApiHarness, **fields: Any) -> Any:
    return await api.call("CustomerSyncService/ListQueue", listing(**fields))


async def get_entry(api: ApiHarness, entry_id: object) -> Any:
    return (await api.call("QueueService/GetQueueEntry", Q.GetQueueEntryRequest(account_id="shop-a", entry_id=str(entry_id)))).entry


async def retry(api: ApiHarness, **fields: Any) -> Any:
    return await api.call("QueueService/RetryQueueEntries", Q.RetryQueueEntriesRequest(account_id="shop-a", **fields))


async def dismiss(api: ApiHarness, **fields: Any) -> Any:
    return await api.call("QueueService/DismissQueueEntries", Q.DismissQueueEntriesRequest(account_id="shop-a", **fields))


def counts_by_state(answer: Any) -> dict[int, int]:
    return {count.state: count.count for count in answer.previous_state_counts}


async def test_queue_is_listed_newest_first_in_pages_with_live_and_finished_entries(api: ApiHarness, world: EngineWorld) -> None:
    finished = await add_orders(world, DONE, 1, 2, 3)
    live = await add_orders(world, None, 4, 5)
    seen: list[str] = []
    token = ""
    while True:
        page = await list_queue(api, page_size=2, page_token=token)
        seen += [entry.entry_id for entry in page.entries]
        if not (token := page.next_page_token):
            break
    assert seen == [str(each) for each in reversed([*finished, *live])]
    assert (await list_queue(api, queue=CUSTOMERS)).entries == []


async def test_every_filter_finds_its_entries(api: ApiHarness, world: EngineWorld) -> None:
    [held] = await add_orders(world, HELD, 1)
    [failed] = await add_orders(world, FAILED, 2, email="Carl@EXAMPLE.test")
    [pending] = await add_orders(world, None, 3)
    later, earlier = Timestamp(), Timestamp()
    later.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    earlier.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
    for fields, found in (
        ({"states": [V.ENTRY_STATE_HELD]}, [held]),
        ({"states": [V.ENTRY_STATE_HELD, V.ENTRY_STATE_FAILED]}, [failed, held]),
        ({"outcomes": [V.OUTCOME_CUSTOMER_NOT_MATCHED]}, [failed]),
        ({"woo_customer_id": 3}, [pending]),
        ({"order_id": 2}, [failed]),
        ({"email": " carl@example.test "}, [failed]),
        ({"text": "SURNAME"}, [failed]),
        ({"epos_customer_id": 1}, []),
        ({"order_id": 2, "states": [V.ENTRY_STATE_HELD]}, []),
        ({"created_after": later}, []),
        ({"created_before": earlier}, []),
        ({"created_after": earlier, "created_before": later}, [pending, failed, held]),
    ):
        page = await list_queue(api, **fields)
        assert [entry.entry_id for entry in page.entries] == [str(each) for each in found], fields


async def test_full_view_has_attempts_and_emails_are_masked(api: ApiHarness, world: EngineWorld) -> None:
    [held] = await add_orders(world, HELD, 1)
    [basic] = (await list_queue(api)).entries
    [full] = (await list_queue(api, view=queue_entry_pb2.QUEUE_VIEW_FULL)).entries
    assert (len(basic.attempts), len(full.attempts)) == (0, 1)
    got = await get_entry(api, held)
    assert got == full
    assert got.comment == ("We could not auto-link the customer as there is more than one customer in EposNow with the same email address.")
    assert list(got.notes) == ["customers 1 and 2 have this email"]
    assert (got.state, got.outcome, got.order_id, got.woo_customer_id) == (V.ENTRY_STATE_HELD, V.OUTCOME_DUPLICATE_EMAIL, 1, 1)
    assert got.masked_billing_email
    assert "ada@example.test" not in str(got)


async def test_listing_with_counts_has_a_count_for_each_state(api: ApiHarness, world: EngineWorld) -> None:
    await add_orders(world, HELD, 1, 2)
    await add_orders(world, DONE, 3)
    page = await list_queue(api, with_counts=True, states=[V.ENTRY_STATE_FAILED])
    assert {count.state: (count.count, count.capped) for count in page.state_counts} == {
        V.ENTRY_STATE_PENDING: (0, False),
        V.ENTRY_STATE_PROCESSED: (1, False),
        V.ENTRY_STATE_SKIPPED: (0, False),
        V.ENTRY_STATE_HELD: (2, False),
        V.ENTRY_STATE_FAILED: (0, False),
        V.ENTRY_STATE_DISMISSED: (0, False),
    }
    assert len((await list_queue(api)).state_counts) == 0


async def test_listing_has_the_problem_of_the_account(api: ApiHarness, world: EngineWorld) -> None:
    assert not (await list_queue(api)).HasField("problem")
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.TILL, text="Epos Now: not reached: DNS")
    [waiting] = await add_orders(world, Verdict.paused(Outcome.CUSTOMER_NOT_MATCHED, problem), 1)
    page = await list_queue(api)
    assert (page.problem.text, page.problem.side) == ("Epos Now: not reached: DNS", V.SIDE_TILL)
    assert page.problem.oldest_entry_id == str(waiting)
    assert page.problem.since.seconds > 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"queue": 0}, "queue"),
        ({"queue": 7}, "queue"),
        ({"states": [0]}, "states[0]"),
        ({"states": [99]}, "states[0]"),
        ({"states": [1, 2, 3, 4, 5, 6, 1]}, "states"),
        ({"outcomes": [0]}, "outcomes[0]"),
        ({"outcomes": [1] * 15}, "outcomes"),
        ({"order_id": -1}, "order_id"),
        ({"email": "a" * 255}, "email"),
        ({"text": "a"}, "text"),
        ({"text": "a" * 101}, "text"),
        ({"text": "a\nb"}, "text"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "nonsense"}, "page_token"),
        ({"view": 9}, "view"),
        ({"created_after": Timestamp(seconds=2**60)}, "created_after"),
    ],
)
async def test_bad_field_of_a_listing_is_named(api: ApiHarness, fields: dict[str, Any], field: str) -> None:
    refused = await api.refusal("CustomerSyncService/ListQueue", listing(**fields))
    assert (refused.code, list(refused.fields)) == (INVALID, [field])


async def test_page_token_of_another_query_is_refused(api: ApiHarness, world: EngineWorld) -> None:
    await add_orders(world, HELD, 1, 2, 3)
    token = (await list_queue(api, page_size=1)).next_page_token
    assert len((await list_queue(api, page_size=9, page_token=token, view=queue_entry_pb2.QUEUE_VIEW_FULL)).entries) == 2
    for other in ({"states": [V.ENTRY_STATE_HELD]}, {"queue": CUSTOMERS}, {"with_counts": True}, {"email": "ada@example.test"}):
        refused = await api.refusal("CustomerSyncService/ListQueue", listing(page_token=token, **other))
        assert (refused.code, refused.reason, list(refused.fields)) == (INVALID, "PAGE_TOKEN_INVALID", ["page_token"])


async def test_missing_entry_is_not_found(api: ApiHarness, world: EngineWorld) -> None:
    await api.add_account("shop-b", till_id="till-b")
    [theirs] = [await put_order(world, facts_of(1), "shop-b")]
    for entry_id in (str(new_entry_id()), str(theirs), "no id", "x" * 2000):
        refused = await api.refusal("QueueService/GetQueueEntry", Q.GetQueueEntryRequest(account_id="shop-a", entry_id=entry_id))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ENTRY_NOT_FOUND")
    refused = await api.refusal("QueueService/GetQueueEntry", Q.GetQueueEntryRequest(account_id="nobody", entry_id="x"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ACCOUNT_NOT_FOUND")


async def test_named_entries_are_requeued_and_failures_are_listed_by_id(api: ApiHarness, world: EngineWorld) -> None:
    [held] = await add_orders(world, HELD, 1)
    [failed] = await add_orders(world, FAILED, 2)
    [processed] = await add_orders(world, DONE, 3)
    hint = await world.hint("shop-a", 90001, kind=EntryKind.CUSTOMER)
    await complete_all(world, Verdict.finished(Outcome.UPDATED))
    live_hint = await world.hint("shop-a", 90001, kind=EntryKind.CUSTOMER)
    named = [str(each) for each in (held, failed, processed, hint.entry_id)] + ["no id"]
    planned = await retry(api, entry_ids=named, validate_only=True)
    assert {(entry.entry_id, entry.state) for entry in planned.entries} == {
        (str(held), V.ENTRY_STATE_HELD),
        (str(failed), V.ENTRY_STATE_FAILED),
        (str(hint.entry_id), V.ENTRY_STATE_PROCESSED),
    }
    done = await retry(api, entry_ids=named)
    for answer in (planned, done):
        assert (answer.affected_count, answer.coalesced_count, answer.unchanged_count) == (2, 1, 1)
        assert counts_by_state(answer) == {V.ENTRY_STATE_HELD: 1, V.ENTRY_STATE_FAILED: 1, V.ENTRY_STATE_PROCESSED: 1}
        failures = {failure.entry_id: Refusal.from_status(failure.error) for failure in answer.failures}
        assert {key: (each.code, each.reason) for key, each in failures.items()} == {
            str(processed): (grpc.StatusCode.FAILED_PRECONDITION, "STATE_DOES_NOT_ALLOW"),
            "no id": (grpc.StatusCode.NOT_FOUND, "ENTRY_NOT_FOUND"),
        }
        assert answer.next_continuation_token == ""
    now = {entry.order_id or entry.epos_customer_id: entry for entry in done.entries}
    assert (now[1].entry_id, now[1].state) == (str(held), V.ENTRY_STATE_PENDING)
    assert (now[2].retried_from, now[2].state) == (str(failed), V.ENTRY_STATE_PENDING)
    assert now[90001].entry_id == str(live_hint.entry_id)
    assert (await get_entry(api, processed)).state == V.ENTRY_STATE_PROCESSED


async def test_filter_is_requeued_in_chunks_of_500(api: ApiHarness, world: EngineWorld) -> None:
    await world.hint_many("shop-a", range(1, 1202), Priority.BULK)
    for _ in range(2):  # each call completes at most 1,000 entries
        await complete_all(world, Verdict.failed(Outcome.WOO_NOT_UPDATED, "refused field: phone"))
    chosen = queue_entry_pb2.QueueFilter(queue=CUSTOMERS, outcomes=[V.OUTCOME_WOO_NOT_UPDATED])
    planned = await retry(api, filter=chosen, validate_only=True)
    assert (planned.affected_count, planned.next_continuation_token, len(planned.entries)) == (1201, "", 100)
    assert counts_by_state(planned) == {V.ENTRY_STATE_FAILED: 1201}
    [live] = await world.fetch("SELECT count(*) AS n FROM entry")
    assert live["n"] == 0
    affected, token = [], ""
    while True:
        answer = await retry(api, filter=chosen, continuation_token=token)
        affected.append(answer.affected_count)
        assert len(answer.entries) == 100
        if not (token := answer.next_continuation_token):
            break
    assert affected == [500, 500, 201]
    [live] = await world.fetch("SELECT count(*) AS n, count(retried_from) AS retried FROM entry")
    assert (live["n"], live["retried"]) == (1201, 1201)


async def test_entries_are_dismissed_with_a_reason(api: ApiHarness, world: EngineWorld) -> None:
    [held] = await add_orders(world, HELD, 1)
    [failed] = await add_orders(world, FAILED, 2)
    [processed] = await add_orders(world, DONE, 3)
    everything = queue_entry_pb2.QueueFilter(queue=ORDERS)
    planned = await dismiss(api, filter=everything, validate_only=True)
    done = await dismiss(api, filter=everything, reason="sold over the counter")
    for answer in (planned, done):
        assert (answer.affected_count, answer.unchanged_count) == (2, 1)
        assert counts_by_state(answer) == {V.ENTRY_STATE_HELD: 1, V.ENTRY_STATE_FAILED: 1}
        assert list(answer.failures) == []
    assert {entry.state for entry in done.entries} == {V.ENTRY_STATE_DISMISSED}
    for each in (held, failed):
        assert (await get_entry(api, each)).notes[0] == "sold over the counter"
    repeated = await dismiss(api, entry_ids=[str(held), str(processed)])
    assert (repeated.affected_count, repeated.unchanged_count, len(repeated.failures)) == (0, 2, 2)
    [other] = await add_orders(world, HELD, 4)
    await dismiss(api, entry_ids=[str(other)])
    assert (await get_entry(api, other)).notes[0] == "closed by hand"


async def test_bad_requests_to_requeue_or_dismiss_name_the_field(api: ApiHarness, world: EngineWorld) -> None:
    await world.hint_many("shop-a", range(1, 502), Priority.BULK)
    chosen = queue_entry_pb2.QueueFilter(queue=CUSTOMERS)
    token = (await dismiss(api, filter=chosen)).next_continuation_token
    assert token
    for fields, field in (
        ({}, "entry_ids"),
        ({"entry_ids": ["x"], "filter": chosen}, "entry_ids"),
        ({"entry_ids": ["x"] * 501}, "entry_ids"),
        ({"entry_ids": ["x"], "continuation_token": token}, "continuation_token"),
        ({"filter": queue_entry_pb2.QueueFilter()}, "filter.queue"),
        ({"filter": queue_entry_pb2.QueueFilter(queue=CUSTOMERS, text="a")}, "filter.text"),
        ({"filter": queue_entry_pb2.QueueFilter(queue=CUSTOMERS, states=[0])}, "filter.states[0]"),  # type: ignore[list-item]
        ({"filter": chosen, "continuation_token": token}, "continuation_token"),
    ):
        request = Q.RetryQueueEntriesRequest(account_id="shop-a", **fields)
        refused = await api.refusal("QueueService/RetryQueueEntries", request)
        assert (refused.code, list(refused.fields)) == (INVALID, [field]), fields
    long = Q.DismissQueueEntriesRequest(account_id="shop-a", filter=chosen, reason="x" * 201)
    assert list((await api.refusal("QueueService/DismissQueueEntries", long)).fields) == ["reason"]
    assert (await dismiss(api, filter=chosen, continuation_token=token)).affected_count == 1


async def test_support_may_requeue_but_not_dismiss_and_watch_is_unimplemented(api: ApiHarness, world: EngineWorld) -> None:
    [held] = await add_orders(world, HELD, 1)
    support = await api.grpc.token(Role.SUPPORT)
    request = Q.RetryQueueEntriesRequest(account_id="shop-a", entry_ids=[str(held)])
    assert (await api.call("QueueService/RetryQueueEntries", request, support)).affected_count == 1
    dismissal = Q.DismissQueueEntriesRequest(account_id="shop-a", entry_ids=[str(held)])
    assert (await api.refusal("QueueService/DismissQueueEntries", dismissal, support)).code is grpc.StatusCode.PERMISSION_DENIED
    stream = api.grpc.stub("QueueService").WatchQueue(
        Q.WatchQueueRequest(account_id="shop-a"), metadata=tuple(api.admin), timeout=HANG_SECONDS
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stream.read()
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
