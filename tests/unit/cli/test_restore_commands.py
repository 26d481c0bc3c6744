"""The options of ``tillsync after-restore``, before it opens a database."""

from __future__ import annotations

import pytest
from tillsync_server.cli.app import app
from typer.testing import CliRunner


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "2999-01-01"], "--since: is in the future"),
        (["--since", "yesterday"], "--since: 'yesterday' is no time such as"),
        (["--skip", "--dry-run"], "--skip: give no other option with it"),
    ],
)
def test_contradicting_options_are_refused(options: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(app, ["after-restore", *options], env={"DATABASE_URL": "postgresql://u@127.0.0.1:1/x"})
    assert result.exit_code == 2
    assert said in result.output
