"""Adds the commands of other installed packages to ``tillsync``. An entry point of the group ``tillsync.commands`` names their Typer app.

The server adds its commands this way, so the client does not import the server.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import typer
from rich.markup import escape
from typer.main import get_group

from tillsync_cli.session import fail

GROUP = "tillsync.commands"
MACHINE_PANEL = "On this machine"
SERVER_COMMANDS = (
    "serve",
    "worker",
    "migrate",
    "status",
    "doctor",
    "backup",
    "restore",
    "after-restore",
    "reencrypt",
    "settings",
    "sandbox",
    "demo",
)
"""The server's commands. Without the server the help lists them too, and each says what to install."""
_INSTALL = "pip install tillsync-server"


def installed_commands() -> dict[str, Any]:
    """All added commands by name, the server's first. Imports the apps of the entry points."""
    found = dict(get_group(_server_absent()).commands)
    for entry_point in entry_points(group=GROUP):
        found.update(get_group(entry_point.load()).commands)
    return found


def server_needed(missing: str = "") -> typer.Exit:
    """Prints on stderr what to install, and returns the exit to raise. ``missing``: the Python package that was not found."""
    return fail(f"this command needs the server{f' ({missing} is missing)' if missing else ''}: {_INSTALL}")


def _server_absent() -> typer.Typer:
    app = typer.Typer()
    text = escape(f"Needs the server: {_INSTALL}")
    any_arguments = {"allow_extra_args": True, "ignore_unknown_options": True}
    for name in SERVER_COMMANDS:
        app.command(name, rich_help_panel=MACHINE_PANEL, help=text, context_settings=any_arguments)(_absent)
    return app


def _absent() -> None:
    raise server_needed()
