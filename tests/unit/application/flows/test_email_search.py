"""Proofs that no till customer has an email (docs/invariants.md#never-a-twin)."""

from __future__ import annotations

import asyncio

import pytest
from fakes.till import EmailMatch, a_row
from support.flow_world import TILL, FlowWorld, till_account
from tillsync_server.application.flows import customer_list
from tillsync_server.application.flows.email_search import CustomersByEmail
from tillsync_server.application.flows.flow_services import FlowSettings
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Missing, ServerFailure, Throttled, Unreadable
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.ports.till import CustomerPage, ListedCustomer, UnreadRow
from tillsync_server.ports.tills import TillKnowledge

ACCOUNT = till_account()
ADA = "ada@example.test"


def emails_of(world: FlowWorld) -> CustomersByEmail:
    return CustomersByEmail(world.context(ACCOUNT))


@pytest.fixture
def world() -> FlowWorld:
    world = FlowWorld()
    world.till.add("grace@example.test")
    return world


@pytest.mark.parametrize("match", [EmailMatch.EXACT, EmailMatch.IGNORING_CASE, EmailMatch.CONTAINS, EmailMatch.FILTER_IGNORED])
@pytest.mark.catches("search-hits-are-compared")
async def test_only_equal_emails_are_found_in_any_search_result(world: FlowWorld, match: EmailMatch) -> None:
    world.till.match = match
    one, twin = world.till.add(ADA), world.till.add(ADA)
    world.till.add(f"x{ADA}")
    found = await emails_of(world).find(f" {ADA}", prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [one, twin]


SPELLINGS = {
    "a leading blank": " {}", "a trailing blank": "{} ", "a tab": "\t{}", "a zero-width space": "\u200b{}", "a byte-order mark": "\ufeff{}",
    "a no-break space": "{}\u00a0", "a direction mark": "{}\u200e", "mailto": "mailto:{}", "two in one field": "{};grace@example.test",
    "with a name": "Ada <{}>", "a trailing dot": "{}.",
}  # fmt: skip
ONE_EMAIL = {
    "a leading blank",
    "a trailing blank",
    "a tab",
    "a zero-width space",
    "a byte-order mark",
    "a no-break space",
    "a direction mark",
}


@pytest.mark.parametrize("match", [EmailMatch.EXACT, EmailMatch.CONTAINS, EmailMatch.FILTER_IGNORED])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_every_stored_spelling_matches_or_resembles_the_email(world: FlowWorld, match: EmailMatch, spelling: str) -> None:
    """With EXACT and FILTER_IGNORED the list is read. With CONTAINS the search returns the row."""
    world.till.match = match
    odd = world.till.add(SPELLINGS[spelling].format(ADA))
    found = await emails_of(world).find(ADA, prove_miss=True)
    same, like = [each.epos_customer_id for each in found.customers], [each.epos_customer_id for each in found.resembling]
    assert (same, like) == (([odd], []) if spelling in ONE_EMAIL else ([], [odd]))


@pytest.mark.parametrize("match", list(EmailMatch))
async def test_decomposed_accents_are_found_with_every_match_mode(world: FlowWorld, match: EmailMatch) -> None:
    if match is EmailMatch.FINDS_NOTHING:
        return
    world.till.match = match
    odd = world.till.add("an\u0303da@example.test")
    found = await emails_of(world).find("añda@example.test", prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [odd]


async def test_exact_match_hides_resembling_customers(world: FlowWorld) -> None:
    world.till.match = EmailMatch.CONTAINS
    world.till.add(f"mailto:{ADA}")
    exact = world.till.add(ADA)
    found = await emails_of(world).find(ADA, prove_miss=True)
    assert ([each.epos_customer_id for each in found.customers], found.resembling) == ([exact], ())


async def test_raw_and_normalised_emails_are_searched(world: FlowWorld) -> None:
    world.till.match = EmailMatch.EXACT
    raw, normalised = world.till.add("Ada@Example.test"), world.till.add(ADA)
    found = await emails_of(world).find("Ada@Example.test", prove_miss=False)
    assert [each.epos_customer_id for each in found.customers] == [raw, normalised]


async def test_search_that_finds_a_sample_in_other_capitals_is_proven_and_stored(world: FlowWorld) -> None:
    emails = emails_of(world)
    for name in ("a", "b", "c"):
        found = await emails.find(f"{name}@example.test", prove_miss=True)
        assert (found.customers, found.unproven_because) == ((), "")
    assert world.till.count("list_customers") == 1
    assert world.knowledge.of(TILL, ACCOUNT.till_configuration).search_proven_at == world.clock.now()

    later = emails_of(world)
    await later.find("d@example.test", prove_miss=True)
    assert world.till.count("list_customers") == 1, "another lease relies on the noted proof"


@pytest.mark.catches("search-proofs-name-the-configuration")
async def test_search_proof_holds_for_a_day_and_one_configuration(world: FlowWorld) -> None:
    await emails_of(world).find(ADA, prove_miss=True)
    world.clock.advance(24 * 3600 - 1)
    await emails_of(world).find(ADA, prove_miss=True)
    assert world.till.count("list_customers") == 1
    world.clock.advance(1)
    await emails_of(world).find(ADA, prove_miss=True)
    assert world.till.count("list_customers") == 2

    moved = till_account(epos=type(ACCOUNT.epos)(base_url="https://other.example.test", api_key="key-0001", api_secret="secret"))
    await CustomersByEmail(world.context(moved)).find(ADA, prove_miss=True)
    assert world.till.count("list_customers") == 3


@pytest.mark.catches("case-sensitive-searches-prove-nothing")
async def test_case_sensitive_search_is_unproven_and_the_list_is_read(world: FlowWorld) -> None:
    world.till.match = EmailMatch.EXACT
    other = world.till.add("ADA@example.test")
    found = await emails_of(world).find(ADA, prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [other]
    assert world.knowledge.of(TILL, ACCOUNT.till_configuration).search_proven_at is None


@pytest.mark.catches("blind-searches-prove-nothing")
async def test_search_that_misses_a_listed_customer_proves_nothing(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FINDS_NOTHING
    world.till.add(ADA)
    emails = emails_of(world)
    found = await emails.find(ADA, prove_miss=True)
    assert found.customers == ()
    assert "proves nothing" in found.unproven_because
    searches = world.till.count("search_by_email")
    await emails.find("b@example.test", prove_miss=True)
    assert world.till.count("search_by_email") == searches + 1, "a whole lane does not try it out again and again"
    world.till.match = EmailMatch.IGNORING_CASE
    world.clock.advance(60)
    assert (await emails.find("c@example.test", prove_miss=True)).unproven_because == "", "and it is tried again after a minute"


async def test_contradicted_proof_is_withdrawn(world: FlowWorld) -> None:
    await emails_of(world).find(ADA, prove_miss=True)
    world.clock.advance(24 * 3600)
    world.till.match = EmailMatch.FINDS_NOTHING
    await emails_of(world).find(ADA, prove_miss=True)
    assert world.knowledge.of(TILL, ACCOUNT.till_configuration).search_proven_at is None


async def test_sample_deleted_meanwhile_does_not_prevent_the_proof(world: FlowWorld) -> None:
    gone = world.till.add("aaa@example.test")
    world.till.on_call["search_by_email"] = [lambda: None, lambda: world.till.customers.pop(gone)]
    assert (await emails_of(world).find(ADA, prove_miss=True)).unproven_because == ""


async def test_empty_list_proves_a_miss_but_not_the_search() -> None:
    world = FlowWorld()
    emails = emails_of(world)
    assert (await emails.find(ADA, prove_miss=True)).unproven_because == ""
    assert world.knowledge.of(TILL, ACCOUNT.till_configuration).search_proven_at is None
    world.till.match = EmailMatch.FINDS_NOTHING
    world.till.add("grace@example.test")
    assert (await emails.find(ADA, prove_miss=True)).unproven_because


async def test_till_without_sample_emails_is_searched_by_the_list() -> None:
    world = FlowWorld()
    world.till.page_size = 2
    for _ in range(3):
        world.till.add("")
    world.till.hidden_from_search.add(hidden := world.till.add(ADA))
    found = await emails_of(world).find(ADA, prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [hidden]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 200])
@pytest.mark.catches("lists-end-without-new-customers")
async def test_list_is_read_to_its_end_with_any_page_size(world: FlowWorld, page_size: int) -> None:
    world.till.match, world.till.page_size = EmailMatch.FILTER_IGNORED, page_size
    for number in range(5):
        world.till.add(f"{number}@example.test")
    last = world.till.add(ADA)
    found = await emails_of(world).find(ADA, prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [last]
    knowledge = world.knowledge.of(TILL, ACCOUNT.till_configuration)
    assert knowledge.last_page == -(-7 // page_size)
    assert knowledge.customers_read_at == world.clock.now()


async def test_repeated_last_page_ends_the_scan(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FILTER_IGNORED
    listed = world.till.list_customers

    async def always_the_same(page: int) -> object:
        return await listed(1)

    world.till.list_customers = always_the_same  # type: ignore[method-assign, assignment]
    assert (await emails_of(world).find(ADA, prove_miss=True)).customers == ()
    assert world.till.count("list_customers") == 2


async def test_endless_list_is_unreadable_after_forty_pages(world: FlowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer_list, "MAX_LIST_PAGES", 40)
    world.till.match = EmailMatch.FILTER_IGNORED
    listed = world.till.list_customers

    async def always_others(page: int) -> CustomerPage:
        await listed(1)
        customer = TillCustomer(epos_customer_id=EposCustomerId(10_000 + page), forename="A", email=f"{page}@example.test")
        return CustomerPage(rows=(a_row(customer),), number=page)

    world.till.list_customers = always_others  # type: ignore[method-assign]
    with pytest.raises(Unreadable, match="does not end its list of customers: 40 pages, and still new ones; report it to Epos Now"):
        await emails_of(world).find(ADA, prove_miss=True)
    assert world.till.count("list_customers") == 41


async def test_rows_shifted_between_pages_are_returned_once(world: FlowWorld) -> None:
    world.till.match, world.till.page_size = EmailMatch.FILTER_IGNORED, 2
    first = world.till.add(ADA)
    world.till.add("b@example.test")
    # A smaller id appears between the page reads. The rows shift by one, so page 2 begins with the last row of page 1.
    world.till.on_call["list_customers"] = [lambda: None, lambda: world.till.add("new@example.test", customer_id=1)]
    found = await emails_of(world).find(ADA, prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [first]


async def test_one_list_scan_serves_all_waiting_searches_and_later_ones_get_a_newer_scan(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FILTER_IGNORED
    for number in range(30):
        world.till.add(f"{number}@example.test")
    emails = emails_of(world)
    found = await asyncio.gather(*(emails.find(f"{number}@example.test", prove_miss=True) for number in range(40)))
    assert [len(each.customers) for each in found] == [1] * 30 + [0] * 10
    assert world.till.count("list_customers") <= 2 * 6, "readings of two requests; the crowd joins a handful of them"

    before = world.till.count("list_customers")
    world.till.add(ADA)
    assert (await emails.find(ADA, prove_miss=True)).customers
    assert world.till.count("list_customers") == before + 2, "a proof is never older than the question"


async def test_search_during_a_scan_gets_the_next_scan(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FILTER_IGNORED
    emails = emails_of(world)
    late: list[asyncio.Task[object]] = []
    # the second request of the first scan: all customers are read, then ADA is added and searched
    world.till.on_call["list_customers"] = [
        lambda: None,
        lambda: late.append(asyncio.ensure_future(emails.find(ADA, prove_miss=True))),
    ]
    world.till.on_call["search_by_email"] = [lambda: None, lambda: world.till.add(ADA)]
    await emails.find("b@example.test", prove_miss=True)
    assert len((await late[0]).customers) == 1  # type: ignore[attr-defined]


async def test_failed_scan_fails_its_waiting_searches_only(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FILTER_IGNORED
    emails = emails_of(world)
    world.till.faults["list_customers"] = [ServerFailure(Side.TILL, "HTTP 502", status=502)]
    with pytest.raises(ServerFailure):
        await emails.find(ADA, prove_miss=True)
    assert (await emails.find(ADA, prove_miss=True)).unproven_because == ""


async def test_spent_allowance_keeps_the_scan_and_a_till_limit_fails_it(world: FlowWorld) -> None:
    world.till.match, world.till.page_size = EmailMatch.FILTER_IGNORED, 1
    ada = world.till.add(ADA)
    short = Throttled(Side.TILL, "the till's allowance of requests is used up for now", retry_after_seconds=0.001)
    world.till.faults["list_customers"] = [None, short, short]
    assert (await emails_of(world).find(ADA, prove_miss=True)).customers[0].epos_customer_id == ada
    assert world.till.count("list_customers") == 5, "no page is read twice"

    for limit in (
        Throttled(Side.TILL, "429", status=429, retry_after_seconds=0.001),
        Throttled(Side.TILL, "paused", retry_after_seconds=90),
    ):
        world.till.faults["list_customers"] = [None, limit]
        with pytest.raises(Throttled):
            await emails_of(world).find(ADA, prove_miss=True)


async def test_waiting_search_takes_over_a_cancelled_scan(world: FlowWorld) -> None:
    world.till.match = EmailMatch.FILTER_IGNORED
    emails = emails_of(world)
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def step(name: str) -> None:
        if name == "till.list_customers" and not entered.is_set():
            entered.set()
            await go_on.wait()

    world.step = step
    first = asyncio.create_task(emails.find(ADA, prove_miss=True))
    await entered.wait()
    second = asyncio.create_task(emails.find("grace@example.test", prove_miss=True))
    await asyncio.sleep(0)
    first.cancel()
    assert len((await second).customers) == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_missing_list_is_an_error_and_no_proof(world: FlowWorld) -> None:
    world.till.faults["list_customers"] = [Missing(Side.TILL, "not found", status=404)]
    with pytest.raises(Missing):
        await emails_of(world).find(ADA, prove_miss=True)


async def test_concurrent_searches_are_limited_per_lane() -> None:
    world = FlowWorld(settings=FlowSettings(till_concurrency=3))
    at_once, most = 0, 0

    async def step(name: str) -> None:
        nonlocal at_once, most
        if name.startswith("till."):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            at_once -= 1

    world.step = step
    emails = emails_of(world)
    await asyncio.gather(*(emails.find(f"{number}@example.test", prove_miss=True) for number in range(20)))
    assert most == 3


# proofs by kind of email

KINDS = {"a plus": "ada+shop@example.test", "an apostrophe": "o'neil@example.test", "fifty characters": f"{'a' * 37}@example.test"}
OF_THE_KIND = {"a plus": "bea+x@example.test", "an apostrophe": "d'arc@example.test", "fifty characters": f"{'b' * 37}@example.test"}


def blind(world: FlowWorld) -> None:
    world.till.blind_to, world.till.blind_from = "+'", 50


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sample", ["on the first page", "further on", "none"])
@pytest.mark.catches("proofs-count-for-their-kind")
async def test_search_that_fails_for_a_kind_is_unproven_for_that_kind(world: FlowWorld, kind: str, sample: str) -> None:
    """The search is right for plain emails, so it counts as proven, and the customer exists."""
    blind(world)
    if sample == "further on":
        for number in range(200):
            world.till.add(f"{number}@example.test")
    if sample != "none":
        world.till.add(OF_THE_KIND[kind])
    wanted = world.till.add(KINDS[kind])
    emails = emails_of(world)
    for _ in range(2):
        found = await emails.find(KINDS[kind], prove_miss=True)
        assert [each.epos_customer_id for each in found.customers] == [wanted]
    lists = world.till.count("list_customers")
    assert (await emails.find("plain@example.test", prove_miss=True)).unproven_because == ""
    assert world.till.count("list_customers") == lists, "for plain emails it is proven"
    knowledge = world.knowledge.of(TILL, ACCOUNT.till_configuration)
    assert (knowledge.search_proven_at, dict(knowledge.kinds_proven_at)) == (world.clock.now(), {})


@pytest.mark.parametrize("kind", KINDS)
async def test_sample_of_a_kind_on_the_first_page_proves_it_for_a_day(world: FlowWorld, kind: str) -> None:
    world.till.add(OF_THE_KIND[kind])
    emails = emails_of(world)
    for _ in range(3):
        assert (await emails.find(KINDS[kind], prove_miss=True)).customers == ()
    assert world.till.count("list_customers") == 2, "one page for the proof of plain emails, one for the kind"
    later = emails_of(world)
    await later.find(KINDS[kind], prove_miss=True)
    assert world.till.count("list_customers") == 2, "another lease relies on the noted proof"
    world.clock.advance(24 * 3600)
    await emails_of(world).find(KINDS[kind], prove_miss=True)
    assert world.till.count("list_customers") == 4


@pytest.mark.parametrize("kind", KINDS)
async def test_sample_of_a_kind_is_found_in_the_scanned_list(world: FlowWorld, kind: str) -> None:
    for number in range(450):
        world.till.add(f"{number}@example.test")
    world.till.add(OF_THE_KIND[kind])
    emails = emails_of(world)
    await emails.find(KINDS[kind], prove_miss=True)
    lists = world.till.count("list_customers")
    assert lists == 2 + 4, "two first pages, then the whole list and the page that ends it"
    await emails.find(KINDS[kind], prove_miss=True)
    assert world.till.count("list_customers") == lists


async def test_list_is_scanned_each_time_until_a_sample_of_the_kind_exists(world: FlowWorld) -> None:
    emails = emails_of(world)
    for number in range(3):
        assert (await emails.find(f"ada+{number}@example.test", prove_miss=True)).customers == ()
    assert world.till.count("list_customers") == 2 + 3 * 2
    world.till.add("ada+9@example.test")
    assert (await emails.find("ada+9@example.test", prove_miss=False)).customers, "as it is searched for after a create"
    lists = world.till.count("list_customers")
    await emails.find("ada+8@example.test", prove_miss=True)
    assert world.till.count("list_customers") == lists, "what it has just found is a sample too"


async def test_sample_of_several_kinds_proves_each_of_them(world: FlowWorld) -> None:
    world.till.add("o'neil+shop@example.test")
    emails = emails_of(world)
    for email in ("d'arc@example.test", "bea+x@example.test", "d'arc+y@example.test"):
        await emails.find(email, prove_miss=True)
    assert world.till.count("list_customers") == 2
    await emails.find("bea+d_x@example.test", prove_miss=True)
    assert world.till.count("list_customers") == 2 + 1 + 2, "no sample of an underscore: the first page, then the list"


async def test_till_with_only_unfindable_emails_is_searched_by_the_list() -> None:
    world = FlowWorld()
    blind(world)
    world.till.add("bea+x@example.test")
    wanted = world.till.add(KINDS["a plus"])
    found = await emails_of(world).find(KINDS["a plus"], prove_miss=True)
    assert ([each.epos_customer_id for each in found.customers], found.unproven_because) == ([wanted], "")
    assert (await emails_of(world).find(ADA, prove_miss=True)).unproven_because == ""


async def test_contradicted_proof_of_a_kind_is_withdrawn_for_that_kind_only(world: FlowWorld) -> None:
    world.till.add("bea+x@example.test")
    world.till.add("d'arc@example.test")
    emails = emails_of(world)
    await emails.find("ada+o'x@example.test", prove_miss=True)
    noted = world.knowledge.of(TILL, ACCOUNT.till_configuration).kinds_proven_at
    assert set(noted) == {"+", "'"}
    world.till.blind_to = "+"
    world.clock.advance(24 * 3600)
    wanted = world.till.add("ada+late@example.test")
    found = await emails_of(world).find("ada+late@example.test", prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [wanted]
    assert set(world.knowledge.of(TILL, ACCOUNT.till_configuration).kinds_proven_at) == {"'"}


# unreadable rows


@pytest.mark.parametrize("match", [EmailMatch.IGNORING_CASE, EmailMatch.FILTER_IGNORED])
async def test_unreadable_row_does_not_affect_other_emails(world: FlowWorld, match: EmailMatch) -> None:
    world.till.match = match
    other, known = world.till.add("carl@example.test"), world.till.add(ADA)
    world.till.unreadable[other] = "field EmailAddress of a customer is an object, not a text"
    emails = emails_of(world)
    assert (await emails.find("new@example.test", prove_miss=True)).customers == ()
    assert [each.epos_customer_id for each in (await emails.find(ADA, prove_miss=True)).customers] == [known]


@pytest.mark.parametrize("match", [EmailMatch.IGNORING_CASE, EmailMatch.FILTER_IGNORED])
@pytest.mark.catches("unread-rows-may-be-the-one")
async def test_miss_is_unproven_for_an_email_that_an_unreadable_row_may_hold(world: FlowWorld, match: EmailMatch) -> None:
    world.till.match = match
    world.till.add("bea@example.test")
    hers = world.till.add(ADA)
    world.till.unreadable[hers] = "field EmailAddress of a customer is an object, not a text"
    with pytest.raises(Unreadable, match=f"customer {hers} .*field EmailAddress"):
        await emails_of(world).find("Ada@example.test", prove_miss=True)


async def test_list_of_unreadable_rows_proves_nothing(world: FlowWorld) -> None:
    """The list may belong to another API: no row holds the email, and no row is a customer."""
    world.till.match = EmailMatch.FILTER_IGNORED
    for number in range(3):
        world.till.unreadable[world.till.add(f"other{number}@example.test")] = "field EmailAddress of a customer is an object, not a text"
    with pytest.raises(Unreadable, match="too many rows"):
        await emails_of(world).find_in_list("new@example.test")


async def test_first_page_of_unreadable_rows_is_not_an_empty_list(world: FlowWorld) -> None:
    world.till.customers.clear()
    world.till.unreadable[world.till.add("other@example.test")] = "customer is null, not an object"
    with pytest.raises(Unreadable, match="too many rows"):
        await emails_of(world).find("new@example.test", prove_miss=True)


async def test_rows_without_ids_do_not_end_the_scan_early(world: FlowWorld) -> None:
    """Two such rows look equal. The customers after them must still be read."""

    def null(position: int) -> UnreadRow:
        return UnreadRow(position=position, customer_id=None, reason="customer is null, not an object")

    def row(customer_id: int, email: str) -> ListedCustomer:
        return a_row(TillCustomer(epos_customer_id=EposCustomerId(customer_id), email=email))

    pages = {
        1: CustomerPage((row(1, "a@example.test"), row(2, "b@example.test")), 1, (null(1),)),
        2: CustomerPage((), 2, (null(1),)),
        3: CustomerPage((row(3, ADA),), 3),
    }

    async def list_customers(page: int) -> CustomerPage:
        return pages.get(page, CustomerPage((), page))

    world.till.list_customers = list_customers  # type: ignore[method-assign]
    with pytest.raises(Unreadable, match="too many rows"):
        await emails_of(world).find_in_list(ADA)
    pages[2] = CustomerPage((row(4, "d@example.test"),), 2, (null(1),))
    assert [each.epos_customer_id for each in (await emails_of(world).find_in_list(ADA)).customers] == [3]


@pytest.mark.parametrize(
    ("texts", "may_have"),
    [
        (("ada@example.test",), True),
        (("Ada <ADA@Example.test>",), True),
        (("x", "mailto:ada@example.test"), True),
        (("ada@other.test",), True),  # The row may belong to both emails. The order of info@… waits, because a create could make a twin.
        (("bea@example.test", "Ada", "EmailAddress"), False),
        ((), False),
    ],
)
def test_unread_row_may_have_an_email_by_its_texts(texts: tuple[str, ...], may_have: bool) -> None:
    assert UnreadRow(position=1, customer_id=None, reason="", texts=texts).may_have(ADA) is may_have


def restored(world: FlowWorld, seconds: float) -> None:
    knowledge = TillKnowledge(search_proven_at=world.clock.database_now(), seconds_since_restore=seconds)
    world.knowledge.stored[TILL, ACCOUNT.till_configuration] = knowledge


@pytest.mark.parametrize("match", [EmailMatch.EXACT, EmailMatch.FILTER_IGNORED])
@pytest.mark.catches("restored-tills-settle-first")
async def test_miss_is_unproven_while_a_lost_create_may_still_be_stored(world: FlowWorld, match: EmailMatch) -> None:
    world.till.match = match
    restored(world, FlowSettings().settle_seconds - 1)
    found = await emails_of(world).find(ADA, prove_miss=True)
    assert "restored a moment ago" in found.unproven_because
    world.till.add(ADA)
    assert len((await emails_of(world).find(ADA, prove_miss=True)).customers) == 1


@pytest.mark.catches("restored-tills-prove-by-list")
async def test_miss_is_proven_by_the_list_for_an_hour_after_a_restore(world: FlowWorld) -> None:
    settings = FlowSettings()
    restored(world, settings.settle_seconds)
    customer = world.till.add(ADA)
    world.till.hidden_from_search.add(customer)
    found = await emails_of(world).find(ADA, prove_miss=True)
    assert [each.epos_customer_id for each in found.customers] == [customer]
    restored(world, settings.restored_list_seconds)
    assert not (await emails_of(world).find(ADA, prove_miss=True)).customers
