"""The till's steps of CheckAccount. They test the credentials, the customer list, the email search, the customer types and the default
customer."""

from __future__ import annotations

from tillsync_server.application.use_cases.check_steps import SideRun, StepFailed
from tillsync_server.domain.account import Account
from tillsync_server.domain.email_kinds import email_kinds
from tillsync_server.domain.errors import Missing, Unreadable
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.matching import exact_matches, with_swapped_case
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.till import CustomerPage, TillClient, TillGateway
from tillsync_server.ports.tills import TillKnowledgeStore

_SEARCH = "search_by_email"
_EMAILS_TRIED = 3
"""Customers of page 1 whose email is searched for. There are several, because an email may change between list and search."""
_UNREAD_TRIED = 10
"""Customers with an unreadable row that one check reads again."""


async def check_till(
    run: SideRun, account: Account, tills: TillGateway, knowledge: TillKnowledgeStore, customer_ids: list[EposCustomerId]
) -> None:
    """Runs the till's steps. Adds the ids of list page 1 to ``customer_ids``. Notes successful reads, as the flows do."""
    with run.step("credentials"):
        till = tills.client(account, RequestClass.ORDER)
        await till.probe()
        run.passed("credentials", "Epos Now accepts the API key and secret.", base_url=account.epos.base_url)
    with run.step("list_customers"):
        page = await till.list_customers(1)
        await _read_unread_rows(account, till, knowledge, page)
        page.check()
    customer_ids.extend(customer.epos_customer_id for customer in page.rows)
    await knowledge.note_customers_read(account.till_id, account.till_configuration)
    version = account.epos.customer_api_version.name
    run.passed("list_customers", f"The customer list can be read ({len(page.rows)} on its first page).", rows=len(page.rows), api=version)
    with run.step(_SEARCH):
        await _check_search(run, account, till, page)
    with run.step("customer_types"):
        types = await till.list_customer_types()
    await knowledge.note_types_read(account.till_id, account.till_configuration)
    run.passed(
        "customer_types",
        f"The customer types can be read ({len(types)}).",
        types=len(types),
        api=account.epos.customer_type_api_version.name,
    )
    if account.default_epos_customer_id is not None:
        with run.step("default_customer"):
            await _check_default_customer(run, till, account.default_epos_customer_id)


async def _read_unread_rows(account: Account, till: TillClient, knowledge: TillKnowledgeStore, page: CustomerPage) -> None:
    """Notes the unreadable rows of page 1, and reads customers again whose rows were unreadable on earlier pages. A customer that can be
    read now ends the account's warning of it."""
    await knowledge.note_list_page(account.till_id, page)
    still_unread = {row.customer_id for row in page.unread}
    no_longer_unread: list[EposCustomerId] = []
    for customer_id in await knowledge.unread_customers(account.till_id, limit=_UNREAD_TRIED):
        if customer_id in still_unread:
            continue
        try:
            await till.read_customer(customer_id)
        except Unreadable:
            continue
        except Missing:  # the list was read a moment ago, so the customer is gone
            pass
        no_longer_unread.append(customer_id)
    if no_longer_unread:
        await knowledge.note_customers_readable(account.till_id, no_longer_unread)


async def _check_search(run: SideRun, account: Account, till: TillClient, page: CustomerPage) -> None:
    """Tests the email search as the order flow's proof does, with other capitals first. It does not change the flow's proofs."""
    usable = [customer.email for customer in page.with_emails if "@" in customer.email and customer.email == customer.email.strip()]
    emails = sorted(usable, key=lambda email: bool(email_kinds(email)))  # plain emails first, because other kinds have proofs of their own
    if not emails:
        run.passed(_SEARCH, "No customer on the first list page has an email yet, so the search could not be tried.")
        return
    for email in emails[:_EMAILS_TRIED]:
        other = with_swapped_case(email)
        for text in (other, email) if other else (email,):
            found = await till.search_by_email(text)
            if found.filter_ignored:
                _pass_by_list(run, "search_filter_ignored", "The till ignores the email filter")
                return
            if exact_matches(found.rows, email):
                if text == other:
                    run.passed(_SEARCH, "A customer from the customer list is found by their email.")
                else:
                    _pass_by_list(run, "search_tells_capitals_apart", "The till's email search may tell capitals apart")
                return
    run.failed(
        _SEARCH,
        "A customer from the customer list is not found by their email, so a miss proves nothing and no customer is created.",
        "Set customer_api_version to the other version and check again; if it stays, report it to Epos Now.",
        api=account.epos.customer_api_version.name,
        reason="TILL_SEARCH_FINDS_NOTHING",
    )
    raise StepFailed


def _pass_by_list(run: SideRun, name: str, what: str) -> None:
    """Passes the step with a warning. The whole list proves what the search cannot, but reading it is slow."""
    run.passed(_SEARCH, f"{what}: the whole customer list is read instead.")
    run.warn(
        name,
        f"{what}, so finding an order's customer may need a scan of the whole list.",
        "Set customer_api_version to the other version and check again.",
    )


async def _check_default_customer(run: SideRun, till: TillClient, customer_id: EposCustomerId) -> None:
    try:
        await till.read_customer(customer_id)
    except Missing as error:  # the list was read a moment ago, so the customer is gone and the address is right
        run.failed(
            "default_customer",
            f"The default customer {customer_id} does not exist in Epos Now.",
            "Set default_epos_customer_id to a customer that exists.",
            http_status=error.status or 404,
            reason="DEFAULT_CUSTOMER_GONE",
        )
        raise StepFailed from error
    run.passed("default_customer", f"The default customer {customer_id} exists.")
