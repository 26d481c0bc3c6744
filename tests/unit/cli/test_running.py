"""Imports of the server's commands, and their messages if the server is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        *((command, "pydantic_settings") for command in ("serve", "worker", "migrate", "settings")),
        ("serve", "asyncpg"),
        ("migrate", "asyncpg"),
    ],
)
def test_command_without_its_dependencies_names_the_missing_package(command: str, missing: str, tmp_path: Path) -> None:
    """Without the server's dependencies its commands name the missing package and print no traceback."""
    script = f"import sys; sys.modules[{missing!r}] = None; from tillsync_cli.main import app; app()"
    environment = {"PATH": "/usr/bin:/bin", "TILLSYNC_DATA_DIR": str(tmp_path), "COLUMNS": "200", "TILLSYNC_SECRET_KEY": "k" * 32}
    if command == "worker":
        environment["DATABASE_URL"] = "postgresql://u@127.0.0.1:1/x"
    run = subprocess.run([sys.executable, "-c", script, command], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1, run.stdout
    assert f"{missing} is missing" in run.stderr
    assert "pip install tillsync-server" in run.stderr
    assert "Traceback" not in run.stderr


def test_worker_imports_no_grpc() -> None:
    """gRPC and the messages take 14 MB in each of many worker processes."""
    script = "import sys; sys.modules.update(dict.fromkeys(('grpc', 'google', 'tillsync'))); from tillsync_cli.main import app; app()"
    environment = {
        "PATH": "/usr/bin:/bin",
        "TILLSYNC_SECRET_KEY": "k" * 32,
        "DATABASE_URL": "postgresql://u@127.0.0.1:1/x",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-c", script, "worker"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1, run.stdout
    assert "the database cannot be used" in run.stderr, "it came as far as that"


def test_a_bare_install_shows_its_help() -> None:
    missing = "('pydantic_settings', 'asyncpg', 'aiohttp', 'structlog', 'uvloop', 'cryptography', 'prometheus_client')"
    script = f"import sys; sys.modules.update(dict.fromkeys({missing})); from tillsync_cli.main import app; app()"
    run = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert "serve" in run.stdout
