"""Codes that a later release stored. This release reads them as numbers, no call fails, and no rule matches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.links import complete_all, facts_of, put_order
from support.queues import add_finished
from tillsync.v1 import (
    account_service_pb2,
    customer_sync_service_pb2,
    link_service_pb2,
    privacy_service_pb2,
    queue_service_pb2,
    vocabulary_pb2,
)
from tillsync_cli.output import code_name
from tillsync_server.domain.enums import EntryKind, EntryState, Outcome, Side
from tillsync_server.domain.link import LinkOrigin
from tillsync_server.domain.verdict import Verdict

pytestmark = pytest.mark.integration

TOMORROW = 90
"""No code of this release."""
ORDER = 1042


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    """An account whose entry, answer, link, problem and warning have codes of a later release. That release widened the tables' checks."""
    async with api_harness(world) as made:
        await made.add_account()
        entry_id = await put_order(world, facts_of(ORDER, woo_customer_id=12, email="ada@example.test"))
        await complete_all(world, Verdict.held(Outcome.DUPLICATE_EMAIL, "customers 1 and 2 have this email"))
        await add_finished(world, "shop-a", 7)
        await world.fetch("INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ('shop-a', 31, 12, 1)")
        await drop_checks(world)
        for statement in (
            f"UPDATE entry SET outcome = {TOMORROW}, cause = {TOMORROW}, kind = kind WHERE entry_id = '{entry_id}'",
            f"UPDATE order_match SET outcome = {TOMORROW}, cause = {TOMORROW}",
            f"UPDATE entry_history SET outcome = {TOMORROW}, priority = {TOMORROW}",
            f"UPDATE link SET origin = {TOMORROW}, ground = {TOMORROW}",
            "UPDATE lane SET shop_probe_at = now() + interval '1 hour'",
            f"INSERT INTO account_side (account_id, side, problem_reason, problem_text, problem_since) "
            f"VALUES ('shop-a', 2, {TOMORROW}, 'told by a later release', now())",
            f"INSERT INTO stray_output (account_id, route, kind, plugin, first_time, last_time) "
            f"VALUES ('shop-a', 'status', {TOMORROW}, 'loyal-friends', now(), now())",
        ):
            await world.fetch(statement)
        yield made


async def drop_checks(world: EngineWorld) -> None:
    rows = await world.fetch(
        "SELECT conrelid::regclass::text AS name, conname FROM pg_constraint "
        "WHERE contype = 'c' AND connamespace = current_schema()::regnamespace AND coninhcount = 0"
    )
    for row in rows:
        await world.fetch(f'ALTER TABLE {row["name"]} DROP CONSTRAINT "{row["conname"]}"')


def listing(queue: Any, **fields: Any) -> customer_sync_service_pb2.ListQueueRequest:
    return customer_sync_service_pb2.ListQueueRequest(account_id="shop-a", queue=queue, **fields)


async def test_lists_and_answers_show_outcomes_of_a_later_release_as_numbers(api: ApiHarness) -> None:
    orders = await api.call("CustomerSyncService/ListQueue", listing(vocabulary_pb2.QUEUE_ORDERS))
    assert [entry.outcome for entry in orders.entries] == [TOMORROW]
    assert orders.entries[0].comment, "the comment is stored beside the code"
    assert list(orders.entries[0].causes) == [TOMORROW]
    customers = await api.call("CustomerSyncService/ListQueue", listing(vocabulary_pb2.QUEUE_CUSTOMERS))
    assert [(entry.outcome, entry.priority) for entry in customers.entries] == [(TOMORROW, TOMORROW)]
    got = await api.call(
        "QueueService/GetQueueEntry", queue_service_pb2.GetQueueEntryRequest(account_id="shop-a", entry_id=orders.entries[0].entry_id)
    )
    assert got.entry.outcome == TOMORROW
    matches = await api.call(
        "CustomerSyncService/BatchGetOrderMatches",
        customer_sync_service_pb2.BatchGetOrderMatchesRequest(account_id="shop-a", order_ids=[ORDER]),
    )
    assert matches.results[0].ok.outcome == TOMORROW


async def test_account_shows_a_problem_and_a_warning_of_a_later_release(api: ApiHarness) -> None:
    account = (await api.call("AccountService/GetAccount", account_service_pb2.GetAccountRequest(account_id="shop-a"))).account
    assert [(problem.reason, problem.text) for problem in account.problems] == [(TOMORROW, "told by a later release")]
    (warning,) = account.warnings
    assert warning.text == (
        "The shop's answers are not only data: other text stands around the data (it names loyal-friends). They are read all the same."
    )
    await api.call("AccountService/CheckAccount", account_service_pb2.CheckAccountRequest(account_id="shop-a"))


async def test_links_and_exports_show_codes_of_a_later_release(api: ApiHarness) -> None:
    links = await api.call("LinkService/ListLinks", link_service_pb2.ListLinksRequest(account_id="shop-a"))
    assert [(link.origin, link.ground) for link in links.links] == [(TOMORROW, TOMORROW)]
    person = privacy_service_pb2.ExportPersonRequest(account_id="shop-a", person=privacy_service_pb2.Person(epos_customer_id=31))
    exported = await api.call("PrivacyService/ExportPerson", person)
    assert str(TOMORROW) in str(exported)


async def test_retry_of_an_entry_with_a_later_outcome_requeues_it(api: ApiHarness) -> None:
    entry_id = (await api.call("CustomerSyncService/ListQueue", listing(vocabulary_pb2.QUEUE_ORDERS))).entries[0].entry_id
    request = queue_service_pb2.RetryQueueEntriesRequest(account_id="shop-a", entry_ids=[entry_id])
    await api.call("QueueService/RetryQueueEntries", request)
    orders = await api.call("CustomerSyncService/ListQueue", listing(vocabulary_pb2.QUEUE_ORDERS))
    assert [entry.state for entry in orders.entries] == [EntryState.PENDING]


@pytest.mark.catches("codes-of-later-releases-are-readable")
def test_unknown_code_equals_no_code_of_this_release() -> None:
    later = Outcome(TOMORROW)
    assert (later.name, int(later), later.name in Outcome.__members__) == (str(TOMORROW), TOMORROW, False)
    assert later not in list(Outcome)
    assert Outcome(1).name in Outcome.__members__
    assert EntryKind(TOMORROW) != EntryKind.CUSTOMER
    assert LinkOrigin(TOMORROW).name == str(TOMORROW)
    for refused in (0, -1):
        with pytest.raises(ValueError, match="is not a valid Side"):
            Side(refused)


def test_command_line_shows_an_unknown_code_as_its_number() -> None:
    assert code_name(vocabulary_pb2.EntryState, TOMORROW) == str(TOMORROW)
    assert code_name(vocabulary_pb2.EntryState, vocabulary_pb2.ENTRY_STATE_HELD) == "ENTRY_STATE_HELD"
