"""The commands that call a service over gRPC."""

from __future__ import annotations

import typer

from tillsync_cli import account_commands, bridge_commands, link_commands, privacy_commands, queue_commands, sync_commands, token_commands

_PANEL = "Speaking to a service (needs TILLSYNC_TOKEN, or --token)"

app = typer.Typer()
for name, group in (
    ("account", account_commands.app),
    ("token", token_commands.app),
    ("link", link_commands.app),
    ("queue", queue_commands.app),
    ("sync", sync_commands.app),
    ("privacy", privacy_commands.app),
    ("bridge", bridge_commands.app),
):
    app.add_typer(group, name=name, rich_help_panel=_PANEL)
app.command("match", rich_help_panel=_PANEL)(sync_commands.match)
app.command("messages", rich_help_panel=_PANEL)(sync_commands.messages)
