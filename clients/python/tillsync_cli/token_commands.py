"""``tillsync token``: creates, lists and revokes tokens."""

from __future__ import annotations

from typing import Annotated

import typer
from tillsync.v1 import account_service_pb2, token_pb2
from tillsync_client import TillsyncClient

from tillsync_cli.choices import Role, enum_name
from tillsync_cli.output import code_name, console, print_json, table, when, word
from tillsync_cli.session import DEFAULT_ADDRESS, USAGE, AddressOption, JsonOption, TokenOption, fail, talk

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke bearer tokens.")
AccountOption = Annotated[str, typer.Option("--account", help="The account of a site token.")]


@app.command()
def create(
    role: Annotated[Role, typer.Argument(help="site (one account), service, support or admin.")],
    account: AccountOption = "",
    name: Annotated[str, typer.Option(help="Display name, for example the owner of the token.")] = "",
    connect: Annotated[bool, typer.Option("--connect", help="Print the connect string for the shop's plugin (site tokens only).")] = False,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Create a token. Its secret is shown only once."""
    if connect and role is not Role.SITE:
        raise fail("--connect is for site tokens", code=USAGE)

    async def work(client: TillsyncClient) -> account_service_pb2.CreateTokenResponse:
        return await client.accounts.create_token(token_pb2.TokenRole.Value(enum_name("TOKEN_ROLE", role)), account_id=account, name=name)

    made = talk(address, token, work)
    if json:
        print_json(made)
    elif connect:
        if not made.connect_string:
            raise fail(
                "no connect string: the service's TILLSYNC_PUBLIC_URL is not set. The token exists nevertheless; "
                f"`tillsync token revoke {made.token.token_id} --account {account}` revokes it"
            )
        console.print(made.connect_string, soft_wrap=True)
    else:
        whose = f"{role.value}{f', account {account}' if account else ''}"
        console.print(f"token {made.token.token_id} ({whose}), shown only once:", soft_wrap=True)
        console.print(made.secret, soft_wrap=True, style="bold")


@app.command("list")
def list_tokens(
    account: AccountOption = "", address: AddressOption = DEFAULT_ADDRESS, token: TokenOption = "", json: JsonOption = False
) -> None:
    """List the site tokens of an account, or without --account those of the other roles."""

    async def work(client: TillsyncClient) -> list[token_pb2.Token]:
        return [each async for each in client.accounts.list_tokens(account_id=account)]

    tokens = talk(address, token, work)
    if json:
        print_json(tokens)
        return
    shown = table("Token", "Created", "Last used", "Revoked", title="Tokens")
    for each in tokens:
        role = word(code_name(token_pb2.TokenRole, each.role), "TOKEN_ROLE")
        times = (when(each.create_time), when(each.last_used_time, empty="never"), when(each.revoke_time, empty="-"))
        shown.add_row(f"{each.token_id}\n{role}{f', {each.name}' if each.name else ''}", *(time.replace(" ", "\n") for time in times))
    console.print(shown if tokens else "no tokens")


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="As `token list` shows it; not the secret.")],
    account: AccountOption = "",
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Revoke a token. All processes refuse it within 5 seconds."""
    revoked = talk(address, token, lambda client: client.accounts.revoke_token(token_id, account_id=account))
    if json:
        print_json(revoked)
    else:
        console.print(f"token {revoked.token_id} was revoked at {when(revoked.revoke_time)}")
