"""``tillsync sync``, ``tillsync match`` and ``tillsync messages``: sends hints, matches orders, and lists the comments."""

from __future__ import annotations

import hashlib
from typing import Annotated

import typer
from tillsync.v1 import catalog_service_pb2, customer_sync_service_pb2, order_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient, TillsyncError
from tillsync_client.customer_sync import timestamp

from tillsync_cli.choices import TypeAction, enum_name
from tillsync_cli.output import code_name, comment_cell, console, parse_time, print_json, state_text, table, word
from tillsync_cli.session import DEFAULT_ADDRESS, REFUSED, AddressOption, JsonOption, TokenOption, fail, print_error, talk

app = typer.Typer(no_args_is_help=True, help="Enqueue a hint, so that the service reads a till customer or customer type again.")
AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]


@app.command()
def customer(
    account: AccountArgument,
    customers: Annotated[list[int], typer.Argument(metavar="TILL_CUSTOMER...", help="Ids of till customers.")],
    bulk: Annotated[bool, typer.Option("--bulk", help="Enqueue as bulk work, which runs after live work.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write the values also if the shop already has them. One customer only.")] = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Enqueue hints. The service reads the till customers again, and writes linked ones to the shop."""
    if force and len(customers) > 1:
        raise fail("--force takes one customer", code=2)
    priority = vocabulary_pb2.PRIORITY_BULK if bulk else vocabulary_pb2.PRIORITY_LIVE

    async def work(client: TillsyncClient) -> list[customer_sync_service_pb2.SyncCustomerResponse | TillsyncError]:
        if len(customers) == 1:
            return [await client.sync.sync_customer(account, customers[0], priority=priority, force=force)]
        return await client.sync.sync_customers(account, customers, priority=priority)

    results = talk(address, token, work)
    taken = [result for result in results if not isinstance(result, TillsyncError)]
    if json:
        print_json(taken)
    for wanted, result in zip(customers, results, strict=True):
        if isinstance(result, TillsyncError):
            print_error(f"till customer {wanted}: {result.message}")
        elif not json:
            console.print(f"till customer {wanted}: entry {result.entry.entry_id}{' (coalesced)' if result.coalesced else ''}")
    if len(taken) < len(results):
        raise typer.Exit(REFUSED)


@app.command("type")
def customer_type(
    account: AccountArgument,
    type_id: Annotated[int, typer.Argument(metavar="TYPE_ID", help="Id of the till's customer type.")],
    action: Annotated[
        TypeAction, typer.Argument(help="What happened to the type. It is only a hint, because the service reads the type again.")
    ] = TypeAction.UPDATE,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Enqueue a hint. The service reads the customer type again, and writes it to the shop, or deletes it there if it is gone."""
    kind = vocabulary_pb2.CustomerTypeAction.Value(enum_name("CUSTOMER_TYPE_ACTION", action))
    result = talk(address, token, lambda client: client.sync.sync_customer_type(account, type_id, kind))
    if json:
        print_json(result)
    else:
        console.print(f"customer type {type_id}: entry {result.entry.entry_id}{' (coalesced)' if result.coalesced else ''}")


def match(
    account: AccountArgument,
    order: Annotated[int, typer.Argument(metavar="ORDER", help="WooCommerce's order id.")],
    created: Annotated[str, typer.Option(help="When the order was placed: 2026-03-01T09:30.")],
    key: Annotated[str, typer.Option(help="WooCommerce's order key (wc_order_…); only its sha256 is sent.")] = "",
    number: Annotated[str, typer.Option(help="The number the shopper sees.")] = "",
    woo_customer: Annotated[int, typer.Option("--woo-customer", help="The shop customer; 0: a guest.")] = 0,
    account_email: Annotated[str, typer.Option(help="Email of the shop customer's account.")] = "",
    billing_email: Annotated[str, typer.Option(help="Email typed at the checkout.")] = "",
    first_name: Annotated[str, typer.Option(help="First name at the checkout. A new till customer gets it.")] = "",
    last_name: Annotated[str, typer.Option(help="Last name, for the same use.")] = "",
    company: Annotated[str, typer.Option(help="Company, for the same use.")] = "",
    phone: Annotated[str, typer.Option(help="Phone, for the same use.")] = "",
    rerun: Annotated[bool, typer.Option("--rerun", help="Match the order again, also if it has its customer.")] = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Find the till customer of an order. Waits up to 8 seconds.

    The service decides as for the shop itself, from the facts given here. Give all of them.

    Another time or key than the shop's means another order under the same id. Its answer replaces the former one.

    To only read the answer: `tillsync queue list ACCOUNT orders --order ORDER`.
    """

    async def work(client: TillsyncClient) -> customer_sync_service_pb2.MatchOrderCustomerResponse:
        moment = parse_time(created, "--created")
        facts = order_pb2.Order(
            order_id=order,
            order_key=hashlib.sha256((key or created).encode()).hexdigest(),
            order_number=number,
            create_time=timestamp(moment),
            woo_customer_id=woo_customer,
            account_email=account_email,
            billing_email=billing_email,
            first_name=first_name,
            last_name=last_name,
            company=company,
            phone=phone,
        )
        return await client.sync.match_order(account, facts, rerun=rerun)

    answer = talk(address, token, work)
    if json:
        print_json(answer)
        return
    shown = table("Order", "State", "Till customer", ("Comment", {"ratio": 1}))
    candidates = ", ".join(str(candidate.epos_customer_id) for candidate in answer.candidates)
    shown.add_row(
        number or str(order),
        state_text(code_name(vocabulary_pb2.EntryState, answer.entry.state)),
        str(answer.epos_customer_id or "-"),
        comment_cell(answer.comment, [*answer.notes, *([f"candidates: {candidates}"] if candidates else [])]),
    )
    console.print(shown)
    console.print(f"entry {answer.entry.entry_id}", style="dim")


def messages(address: AddressOption = DEFAULT_ADDRESS, token: TokenOption = "", json: JsonOption = False) -> None:
    """List the comments of entries, with code, meaning, remedy and the role that can act."""
    found = talk(address, token, lambda client: client.catalog.list_messages())
    if json:
        print_json(found)
        return
    shown = table("Code", "Comment", "What it means, what to do", "Who", title="Messages")
    for message in found:
        shown.add_row(
            message.code,
            message.text,
            f"{message.meaning}\n→ {message.what_to_do}",
            word(code_name(catalog_service_pb2.Responsible, message.responsible), "RESPONSIBLE"),
        )
    console.print(shown)
