"""``tillsync``: the commands that run the service on this machine, and those that speak to one over gRPC."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from tillsync_cli import (
    account_commands,
    demo_command,
    link_commands,
    privacy_commands,
    queue_commands,
    server_commands,
    sync_commands,
    token_commands,
)

_OVER_GRPC = "Speaking to a service (needs TILLSYNC_TOKEN, or --token)"

app = typer.Typer(
    name="tillsync",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Customer sync between Epos Now tills and WooCommerce shops.\n\n"
    "Exit codes: 0 done · 1 refused or failed · 2 the command line or a setting is wrong · 3 the service was not reached.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tillsync {version('tillsync')}")
        raise typer.Exit


@app.callback()
def _common(
    show_version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


server_commands.register(app)
app.command(rich_help_panel="On this machine")(demo_command.demo)
for name, group in (
    ("account", account_commands.app),
    ("token", token_commands.app),
    ("link", link_commands.app),
    ("queue", queue_commands.app),
    ("sync", sync_commands.app),
    ("privacy", privacy_commands.app),
):
    app.add_typer(group, name=name, rich_help_panel=_OVER_GRPC)
app.command("match", rich_help_panel=_OVER_GRPC)(sync_commands.match)
app.command("messages", rich_help_panel=_OVER_GRPC)(sync_commands.messages)


def main() -> None:
    app()
