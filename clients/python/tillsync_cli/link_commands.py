"""``tillsync link``: links of till customers with shop customers, and a person's decisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from tillsync.v1 import link_pb2
from tillsync_client import TillsyncClient

from tillsync_cli.output import code_name, console, counted, print_json, table, when, word
from tillsync_cli.session import DEFAULT_ADDRESS, AddressOption, JsonOption, TokenOption, fail, talk

app = typer.Typer(no_args_is_help=True, help="List, make and remove links; choose the customer of a held order.")

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]
EposOption = Annotated[int | None, typer.Option("--epos-customer", help="The till customer.", show_default=False)]
WooOption = Annotated[int | None, typer.Option("--woo-customer", help="The shop customer.", show_default=False)]
EntryArgument = Annotated[str, typer.Argument(metavar="ENTRY", help="Entry id of the held order.")]


@app.command("list")
def list_links(
    account: AccountArgument,
    epos_customer: EposOption = None,
    woo_customer: WooOption = None,
    broken: Annotated[bool, typer.Option("--broken", help="Only links with a customer that was found gone.")] = False,
    unconfirmed: Annotated[
        bool, typer.Option("--unconfirmed", help="Only links that were made by an unconfirmed email, and not by hand.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of links.")] = 200,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """List links by till customer."""

    async def work(client: TillsyncClient) -> list[link_pb2.Link]:
        found: list[link_pb2.Link] = []
        links = client.links.list_links(
            account,
            epos_customer_id=epos_customer or 0,
            woo_customer_id=woo_customer or 0,
            broken_only=broken,
            unconfirmed_only=unconfirmed,
            page_size=min(limit, 500),
        )
        async for link in links:
            found.append(link)
            if len(found) == limit:
                break
        return found

    links = talk(address, token, work)
    if json:
        print_json(links)
        return
    shown = table("Till customer", "Shop customer", "Made", "How", "Shown because", "Values of", "State", title=f"Links of {account}")
    for link in links:
        shown.add_row(
            str(link.epos_customer_id),
            str(link.woo_customer_id),
            when(link.create_time),
            word(code_name(link_pb2.LinkOrigin, link.origin), "LINK_ORIGIN"),
            word(code_name(link_pb2.LinkGround, link.ground), "LINK_GROUND"),
            when(link.as_of, empty="not written yet"),
            _state(link),
        )
    console.print(shown if links else "no links")


@app.command()
def create(
    account: AccountArgument,
    epos_customer: Annotated[int, typer.Argument(metavar="TILL_CUSTOMER")],
    woo_customer: Annotated[int, typer.Argument(metavar="SHOP_CUSTOMER")],
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Link two customers. The service requeues held orders of the shop customer, and writes the points to the shop at once."""
    made = talk(address, token, lambda client: client.links.create_link(account, epos_customer, woo_customer))
    if json:
        print_json(made)
    else:
        console.print(f"till customer {epos_customer} is linked to shop customer {woo_customer}")
        console.print(f"{_run_again(made.released_order_count, 'held')}; entry {made.refresh_entry_id} brings the points")


@app.command()
def delete(
    account: AccountArgument,
    epos_customer: EposOption = None,
    woo_customer: WooOption = None,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Remove the link of a customer. The service removes its values from the shop, and no order links these customers again."""

    if (epos_customer is None) == (woo_customer is None):
        raise fail("give exactly one of --epos-customer and --woo-customer", code=2)
    named = {"epos_customer_id": epos_customer, "woo_customer_id": woo_customer}
    removed = talk(address, token, lambda client: client.links.delete_link(account, **named))
    if json:
        print_json(removed)
    else:
        console.print(f"till customer {removed.link.epos_customer_id} is no longer linked to shop customer {removed.link.woo_customer_id}")
        console.print(f"entry {removed.removal_entry_id} removes the values of tillsync from the shop")


@app.command()
def candidates(
    account: AccountArgument,
    entry: EntryArgument,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Show the till customers that a held order may belong to, side by side."""
    found = talk(address, token, lambda client: client.links.list_candidates(account, entry))
    if json:
        print_json(found)
    else:
        _print_customers(found.candidates, title=f"Candidates for {found.entry.subject_label}")


@app.command()
def search(
    account: AccountArgument,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A till customer's id, email, or part of a name.")],
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Search the till's customers."""
    found = talk(address, token, lambda client: client.links.search_epos_customers(account, query))
    if json:
        print_json(found)
        return
    _print_customers(found.customers, title="Till customers")
    if found.truncated:
        console.print("there may be more: make the query narrower", style="dim")


@app.command()
def resolve(
    account: AccountArgument,
    entry: EntryArgument,
    epos_customer: Annotated[int, typer.Argument(metavar="TILL_CUSTOMER")],
    link: Annotated[bool, typer.Option("--link", help="Also link the order's shop customer to this till customer.")] = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Give a held order its till customer, and requeue the person's other held orders."""
    done = talk(address, token, lambda client: client.links.resolve_order(account, entry, epos_customer, create_link=link))
    if json:
        print_json(done)
    else:
        console.print(f"{done.entry.subject_label or entry} goes to till customer {epos_customer}{' and is linked' if link else ''}")
        console.print(_run_again(done.released_order_count, "further held"))


def _run_again(orders: int, which: str) -> str:
    return f"{counted(orders, f'{which} order runs', f'{which} orders run')} again"


def _print_customers(customers: Iterable[link_pb2.EposCustomer], *, title: str) -> None:
    rows = list(customers)
    whole = {"no_wrap": True}
    shown = table(("Id", whole), "Name", "Email", "Card", "Points", "Balance", ("Signed up", whole), "Linked to", title=title)
    for customer in rows:
        shown.add_row(
            str(customer.epos_customer_id),
            customer.name or "-",
            customer.masked_email or "-",
            customer.card_number or "-",
            customer.points,
            customer.balance,
            customer.sign_up_date.partition("T")[0] or "-",
            str(customer.linked_woo_customer_id or "-"),
        )
    console.print(shown if rows else f"{title}: none")


def _state(link: link_pb2.Link) -> str:
    if link.usable:
        return "usable"
    gone = [side for side, stamp in (("till", link.epos_gone_time), ("shop", link.woo_gone_time)) if stamp.seconds]
    return f"broken: customer gone in the {' and the '.join(gone)}"
