"""LinkService over a real channel: links by hand, candidates, searches at the till, and decisions about held orders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from support.api_harness import ApiHarness, api_harness
from support.engine import EngineWorld
from support.grpc_server import Refusal
from support.links import complete_all, epos, facts_of, put_order
from tillsync.v1 import account_pb2, account_service_pb2, link_pb2, link_service_pb2, queue_service_pb2, vocabulary_pb2
from tillsync_sandbox.till import EmailMatch, LimitMode
from tillsync_server.application.use_cases import till_lookup
from tillsync_server.domain.enums import EntryKind, Outcome, Role
from tillsync_server.domain.ids import EntryId, new_entry_id
from tillsync_server.domain.verdict import Verdict

pytestmark = pytest.mark.integration

L = link_service_pb2
PENDING, HELD = vocabulary_pb2.ENTRY_STATE_PENDING, vocabulary_pb2.ENTRY_STATE_HELD
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest_asyncio.fixture
async def api(world: EngineWorld) -> AsyncIterator[ApiHarness]:
    async with api_harness(world) as made:
        await made.add_account(default_epos_customer_id=7)
        yield made


async def create_link(api: ApiHarness, till_customer: int, shop_customer: int) -> Any:
    request = L.CreateLinkRequest(account_id="shop-a", epos_customer_id=till_customer, woo_customer_id=shop_customer)
    return await api.call("LinkService/CreateLink", request)


async def add_held_orders(
    world: EngineWorld, *orders: int, candidates: tuple[int, ...] = (), woo_customer_id: int | None = 12
) -> list[EntryId]:
    entries = [
        await put_order(world, facts_of(order, woo_customer_id=woo_customer_id, account_email="ada@example.test")) for order in orders
    ]
    ids = tuple(epos(each) for each in candidates)
    await complete_all(world, Verdict.held(Outcome.DUPLICATE_EMAIL, "more than one customer has this email", candidate_ids=ids))
    return entries


async def get_entry(api: ApiHarness, entry_id: object) -> Any:
    request = queue_service_pb2.GetQueueEntryRequest(account_id="shop-a", entry_id=str(entry_id))
    return (await api.call("QueueService/GetQueueEntry", request)).entry


async def list_candidates(api: ApiHarness, entry_id: object) -> Any:
    return await api.call("LinkService/ListCandidates", L.ListCandidatesRequest(account_id="shop-a", entry_id=str(entry_id)))


async def search(api: ApiHarness, query: str, page_size: int = 0) -> Any:
    request = L.SearchEposCustomersRequest(account_id="shop-a", query=query, page_size=page_size)
    return await api.call("LinkService/SearchEposCustomers", request)


def ids(answer: Any) -> list[int]:
    return [customer.epos_customer_id for customer in answer.customers]


async def test_link_by_hand_syncs_the_customer_and_requeues_its_held_orders(api: ApiHarness, world: EngineWorld) -> None:
    first, second = await add_held_orders(world, 1001, 1002)
    made = await create_link(api, 90001, 12)
    assert made.released_order_count == 2
    assert (made.link.epos_customer_id, made.link.woo_customer_id, made.link.usable) == (90001, 12, True)
    assert made.link.origin == link_pb2.LINK_ORIGIN_BY_HAND
    assert not made.link.HasField("as_of")
    sync = await get_entry(api, made.refresh_entry_id)
    assert (sync.kind, sync.epos_customer_id, sync.priority) == (
        vocabulary_pb2.ENTRY_KIND_CUSTOMER,
        90001,
        vocabulary_pb2.PRIORITY_LIVE,
    )
    assert [(await get_entry(api, each)).state for each in (first, second)] == [PENDING, PENDING]
    repeated = await create_link(api, 90001, 12)
    assert repeated.link == made.link


async def test_linked_customer_and_default_customer_cannot_be_linked(api: ApiHarness) -> None:
    await create_link(api, 90001, 12)
    for till_customer, shop_customer, code, reason in (
        (90001, 13, grpc.StatusCode.ALREADY_EXISTS, "EPOS_CUSTOMER_LINKED"),
        (90002, 12, grpc.StatusCode.ALREADY_EXISTS, "WOO_CUSTOMER_LINKED"),
        (7, 14, grpc.StatusCode.FAILED_PRECONDITION, "DEFAULT_CUSTOMER"),
    ):
        request = L.CreateLinkRequest(account_id="shop-a", epos_customer_id=till_customer, woo_customer_id=shop_customer)
        refused = await api.refusal("LinkService/CreateLink", request)
        assert (refused.code, refused.reason) == (code, reason)
    refused = await api.refusal("LinkService/CreateLink", L.CreateLinkRequest(account_id="shop-a", epos_customer_id=-1))
    assert (refused.code, set(refused.fields)) == (INVALID, {"epos_customer_id", "woo_customer_id"})


async def test_links_are_read_by_either_customer_and_listed_in_pages(api: ApiHarness, world: EngineWorld) -> None:
    for number in (3, 1, 2):
        await create_link(api, 90000 + number, 10 + number)
    by_till = await api.call("LinkService/GetLink", L.GetLinkRequest(account_id="shop-a", epos_customer_id=90002))
    by_shop = await api.call("LinkService/GetLink", L.GetLinkRequest(account_id="shop-a", woo_customer_id=12))
    assert by_till == by_shop
    first = await api.call("LinkService/ListLinks", L.ListLinksRequest(account_id="shop-a", page_size=2))
    second = await api.call("LinkService/ListLinks", L.ListLinksRequest(account_id="shop-a", page_size=2, page_token=first.next_page_token))
    assert [[link.epos_customer_id for link in page.links] for page in (first, second)] == [[90001, 90002], [90003]]
    assert second.next_page_token == ""
    await world.fetch("UPDATE link SET epos_gone_at = now() WHERE epos_customer_id = 90002")
    broken = await api.call("LinkService/ListLinks", L.ListLinksRequest(account_id="shop-a", broken_only=True))
    assert [(link.epos_customer_id, link.usable, link.HasField("epos_gone_time")) for link in broken.links] == [(90002, False, True)]
    filtered = await api.call("LinkService/ListLinks", L.ListLinksRequest(account_id="shop-a", woo_customer_id=13))
    assert [link.epos_customer_id for link in filtered.links] == [90003]


async def test_bad_link_requests_name_the_field(api: ApiHarness) -> None:
    await create_link(api, 90001, 11)
    await create_link(api, 90002, 12)
    token = (await api.call("LinkService/ListLinks", L.ListLinksRequest(account_id="shop-a", page_size=1))).next_page_token
    request: Message
    for method, request, field in (
        ("ListLinks", L.ListLinksRequest(account_id="shop-a", page_size=-1), "page_size"),
        ("ListLinks", L.ListLinksRequest(account_id="shop-a", epos_customer_id=-1), "epos_customer_id"),
        ("ListLinks", L.ListLinksRequest(account_id="shop-a", broken_only=True, page_token=token), "page_token"),
        ("GetLink", L.GetLinkRequest(account_id="shop-a"), "customer"),
        ("GetLink", L.GetLinkRequest(account_id="shop-a", woo_customer_id=0), "woo_customer_id"),
        ("DeleteLink", L.DeleteLinkRequest(account_id="shop-a"), "customer"),
        ("SearchEposCustomers", L.SearchEposCustomersRequest(account_id="shop-a"), "query"),
        ("SearchEposCustomers", L.SearchEposCustomersRequest(account_id="shop-a", query="x" * 255), "query"),
        ("SearchEposCustomers", L.SearchEposCustomersRequest(account_id="shop-a", query="x", page_size=-1), "page_size"),
        ("ResolveOrderCustomer", L.ResolveOrderCustomerRequest(account_id="shop-a", entry_id="x"), "epos_customer_id"),
    ):
        refused = await api.refusal(f"LinkService/{method}", request)
        assert (refused.code, list(refused.fields)) == (INVALID, [field]), method
    for method, request in (
        ("GetLink", L.GetLinkRequest(account_id="shop-a", woo_customer_id=99)),
        ("DeleteLink", L.DeleteLinkRequest(account_id="shop-a", epos_customer_id=99)),
        ("ListLinks", L.ListLinksRequest(account_id="nobody")),
        ("ListCandidates", L.ListCandidatesRequest(account_id="shop-a", entry_id="no id")),
        ("ListCandidates", L.ListCandidatesRequest(account_id="shop-a", entry_id=str(new_entry_id()))),
    ):
        assert (await api.refusal(f"LinkService/{method}", request)).code is grpc.StatusCode.NOT_FOUND, method


async def test_deleted_link_is_returned_and_its_removal_is_enqueued(api: ApiHarness) -> None:
    made = await create_link(api, 90001, 12)
    removed = await api.call("LinkService/DeleteLink", L.DeleteLinkRequest(account_id="shop-a", woo_customer_id=12))
    assert removed.link == made.link
    assert (await get_entry(api, removed.removal_entry_id)).epos_customer_id == 90001
    missing = await api.refusal("LinkService/GetLink", L.GetLinkRequest(account_id="shop-a", epos_customer_id=90001))
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "LINK_NOT_FOUND")


async def test_candidates_have_their_present_values_of_the_till(api: ApiHarness, world: EngineWorld) -> None:
    api.till.add_customer(90001, email="ada@example.test", card_number="C-1", points="12.50", balance="-3.5")
    api.till.add_customer(90002, email="ada@example.test", forename="Anne", surname=None)
    await create_link(api, 90002, 55)
    [held_entry] = await add_held_orders(world, 1001, candidates=(90001, 90002, 90003))
    answer = await list_candidates(api, held_entry)
    assert answer.entry.state == HELD
    assert "ada@example.test" not in str(answer)
    first, second = answer.candidates
    assert (first.epos_customer_id, first.name, first.card_number) == (90001, "Ada Byron", "C-1")
    assert (first.points, first.balance, first.sign_up_date) == ("12.5", "-3.50", "2024-05-01T09:30:00")
    assert first.masked_email
    assert (first.linked_woo_customer_id, second.linked_woo_customer_id) == (0, 55)
    assert (second.epos_customer_id, second.name) == (90002, "Anne")


async def test_only_a_held_order_has_candidates(api: ApiHarness, world: EngineWorld) -> None:
    hint = await world.hint("shop-a", 90001, kind=EntryKind.CUSTOMER)
    pending = await put_order(world, facts_of(1001))
    for entry_id, reason in ((hint.entry_id, "NOT_AN_ORDER"), (pending, "ORDER_NOT_HELD")):
        refused = await api.refusal("LinkService/ListCandidates", L.ListCandidatesRequest(account_id="shop-a", entry_id=str(entry_id)))
        assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, reason)


async def test_unreadable_till_is_unavailable_and_a_limit_has_a_retry_delay(api: ApiHarness, world: EngineWorld) -> None:
    [held_entry] = await add_held_orders(world, 1001, candidates=(90001,))
    request = L.ListCandidatesRequest(account_id="shop-a", entry_id=str(held_entry))
    api.till.switches.update({"wrong_address": True})
    refused = await api.refusal("LinkService/ListCandidates", request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "TILL_UNAVAILABLE")
    assert "base address" in refused.message
    api.till.switches.update({"wrong_address": False, "limit": LimitMode.TOO_MANY.value, "limit_requests": 0})
    refused = await api.refusal("LinkService/ListCandidates", request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TILL_BUDGET_USED_UP")
    assert refused.retry_seconds is not None
    assert refused.retry_seconds > 0


async def test_till_is_searched_by_id_email_and_name(api: ApiHarness) -> None:
    api.till.add_customer(90001, email="Ada@Example.test")
    api.till.add_customer(90002, email="not-ada@example.test", forename="Anne")
    api.till.add_customer(90003, email="carl@example.test", forename="Carl", surname="van der Berg")
    assert ids(await search(api, "90001")) == [90001]
    assert ids(await search(api, "90009")) == []
    assert ids(await search(api, " ada@EXAMPLE.test")) == [90001]
    assert ids(await search(api, "nobody@example.test")) == []
    assert ids(await search(api, "Byron")) == [90001, 90002]
    assert ids(await search(api, "Anne Byron")) == [90002]
    assert ids(await search(api, "van der Berg")) == [90003]
    narrow = await search(api, "Byron", 1)
    assert (ids(narrow), narrow.truncated) == ([90001], True)
    api.till.switches.email_match = EmailMatch.CONTAINS
    api.till.add_customer(90004, email="Ada <ada@example.test>")
    assert ids(await search(api, "ada@example.test")) == [90001, 90004], "a search also shows customers with another spelling of the email"


async def test_search_takes_turns_of_the_tills_allowance_until_it_is_used_up(api: ApiHarness) -> None:
    """The till allows a request a second, and a search refuses a turn that is ten seconds away. The harness does not sleep until a turn."""
    api.till.add_customer(90001, email="ada@example.test")
    request = account_service_pb2.UpdateAccountRequest(
        account_id="shop-a", account=account_pb2.Account(epos=account_pb2.EposSettings(requests_per_minute=60))
    )
    request.update_mask.paths.append("epos.requests_per_minute")
    await api.call("AccountService/UpdateAccount", request)
    found, refused = 0, None
    while refused is None and found < 30:
        try:
            assert ids(await search(api, "90001")) == [90001]
            found += 1
        except grpc.aio.AioRpcError as error:
            refused = Refusal.of(error)
    assert refused is not None
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TILL_BUDGET_USED_UP")
    assert refused.retry_seconds is not None
    assert refused.retry_seconds > 0
    assert 9 <= found <= 20
    assert api.till.log.total == found, "a search without a turn sends no request"


async def test_search_ends_when_the_till_does_not_answer(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(till_lookup, "LOOKUP_SECONDS", 0.2)
    hang = api.till.faults.script(path="*", hang="before", times=None)
    refused = await api.refusal("LinkService/SearchEposCustomers", L.SearchEposCustomersRequest(account_id="shop-a", query="90001"))
    hang.cancel()
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "TILL_TOO_SLOW")


async def test_search_works_with_api_version_4(api: ApiHarness) -> None:
    api.till.add_customer(90001, email="ada@example.test")
    fields = ["epos.customer_api_version"]
    account = account_pb2.Account(epos=account_pb2.EposSettings(customer_api_version=account_pb2.TILL_API_VERSION_V4))
    request = account_service_pb2.UpdateAccountRequest(account_id="shop-a", account=account)
    request.update_mask.paths.extend(fields)
    await api.call("AccountService/UpdateAccount", request)
    for query in ("90001", "ada@example.test"):
        assert ids(await search(api, query)) == [90001]


async def test_ignored_filter_of_the_till_is_a_failed_precondition(api: ApiHarness) -> None:
    for number in range(3):
        api.till.add_customer(email=f"c{number}@example.test", forename=f"F{number}", surname=f"S{number}")
    api.till.switches.email_match = EmailMatch.IGNORED
    for query in ("c1@example.test", "S1"):
        refused = await api.refusal("LinkService/SearchEposCustomers", L.SearchEposCustomersRequest(account_id="shop-a", query=query))
        assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TILL_FILTER_IGNORED")


async def test_resolution_of_an_order_requeues_the_customers_other_orders(api: ApiHarness, world: EngineWorld) -> None:
    api.till.add_customer(90001, email="ada@example.test")
    first, second = await add_held_orders(world, 1001, 1002)
    request = L.ResolveOrderCustomerRequest(account_id="shop-a", entry_id=str(first), epos_customer_id=90001, create_link=True)
    answer = await api.call("LinkService/ResolveOrderCustomer", request)
    assert (answer.entry.entry_id, answer.entry.state, answer.released_order_count) == (str(first), PENDING, 1)
    assert (answer.link.epos_customer_id, answer.link.woo_customer_id) == (90001, 12)
    assert (await get_entry(api, second)).state == PENDING


async def test_orders_of_a_guest_are_resolved_without_a_link(api: ApiHarness, world: EngineWorld) -> None:
    api.till.add_customer(90001, email="ada@example.test")
    first, _ = await add_held_orders(world, 1001, 1002, woo_customer_id=None)
    request = L.ResolveOrderCustomerRequest(account_id="shop-a", entry_id=str(first), epos_customer_id=90001, create_link=True)
    refused = await api.refusal("LinkService/ResolveOrderCustomer", request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "GUEST_CANNOT_BE_LINKED")
    request.create_link = False
    answer = await api.call("LinkService/ResolveOrderCustomer", request)
    assert (answer.entry.state, answer.released_order_count, answer.HasField("link")) == (PENDING, 1, False)
    repeated = await api.call("LinkService/ResolveOrderCustomer", request)
    assert (repeated.entry, repeated.released_order_count, repeated.HasField("link")) == (answer.entry, 0, False)
    api.till.add_customer(90002)
    request.epos_customer_id = 90002
    changed = await api.refusal("LinkService/ResolveOrderCustomer", request)
    assert (changed.code, changed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_HELD")


async def test_order_is_not_resolved_to_a_missing_till_customer(api: ApiHarness, world: EngineWorld) -> None:
    api.till.add_customer(90001)
    [held_entry] = await add_held_orders(world, 1001)
    request = L.ResolveOrderCustomerRequest(account_id="shop-a", entry_id=str(held_entry), epos_customer_id=90009)
    refused = await api.refusal("LinkService/ResolveOrderCustomer", request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "EPOS_CUSTOMER_NOT_FOUND")
    assert (await get_entry(api, held_entry)).state == HELD


async def test_resolution_of_a_failed_order_creates_a_successor(api: ApiHarness, world: EngineWorld) -> None:
    api.till.add_customer(90001)
    failed = await put_order(world, facts_of(1001, woo_customer_id=12))
    await complete_all(world, Verdict.failed(Outcome.CUSTOMER_NOT_MATCHED, "refused field: Surname"))
    request = L.ResolveOrderCustomerRequest(account_id="shop-a", entry_id=str(failed), epos_customer_id=90001)
    answer = await api.call("LinkService/ResolveOrderCustomer", request)
    assert (answer.entry.state, answer.entry.retried_from) == (PENDING, str(failed))


async def test_site_token_reaches_only_its_own_account(api: ApiHarness, world: EngineWorld) -> None:
    await api.add_account("shop-b", till_id="till-b")
    site = await api.grpc.token(Role.SITE, "shop-b")
    for method, request in (
        ("ListLinks", L.ListLinksRequest(account_id="shop-a")),
        ("CreateLink", L.CreateLinkRequest(account_id="shop-a", epos_customer_id=1, woo_customer_id=1)),
        ("SearchEposCustomers", L.SearchEposCustomersRequest(account_id="nobody", query="x")),
    ):
        assert (await api.refusal(f"LinkService/{method}", request, site)).code is grpc.StatusCode.PERMISSION_DENIED
    [theirs] = await add_held_orders(world, 1001)
    foreign_entry = L.ListCandidatesRequest(account_id="shop-b", entry_id=str(theirs))
    assert (await api.refusal("LinkService/ListCandidates", foreign_entry, site)).code is grpc.StatusCode.NOT_FOUND
