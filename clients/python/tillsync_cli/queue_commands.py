"""``tillsync queue``: lists, shows, retries and dismisses entries."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from tillsync.v1 import account_pb2, catalog_service_pb2, customer_sync_service_pb2, queue_entry_pb2, queue_service_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_client.customer_sync import timestamp

from tillsync_cli.choices import Queue, State, enum_name
from tillsync_cli.output import code_name, comment_cell, console, entries_counted, parse_time, print_json, state_text, table, when, word
from tillsync_cli.problems import problems_of
from tillsync_cli.session import DEFAULT_ADDRESS, REFUSED, USAGE, AddressOption, JsonOption, TokenOption, fail, talk

app = typer.Typer(no_args_is_help=True, help="Read the Customers Queue and the Orders Queue; retry and dismiss entries.")

Chunks = TypeVar("Chunks")

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]
QueueArgument = Annotated[Queue, typer.Argument(metavar="QUEUE", help="customers (till to shop) or orders (shop to till).")]
StateOption = Annotated[list[State] | None, typer.Option("--state", help="Only this state; may be given several times.")]
OutcomeOption = Annotated[
    list[str] | None,
    typer.Option("--outcome", help="Only this outcome code (tillsync messages lists them), also among causes; repeatable."),
]
CustomerOption = Annotated[int, typer.Option("--epos-customer", help="Only this till customer.")]
ShopCustomerOption = Annotated[int, typer.Option("--woo-customer", help="Only this shop customer.")]
OrderOption = Annotated[int, typer.Option("--order", help="Only this WooCommerce order id.")]
EmailOption = Annotated[str, typer.Option("--email", help="Only this account or billing email.")]
TextOption = Annotated[str, typer.Option("--text", help="Only entries with this text in subject, number, comment or notes.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="Created at this time or later: 2026-03-01 or 2026-03-01T09:30.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Created before this time.")]
_ID_WIDTH = 36
"""Length of an entry's id, which is a UUID."""
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation when --queue has no filter.")]


@app.command("list")
def list_entries(
    account: AccountArgument,
    queue: QueueArgument,
    state: StateOption = None,
    outcome: OutcomeOption = None,
    epos_customer: CustomerOption = 0,
    woo_customer: ShopCustomerOption = 0,
    order: OrderOption = 0,
    email: EmailOption = "",
    text: TextOption = "",
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of entries.")] = 50,
    attempts: Annotated[bool, typer.Option("--attempts", help="Include the attempts of each entry (JSON only).")] = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """List a queue, newest first, with the number of entries in each state."""

    async def work(client: TillsyncClient) -> customer_sync_service_pb2.ListQueueResponse:
        request = customer_sync_service_pb2.ListQueueRequest(
            account_id=account,
            queue=_queue(queue),
            states=_states(state),
            outcomes=_outcomes(outcome),
            epos_customer_id=epos_customer,
            woo_customer_id=woo_customer,
            order_id=order,
            email=email,
            text=text,
            created_after=timestamp(parse_time(since, "--since")),
            created_before=timestamp(parse_time(until, "--until")),
            page_size=min(limit, 500),
            view=queue_entry_pb2.QUEUE_VIEW_FULL if attempts else queue_entry_pb2.QUEUE_VIEW_BASIC,
            with_counts=True,
        )
        page = gathered = await client.sync.list_queue_page(request)
        request.with_counts = False
        while page.next_page_token and len(gathered.entries) < limit:
            request.page_token = page.next_page_token
            page = await client.sync.list_queue_page(request)
            gathered.entries.extend(page.entries)
        del gathered.entries[limit:]
        gathered.next_page_token = page.next_page_token
        return gathered

    found = talk(address, token, work)
    if json:
        print_json(found)
        return
    for problem in problems_of(found):
        _print_problem(problem)
    print_entries(found.entries, title=f"{queue.value.capitalize()} Queue of {account}")
    counts = ", ".join(
        f"{each.count}{'+' if each.capped else ''} {code_name(vocabulary_pb2.EntryState, each.state).removeprefix('ENTRY_STATE_').lower()}"
        for each in found.state_counts
        if each.count
    )
    console.print(f"in all: {counts or 'nothing'}", style="dim")
    if found.next_page_token:
        console.print("there is more: --limit shows more, filters show less", style="dim")


@app.command()
def show(
    account: AccountArgument,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="The entry's id.")],
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Show one entry: what its comment means, what to do, and all its attempts."""

    async def work(client: TillsyncClient) -> tuple[queue_entry_pb2.QueueEntry, catalog_service_pb2.CatalogMessage | None]:
        entry_found = await client.queue.get_entry(account, entry)
        code = code_name(vocabulary_pb2.Outcome, entry_found.outcome).removeprefix("OUTCOME_")
        return entry_found, next((message for message in await client.catalog.list_messages() if message.code == code), None)

    found, message = talk(address, token, work)
    if json:
        print_json(found)
        return
    print_entries([found], title=f"Entry {found.entry_id}")
    facts = table("What", "Value")
    if message is not None:
        facts.add_row("what it means", message.meaning)
        facts.add_row("what to do", message.what_to_do)
        facts.add_row("who can", word(code_name(catalog_service_pb2.Responsible, message.responsible), "RESPONSIBLE"))
    facts.add_row("created", when(found.create_time))
    facts.add_row("next attempt", when(found.next_attempt_time, empty="-"))
    facts.add_row("finished", when(found.finish_time, empty="-"))
    facts.add_row("attempts charged", str(found.attempt_count))
    facts.add_row("hints joined", str(found.coalesced_count))
    facts.add_row("account email", found.masked_account_email or "-")
    facts.add_row("billing email", found.masked_billing_email or "-")
    facts.add_row("till customer", str(found.epos_customer_id or "-"))
    facts.add_row("shop customer", str(found.woo_customer_id or "-"))
    facts.add_row("retry of", found.retried_from or "-")
    console.print(facts)
    if found.attempts:
        tries = table("#", "Started", "HTTP", "Charged", "Comment", title="Attempts")
        for attempt in found.attempts:
            tries.add_row(
                str(attempt.number),
                when(attempt.start_time),
                str(attempt.upstream_status) if attempt.HasField("upstream_status") else "-",
                "yes" if attempt.charged else "no",
                comment_cell(attempt.comment, attempt.notes),
            )
        console.print(tries)


@app.command()
def retry(
    account: AccountArgument,
    entries: Annotated[list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Entry ids; or choose by --queue and filters.")] = None,
    queue: Annotated[Queue | None, typer.Option("--queue", help="All entries of this queue that satisfy the filters.")] = None,
    state: StateOption = None,
    outcome: OutcomeOption = None,
    epos_customer: CustomerOption = 0,
    woo_customer: ShopCustomerOption = 0,
    order: OrderOption = 0,
    email: EmailOption = "",
    text: TextOption = "",
    since: SinceOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Requeue entries, with fresh attempts. Without a filter, --queue takes all its entries, also finished ones, and asks first."""
    matching = _filter(entries, queue, state, outcome, epos_customer, woo_customer, order, email, text, since, until)

    def run(*, validate_only: bool) -> list[queue_service_pb2.RetryQueueEntriesResponse]:
        async def work(client: TillsyncClient) -> list[queue_service_pb2.RetryQueueEntriesResponse]:
            found = client.queue.retry(account, entry_ids=entries or (), matching=matching, validate_only=validate_only)
            return [chunk async for chunk in found]

        return talk(address, token, work)

    if _is_whole_queue(matching) and not (dry_run or yes):
        would_run = sum(chunk.affected_count + chunk.coalesced_count for chunk in _before_all(lambda: run(validate_only=True)))
        _confirm(f"Requeue {entries_counted(would_run)} of the {_queue_title(queue)} of {account}, also finished ones?", would_run)
    chunks = run(validate_only=dry_run)
    if json:
        print_json(chunks)
    else:
        would, join = ("would run", "would join") if dry_run else ("run", "joined")
        affected, joined, unchanged = (
            sum(getattr(chunk, f"{name}_count") for chunk in chunks) for name in ("affected", "coalesced", "unchanged")
        )
        if not dry_run and affected == 1:
            would = "runs"
        console.print(f"{entries_counted(affected)} {would} again, {joined} {join} an entry that is live already, {_left(unchanged)}")
    _tell_failures([failure for chunk in chunks for failure in chunk.failures], json=json)


@app.command()
def dismiss(
    account: AccountArgument,
    entries: Annotated[list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Entry ids; or choose by --queue and filters.")] = None,
    reason: Annotated[str, typer.Option(help="Reason, shown in the first note. Write no personal data.")] = "",
    queue: Annotated[Queue | None, typer.Option("--queue", help="All entries of this queue that satisfy the filters.")] = None,
    state: StateOption = None,
    outcome: OutcomeOption = None,
    epos_customer: CustomerOption = 0,
    woo_customer: ShopCustomerOption = 0,
    order: OrderOption = 0,
    email: EmailOption = "",
    text: TextOption = "",
    since: SinceOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Dismiss waiting, held and failed entries for good. Without a filter, --queue takes all of them, and asks first."""
    matching = _filter(entries, queue, state, outcome, epos_customer, woo_customer, order, email, text, since, until)

    def run(*, validate_only: bool) -> list[queue_service_pb2.DismissQueueEntriesResponse]:
        async def work(client: TillsyncClient) -> list[queue_service_pb2.DismissQueueEntriesResponse]:
            found = client.queue.dismiss(account, entry_ids=entries or (), matching=matching, reason=reason, validate_only=validate_only)
            return [chunk async for chunk in found]

        return talk(address, token, work)

    if _is_whole_queue(matching) and not (dry_run or yes):
        would_close = sum(chunk.affected_count for chunk in _before_all(lambda: run(validate_only=True)))
        _confirm(f"Dismiss {entries_counted(would_close)} of the {_queue_title(queue)} of {account} for good?", would_close)
    chunks = run(validate_only=dry_run)
    if json:
        print_json(chunks)
    else:
        affected, unchanged = (sum(getattr(chunk, f"{name}_count") for chunk in chunks) for name in ("affected", "unchanged"))
        console.print(f"{entries_counted(affected)} {'would be ' if dry_run else ''}dismissed, {_left(unchanged)}")
    _tell_failures([failure for chunk in chunks for failure in chunk.failures], json=json)


def print_entries(entries: Iterable[queue_entry_pb2.QueueEntry], *, title: str, console: Console = console) -> None:
    """The table for support: subject, time, the unbroken id to copy, state, and the complete comment."""
    shown = table(("Subject", {"width": _ID_WIDTH}), ("State", {"no_wrap": True}), "Comment", title=title)
    rows = list(entries)
    for entry in rows:
        shown.add_row(
            f"{subject(entry)}\n{when(entry.update_time)}\n{entry.entry_id}",
            state_text(code_name(vocabulary_pb2.EntryState, entry.state)),
            comment_cell(entry.comment, entry.notes),
        )
    console.print(shown if rows else f"{title}: no entries")


def subject(entry: queue_entry_pb2.QueueEntry) -> str:
    if entry.subject_label:
        return entry.subject_label
    match entry.kind:
        case vocabulary_pb2.ENTRY_KIND_CUSTOMER:
            return f"till customer {entry.epos_customer_id}"
        case vocabulary_pb2.ENTRY_KIND_CUSTOMER_TYPE:
            return f"customer type {entry.epos_customer_type_id}"
        case _:
            return f"order {entry.order_number or entry.order_id}"


def _print_problem(problem: account_pb2.AccountProblem) -> None:
    again = f", next try {when(problem.next_try_time)}" if problem.HasField("next_try_time") else ""
    waits = "Customers and customer types wait" if problem.side is vocabulary_pb2.SIDE_SHOP else "The whole account waits"
    console.print(f"{waits}: {problem.text} (since {when(problem.since)}{again})", style="bold red")


def _left(unchanged: int) -> str:
    return f"{unchanged} left as {'it is' if unchanged == 1 else 'they are'}"


def _queue_title(queue: Queue | None) -> str:
    return "whole queue" if queue is None else f"{queue.value.capitalize()} Queue"


def _is_whole_queue(matching: queue_entry_pb2.QueueFilter | None) -> bool:
    return matching is not None and matching == queue_entry_pb2.QueueFilter(queue=matching.queue)


def _before_all(count: Callable[[], Chunks]) -> Chunks:
    """Returns the effect of an action on a whole queue, so that the command can ask for a confirmation. Raises typer.Exit without a
    terminal."""
    if not sys.stdin.isatty():
        raise fail(
            "without a filter the command takes the whole queue: give --yes to confirm that, or choose by --state, --outcome, …", code=USAGE
        )
    return count()


def _confirm(question: str, count: int) -> None:
    if count and not typer.confirm(question, err=True):
        raise typer.Exit(REFUSED)


def _tell_failures(failures: list[queue_service_pb2.QueueEntryFailure], *, json: bool) -> None:
    if not failures:
        return
    if not json:
        for failure in failures:
            console.print(f"{failure.entry_id}: {failure.error.message}", style="red")
    raise typer.Exit(REFUSED)


def _queue(queue: Queue) -> vocabulary_pb2.Queue.ValueType:
    return vocabulary_pb2.Queue.Value(enum_name("QUEUE", queue))


def _states(states: list[State] | None) -> list[vocabulary_pb2.EntryState.ValueType]:
    return [vocabulary_pb2.EntryState.Value(enum_name("ENTRY_STATE", state)) for state in states or ()]


def _outcomes(codes: list[str] | None) -> list[vocabulary_pb2.Outcome.ValueType]:
    known = vocabulary_pb2.Outcome
    found = []
    for code in codes or ():
        name = enum_name("OUTCOME", code)
        if name not in known.keys() or name == "OUTCOME_UNSPECIFIED":  # noqa: SIM118 - a proto enum is no mapping
            raise ValueError(f"--outcome: there is no {code}; tillsync messages lists the codes")
        found.append(known.Value(name))
    return found


def _filter(
    entries: list[str] | None,
    queue: Queue | None,
    state: list[State] | None,
    outcome: list[str] | None,
    epos_customer: int,
    woo_customer: int,
    order: int,
    email: str,
    text: str,
    since: str | None,
    until: str | None,
) -> queue_entry_pb2.QueueFilter | None:
    """The filter of the options, or None if entry ids are given. Exactly one of the two must be given."""
    if (queue is None) == (not entries):
        raise fail("give entry ids, or --queue with filters", code=USAGE)
    if queue is None:
        return None
    try:
        return queue_entry_pb2.QueueFilter(
            queue=_queue(queue),
            states=_states(state),
            outcomes=_outcomes(outcome),
            epos_customer_id=epos_customer,
            woo_customer_id=woo_customer,
            order_id=order,
            email=email,
            text=text,
            created_after=timestamp(parse_time(since, "--since")),
            created_before=timestamp(parse_time(until, "--until")),
        )
    except ValueError as error:  # The value of an option is invalid.
        raise fail(str(error), code=USAGE) from error
