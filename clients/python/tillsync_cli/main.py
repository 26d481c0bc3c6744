"""``tillsync``: the commands that call a service over gRPC, and the commands of installed packages, such as the server's."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from tillsync_cli.installed_commands import installed_commands


class _Commands(TyperGroup):
    """Imports commands only when they are needed. `tillsync worker` does not use gRPC, which takes 14 MB."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        for add in (self._add_installed_commands, self._add_service_commands):
            if cmd_name not in self.commands:
                add()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        self._add_installed_commands()
        self._add_service_commands()
        return super().list_commands(ctx)

    def _add_installed_commands(self) -> None:
        self.commands.update(installed_commands())

    def _add_service_commands(self) -> None:
        from tillsync_cli.service_commands import app as service_app

        self.commands.update(get_group(service_app).commands)


app = typer.Typer(
    name="tillsync",
    cls=_Commands,
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


def main() -> None:
    # By default gRPC writes a raw line to stderr for each failed handshake, also of unknown clients.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    app()
