"""Commands of other installed packages, and the messages of ``tillsync`` if the server is not installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints, entry_points

import pytest
import typer
from tillsync_cli import installed_commands
from tillsync_cli.installed_commands import GROUP, SERVER_COMMANDS
from tillsync_cli.main import app
from tillsync_server.cli.app import app as server_app
from typer.main import get_group
from typer.testing import CliRunner

NEEDED = "error: this command needs the server: pip install tillsync-server\n"
other_app = typer.Typer()


@other_app.command("other")
def other() -> None:
    typer.echo("other ran")


@other_app.command("serve")
def other_serve() -> None:
    typer.echo("the other's serve ran")


def install(monkeypatch: pytest.MonkeyPatch, *apps: str) -> None:
    """Makes these apps the only packages installed beside the client."""
    found = EntryPoints(EntryPoint(app, app, GROUP) for app in apps)
    monkeypatch.setattr(installed_commands, "entry_points", lambda *, group: found.select(group=group))


def test_server_commands_are_found_by_entry_point() -> None:
    assert list(installed_commands.installed_commands()) == list(SERVER_COMMANDS)
    assert [entry_point.value for entry_point in entry_points(group=GROUP)] == ["tillsync_server.cli.app:app"]


def test_known_server_commands_equal_those_of_the_server() -> None:
    assert tuple(get_group(server_app).commands) == SERVER_COMMANDS


@pytest.mark.parametrize("command", SERVER_COMMANDS)
def test_server_command_without_the_server_names_the_package(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    for arguments in ([], ["--once"], ["--till", "127.0.0.1:1", "more"]):
        run = CliRunner().invoke(app, [command, *arguments])
        assert (run.exit_code, run.stdout, run.stderr) == (1, "", NEEDED)


def test_help_and_client_commands_work_without_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    helped = CliRunner().invoke(app, ["--help"])
    assert helped.exit_code == 0
    assert all(f"│ {command} " in helped.stdout for command in (*SERVER_COMMANDS, "queue", "match"))
    assert "pip install tillsync-server" in helped.stdout
    assert CliRunner().invoke(app, ["queue", "--help"]).exit_code == 0
    assert CliRunner().invoke(app, ["nonsense"]).exit_code == 2


def test_installed_package_adds_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, f"{__name__}:other_app")
    assert CliRunner().invoke(app, ["other"]).stdout == "other ran\n"
    assert CliRunner().invoke(app, ["serve"]).stdout == "the other's serve ran\n"
    assert CliRunner().invoke(app, ["worker"]).stderr == NEEDED
