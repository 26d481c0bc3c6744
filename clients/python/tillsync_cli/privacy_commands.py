"""``tillsync privacy``: exports or erases what is stored about one person."""

from __future__ import annotations

from typing import Annotated

import typer
from tillsync.v1 import privacy_service_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient

from tillsync_cli.output import console, print_json, table, when
from tillsync_cli.session import DEFAULT_ADDRESS, REFUSED, USAGE, AddressOption, JsonOption, TokenOption, fail, talk

app = typer.Typer(no_args_is_help=True, help="Export or erase all stored data of one person.")
_NOTHING = "nothing is kept about this person"
_SIDES = {vocabulary_pb2.SIDE_TILL: "Epos Now", vocabulary_pb2.SIDE_SHOP: "the shop"}
AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account.")]
EmailOption = Annotated[str, typer.Option("--email", help="Account or billing email.", rich_help_panel="Person")]
ShopCustomerOption = Annotated[int, typer.Option("--woo-customer", help="The shop customer's id.", min=0, rich_help_panel="Person")]
TillCustomerOption = Annotated[int, typer.Option("--till-customer", help="The till customer's id.", min=0, rich_help_panel="Person")]


@app.command()
def export(
    account: AccountArgument,
    email: EmailOption = "",
    woo_customer: ShopCustomerOption = 0,
    till_customer: TillCustomerOption = 0,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Print all stored data of a person, with full email addresses. Also names the person's other ids, and a side that was not asked."""
    _require_person(email, woo_customer, till_customer)

    async def work(client: TillsyncClient) -> privacy_service_pb2.ExportPersonResponse:
        whole = privacy_service_pb2.ExportPersonResponse()
        pages = client.privacy.export_person_pages(account, email=email, woo_customer_id=woo_customer, epos_customer_id=till_customer)
        async for page in pages:
            whole.MergeFrom(page)
        whole.ClearField("next_page_token")
        return whole

    answer = talk(address, token, work)
    if json:
        print_json(answer)
        return
    shown = table("Record", "Made", "What it holds", title=f"Kept about this person in {account}")
    for record in answer.records:
        content = "\n".join(f"{one.label}: {one.value}" for one in record.fields)
        shown.add_row(f"{record.category.replace('_', ' ')}\n{record.record_id}", when(record.create_time), content)
    console.print(shown if answer.records else _NOTHING)
    _print_who(answer)


@app.command()
def erase(
    account: AccountArgument,
    email: EmailOption = "",
    woo_customer: ShopCustomerOption = 0,
    till_customer: TillCustomerOption = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Erase a person from links, queues, history, answers and creates, and the values of tillsync from the shop. Exit code 1 means that
    some records must stay for now: repeat the command later."""
    _require_person(email, woo_customer, till_customer)
    if not (dry_run or yes or typer.confirm("Erase this person for good?")):
        raise typer.Exit(REFUSED)

    async def work(client: TillsyncClient) -> privacy_service_pb2.ErasePersonResponse:
        return await client.privacy.erase_person(
            account, email=email, woo_customer_id=woo_customer, epos_customer_id=till_customer, validate_only=dry_run
        )

    answer = talk(address, token, work)
    if json:
        print_json(answer)
    else:
        shown = table("Records", "Count", "What becomes of them", title="Would be erased" if dry_run else "Erased")
        for erased in answer.erased:
            shown.add_row(erased.category.replace("_", " "), str(erased.count), "would go" if dry_run else "gone")
        for kept in answer.retained:
            shown.add_row(kept.category.replace("_", " "), str(kept.count), f"stays until {when(kept.retry_time)}: {kept.reason}")
        console.print(shown if answer.erased or answer.retained else _NOTHING)
        _print_who(answer)
    if answer.retained and not dry_run:
        raise typer.Exit(REFUSED)


def _print_who(answer: privacy_service_pb2.ExportPersonResponse | privacy_service_pb2.ErasePersonResponse) -> None:
    for alias in answer.also_known_as:
        name = f"{alias.kind.replace('_', ' ')} {alias.value}"
        console.print(
            f"also known as {name}: {alias.reason}" if alias.followed else f"not followed: {name}: {alias.reason}; ask for it by itself"
        )
    for side in answer.sides_not_asked:
        console.print(f"not asked: {_SIDES.get(side.side, 'a side')}: {side.reason}")


def _require_person(email: str, woo_customer: int, till_customer: int) -> None:
    if not (email or woo_customer or till_customer):
        raise fail("name the person: give --email, --woo-customer or --till-customer", code=USAGE)
