"""CustomerSyncService over a real channel and on the real stores: hints, orders that wait for their answer, and batches by position."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import grpc
import pytest
from support.engine import EngineWorld, RecordingHandler
from support.grpc_server import Refusal, an_order, grpc_world, match_request
from support.waiting import NEVER_SECONDS, until, within
from tillsync.v1 import customer_sync_service_pb2 as sync_pb2
from tillsync.v1 import vocabulary_pb2 as words
from tillsync_server.application.use_cases import order_matching
from tillsync_server.application.use_cases.admission import AdmissionSettings
from tillsync_server.domain.enums import Outcome, ProblemReason, Role, Side
from tillsync_server.domain.ids import AccountId, EposCustomerId
from tillsync_server.domain.verdict import AccountProblem, Verdict
from tillsync_server.ports.lanes import ClaimedEntry

pytestmark = pytest.mark.integration
DUPLICATE = "We could not auto-link the customer as there is more than one customer in EposNow with the same email address."


def matched(entry: ClaimedEntry) -> Verdict:
    return replace(Verdict.finished(Outcome.MATCHED_EMAIL, "linked"), epos_customer_id=EposCustomerId(501))


def held_with_candidates(entry: ClaimedEntry) -> Verdict:
    return Verdict.held(Outcome.DUPLICATE_EMAIL, "two customers", candidate_ids=(EposCustomerId(7), EposCustomerId(9)))


async def test_hint_is_answered_with_its_whole_entry(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        site = await api.token(Role.SITE, "shop-a")
        first = await api.call(
            "CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=7), site
        )
        again = await api.call(
            "CustomerSyncService/SyncCustomer",
            sync_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=7, priority=words.PRIORITY_BULK, force=True),
            site,
        )
        listed = await api.call(
            "CustomerSyncService/ListQueue",
            sync_pb2.ListQueueRequest(account_id="shop-a", queue=words.QUEUE_CUSTOMERS, epos_customer_id=7),
            site,
        )
    entry = first.entry
    row = await world.live("shop-a", 7)
    assert row is not None
    assert (first.coalesced, again.coalesced) == (False, True)
    assert entry.entry_id == again.entry.entry_id == str(row["entry_id"])
    assert (entry.account_id, entry.queue, entry.kind, entry.epos_customer_id) == (
        "shop-a", words.QUEUE_CUSTOMERS, words.ENTRY_KIND_CUSTOMER, 7,
    )  # fmt: skip
    assert (entry.state, entry.outcome, entry.comment, list(entry.notes)) == (words.ENTRY_STATE_PENDING, 0, "", ["waiting"])
    assert (entry.priority, entry.entry_revision, entry.coalesced_count) == (words.PRIORITY_LIVE, 1, 0)
    assert (again.entry.priority, again.entry.entry_revision, again.entry.coalesced_count) == (words.PRIORITY_LIVE, 2, 1)
    assert row["force"]
    assert entry.create_time.ToDatetime(UTC) == again.entry.create_time.ToDatetime(UTC) == row["create_time"]
    assert not entry.HasField("next_attempt_time")
    assert listed.entries[0] == again.entry, "the answer of the enqueue equals the listed entry"


async def test_coalesced_hint_shows_the_last_outcome(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(decide=lambda entry: Verdict.retry(Outcome.WOO_NOT_UPDATED, "refused field: phone", retry_after_seconds=900))
    async with grpc_world(world) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        request = sync_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=7)
        await api.call("CustomerSyncService/SyncCustomer", request, service)
        await world.until_idle()
        again = (await api.call("CustomerSyncService/SyncCustomer", request, service)).entry
    assert (again.outcome, again.comment) == (words.OUTCOME_WOO_NOT_UPDATED, "WooCommerce customer not updated")
    assert "refused field: phone" in again.notes[0]
    assert (again.attempt_count, again.coalesced_count) == (0, 1)
    assert again.next_attempt_time.ToDatetime(UTC) > datetime.now(UTC) + timedelta(minutes=10), "a hint does not shorten a Retry-After"


async def test_entry_of_a_paused_account_names_probe_time_and_problem(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    await world.open_problem("shop-a", Side.TILL, reason=ProblemReason.CREDENTIALS_REFUSED, text="Epos Now refuses the key")
    await world.fetch("UPDATE lane SET till_probe_at = '2199-01-01 14:05+00' RETURNING 1")
    async with grpc_world(world) as api:
        answer = await api.call(
            "CustomerSyncService/SyncCustomer",
            sync_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=7),
            await api.token(Role.SERVICE),
        )
    assert list(answer.entry.notes) == ["paused until 14:05: Epos Now refuses the key"]
    assert answer.entry.next_attempt_time.ToDatetime(UTC) == datetime(2199, 1, 1, 14, 5, tzinfo=UTC)


async def test_customer_type_with_any_action_is_a_hint(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        service = await api.token(Role.SERVICE)
        answers = [
            await api.call(
                "CustomerSyncService/SyncCustomerType",
                sync_pb2.SyncCustomerTypeRequest(account_id="shop-a", epos_customer_type_id=4001, action=action),
                service,
            )
            for action in (words.CUSTOMER_TYPE_ACTION_ADD, words.CUSTOMER_TYPE_ACTION_DELETE, words.CUSTOMER_TYPE_ACTION_UNSPECIFIED)
        ]
    assert [answer.coalesced for answer in answers] == [False, True, True]
    entry = answers[1].entry
    assert (entry.kind, entry.epos_customer_type_id, entry.epos_customer_id) == (words.ENTRY_KIND_CUSTOMER_TYPE, 4001, 0)


async def test_batch_answers_by_position_and_a_bad_item_fails_alone(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        answer = await api.call(
            "CustomerSyncService/BatchSyncCustomers",
            sync_pb2.BatchSyncCustomersRequest(account_id="shop-a", epos_customer_ids=[7, -1, 8, 7, 0]),
            await api.token(Role.SERVICE),
        )
    first, negative, second, repeated, zero = answer.results
    assert [result.ok.entry.epos_customer_id for result in (first, second, repeated)] == [7, 8, 7]
    assert [result.ok.coalesced for result in (first, second, repeated)] == [False, False, True]
    assert first.ok.entry.entry_id == repeated.ok.entry.entry_id
    assert first.ok.entry.priority == words.PRIORITY_BULK
    assert set(Refusal.from_status(negative.error).fields) == {"epos_customer_ids[1]"}
    assert set(Refusal.from_status(zero.error).fields) == {"epos_customer_ids[4]"}
    assert len(await world.fetch("SELECT 1 FROM entry")) == 2


async def test_locked_lane_is_unavailable_alone_and_in_a_batch(world: EngineWorld) -> None:
    await world.add_accounts("busy")
    holder = await asyncpg.connect(world.database.dsn)
    try:
        async with grpc_world(world) as api, holder.transaction():
            service = await api.token(Role.SERVICE)
            await holder.execute("SELECT 1 FROM tillsync.lane FOR UPDATE")
            batch = await api.call(
                "CustomerSyncService/BatchSyncCustomers",
                sync_pb2.BatchSyncCustomersRequest(account_id="busy", epos_customer_ids=[7]),
                service,
            )
            single = await api.refusal(
                "CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(account_id="busy", epos_customer_id=7), service
            )
    finally:
        await holder.close()
    assert Refusal.from_status(batch.results[0].error).reason == single.reason == "ACCOUNT_BUSY"
    assert single.code is grpc.StatusCode.UNAVAILABLE


async def test_full_queue_is_resource_exhausted_with_a_retry_delay(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world, admission=AdmissionSettings(max_waiting_entries=3)) as api:
        service = await api.token(Role.SERVICE)
        for number in range(1, 4):
            await api.call(
                "CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=number), service
            )
        refused = await api.refusal(
            "CustomerSyncService/SyncCustomer", sync_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=4), service
        )
        batch = await api.call(
            "CustomerSyncService/BatchSyncCustomers",
            sync_pb2.BatchSyncCustomersRequest(account_id="shop-a", epos_customer_ids=[4, -5]),
            service,
        )
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WAITING_ENTRIES")
    assert refused.retry_seconds
    assert [Refusal.from_status(result.error).code for result in batch.results] == [
        grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT,
    ]  # fmt: skip
    assert len(await world.fetch("SELECT 1 FROM entry")) == 3


async def test_order_is_answered_when_it_is_processed_with_its_customer(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api, world.running(RecordingHandler(decide=matched)):
        site = await api.token(Role.SITE, "shop-a")
        answer = await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), site)
        again = await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), site)
    assert (answer.entry.state, answer.outcome, answer.comment) == (
        words.ENTRY_STATE_PROCESSED, words.OUTCOME_MATCHED_EMAIL, "Matched by email",
    )  # fmt: skip
    assert (list(answer.notes), answer.epos_customer_id) == (["linked"], 501)
    assert (answer.entry.order_id, answer.entry.order_number, answer.entry.subject_label) == (1042, "1042", "Ada B., order 1042")
    assert "ada@" not in str(answer)
    assert again == answer, "the same facts get the stored answer"


async def test_held_order_is_answered_with_its_candidates(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api, world.running(RecordingHandler(decide=held_with_candidates)):
        answer = await api.call(
            "CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), await api.token(Role.SERVICE)
        )
    assert (answer.entry.state, answer.comment) == (words.ENTRY_STATE_HELD, DUPLICATE)
    assert [candidate.epos_customer_id for candidate in answer.candidates] == [7, 9]


async def test_all_callers_of_one_order_are_answered(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(decide=matched)
    gate = handler.gate(1042)
    async with grpc_world(world) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        calls = [
            asyncio.create_task(api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service))
            for _ in range(20)
        ]
        await handler.wait_for(lambda: handler.count(1042) == 1)
        gate.set()
        answers = await asyncio.gather(*calls)
    assert {answer.epos_customer_id for answer in answers} == {501}
    assert len({answer.entry.entry_id for answer in answers}) == 1
    assert handler.count(1042) == 1


async def test_slow_order_is_answered_pending_before_the_deadline(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call waits until the margin before the deadline. The margin is wide, because an answer takes long on a busy machine."""
    deadline, margin = 5.0, 4.0
    monkeypatch.setattr(order_matching, "ANSWER_MARGIN_SECONDS", margin)
    await world.add_accounts("shop-a")
    handler = RecordingHandler(decide=matched)
    gate = handler.gate(1042)
    async with grpc_world(world) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        started = time.monotonic()
        pending = await api.call(
            "CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service, timeout=deadline
        )
        took = time.monotonic() - started
        gate.set()
        repeated = await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service)
    assert pending.entry.state == words.ENTRY_STATE_PENDING
    assert list(pending.notes) == ["waiting"]
    assert took >= 0.9 * (deadline - margin)
    assert (repeated.entry.entry_id, repeated.epos_customer_id) == (pending.entry.entry_id, 501)


async def test_order_with_a_distant_next_attempt_is_answered_immediately(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt is later than the longest wait for an answer, which is longer than the test's limit."""
    monkeypatch.setattr(order_matching, "MAX_WAIT_SECONDS", NEVER_SECONDS)
    await world.add_accounts("shop-a")
    text = "Epos Now is not reached: DNS"
    problem = AccountProblem(reason=ProblemReason.UNREACHABLE, side=Side.TILL, text=text, retry_after_seconds=2 * NEVER_SECONDS)
    handler = RecordingHandler(decide=lambda entry: Verdict.paused(Outcome.CUSTOMER_NOT_MATCHED, problem))
    async with grpc_world(world) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        request = match_request("shop-a", an_order(1042))
        answer = await within(api.call("CustomerSyncService/MatchOrderCustomer", request, service, timeout=NEVER_SECONDS), world.work)
    assert (answer.entry.state, answer.comment) == (words.ENTRY_STATE_PENDING, "Customer Id Not Matched with EPOSNOW")
    assert re.fullmatch(r"Epos Now is not reached: DNS; next try (\d{4}-\d\d-\d\d )?\d\d:\d\d", answer.notes[0])


async def test_poll_finds_a_finished_order_without_a_notification(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(decide=matched)
    gate = handler.gate(1042)
    async with grpc_world(world) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        call = asyncio.create_task(api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service))
        await handler.wait_for(lambda: handler.count(1042) == 1)
        world.notifications.entry_finished = lambda entry_id: None  # type: ignore[method-assign]
        gate.set()
        answer = await call
    assert answer.epos_customer_id == 501


async def test_refused_waiter_is_too_many_waiters_and_its_order_is_matched(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(decide=matched)
    gate = handler.gate(1)
    async with grpc_world(world, max_waiters_per_account=1) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        waiting = asyncio.create_task(api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1)), service))
        await handler.wait_for(lambda: handler.count(1) == 1)
        refused = await api.refusal("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(2)), service)
        gate.set()
        await waiting
        answer = await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(2)), service)
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WAITERS")
    assert answer.epos_customer_id == 501


async def test_batch_of_orders_does_not_wait_for_answers(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    request = sync_pb2.BatchMatchOrderCustomersRequest(account_id="shop-a")
    request.orders.add(order=an_order(1))
    request.orders.add(order=an_order(2, account_email="x" * 255))
    request.orders.add(order=an_order(3))
    async with grpc_world(world) as api:
        service = await api.token(Role.SERVICE)
        before = (await api.call("CustomerSyncService/BatchMatchOrderCustomers", request, service)).results
        async with world.running(RecordingHandler(decide=matched)):
            await world.until_idle()
        after = (await api.call("CustomerSyncService/BatchMatchOrderCustomers", request, service)).results
    assert [before[0].ok.entry.state, before[2].ok.entry.state] == [words.ENTRY_STATE_PENDING] * 2
    assert set(Refusal.from_status(before[1].error).fields) == {"orders[1].order.account_email"}
    assert [after[0].ok.epos_customer_id, after[2].ok.epos_customer_id] == [501, 501]
    assert after[0].ok.entry.entry_id == before[0].ok.entry.entry_id


async def test_order_matches_are_read_by_position(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        service = await api.token(Role.SERVICE)
        async with world.running(RecordingHandler(decide=held_with_candidates)):
            await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service)
        found, unknown, negative = (
            await api.call(
                "CustomerSyncService/BatchGetOrderMatches",
                sync_pb2.BatchGetOrderMatchesRequest(account_id="shop-a", order_ids=[1042, 5, -1]),
                await api.token(Role.SUPPORT),
            )
        ).results
    assert (found.ok.order_id, found.ok.state, found.ok.comment) == (1042, words.ENTRY_STATE_HELD, DUPLICATE)
    assert (found.ok.woo_customer_id, [one.epos_customer_id for one in found.ok.candidates]) == (12, [7, 9])
    assert Refusal.from_status(unknown.error).code is grpc.StatusCode.NOT_FOUND
    assert Refusal.from_status(negative.error).code is grpc.StatusCode.INVALID_ARGUMENT


async def test_order_is_answered_after_its_history_is_deleted(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    async with grpc_world(world) as api:
        service = await api.token(Role.SERVICE)
        async with world.running(RecordingHandler(decide=matched)):
            first = await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service)
        await world.fetch("DELETE FROM entry_history RETURNING 1")
        again = await api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service)
    assert (again.outcome, again.comment, again.epos_customer_id) == (first.outcome, first.comment, 501)
    assert (again.entry.entry_id, again.entry.order_id, again.entry.state) == (first.entry.entry_id, 1042, words.ENTRY_STATE_PROCESSED)
    assert not again.entry.HasField("create_time")


async def test_unknown_account_is_not_found_in_every_method(world: EngineWorld) -> None:
    requests = {
        "SyncCustomer": sync_pb2.SyncCustomerRequest(account_id="nobody", epos_customer_id=7),
        "BatchSyncCustomers": sync_pb2.BatchSyncCustomersRequest(account_id="nobody", epos_customer_ids=[7]),
        "SyncCustomerType": sync_pb2.SyncCustomerTypeRequest(
            account_id="nobody", epos_customer_type_id=7, action=words.CUSTOMER_TYPE_ACTION_ADD
        ),
        "MatchOrderCustomer": match_request("nobody", an_order()),
        "BatchGetOrderMatches": sync_pb2.BatchGetOrderMatchesRequest(account_id="nobody", order_ids=[7]),
        "ListQueue": sync_pb2.ListQueueRequest(account_id="nobody", queue=words.QUEUE_ORDERS),
    }
    async with grpc_world(world) as api:
        service = await api.token(Role.SERVICE)
        for name, request in requests.items():
            assert (await api.refusal(f"CustomerSyncService/{name}", request, service)).code is grpc.StatusCode.NOT_FOUND, name


async def test_cancelled_caller_does_not_affect_other_callers(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    handler = RecordingHandler(decide=matched)
    gate = handler.gate(1042)
    async with grpc_world(world) as api, world.running(handler):
        service = await api.token(Role.SERVICE)
        staying, leaving = [
            asyncio.create_task(api.call("CustomerSyncService/MatchOrderCustomer", match_request("shop-a", an_order(1042)), service))
            for _ in range(2)
        ]
        await handler.wait_for(lambda: handler.count(1042) == 1)
        waiting = api.matching._waiters._per_account
        await until(lambda: waiting[AccountId("shop-a")] == 2, lambda: waiting)
        leaving.cancel()
        method = "/tillsync.v1.CustomerSyncService/MatchOrderCustomer"
        await until(lambda: api.metrics.ended[method, "CANCELLED"] == 1, lambda: api.metrics.ended)
        gate.set()
        assert (await staying).epos_customer_id == 501


async def test_call_is_unavailable_during_a_database_outage_and_works_afterwards(world: EngineWorld) -> None:
    await world.add_accounts("shop-a")
    request = sync_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=7)
    async with grpc_world(world) as api:
        service = await api.token(Role.SERVICE)
        await api.call("CustomerSyncService/SyncCustomer", request, service)
        acquire = world.database.acquire

        def gone(**_options: bool) -> object:
            raise ConnectionRefusedError

        world.database.acquire = gone  # type: ignore[assignment,method-assign]
        try:
            refused = await api.refusal("CustomerSyncService/SyncCustomer", request, service)
        finally:
            world.database.acquire = acquire  # type: ignore[method-assign]
        back = await api.call("CustomerSyncService/SyncCustomer", request, service)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert back.coalesced
