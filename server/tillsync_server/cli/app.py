"""The server's commands, in the order of ``tillsync --help``. The modules import only typer and rich before a command runs."""

from __future__ import annotations

import typer
from tillsync_cli.installed_commands import MACHINE_PANEL

from tillsync_server.cli import backup_commands, commands, demo_command, restore_commands

app = typer.Typer()
for name, command in (
    ("serve", commands.serve),
    ("worker", commands.worker),
    ("migrate", commands.migrate),
    ("status", commands.status),
    ("doctor", commands.doctor),
    ("backup", backup_commands.backup),
    ("restore", backup_commands.restore),
    ("after-restore", restore_commands.after_restore),
    ("reencrypt", commands.reencrypt),
    ("settings", commands.show_settings),
    ("sandbox", commands.sandbox),
    ("demo", demo_command.demo),
):
    app.command(name, rich_help_panel=MACHINE_PANEL)(command)
