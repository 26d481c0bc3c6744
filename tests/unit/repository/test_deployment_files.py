"""The files of deploy/: the unit of systemd, its settings, the Containerfile and the compose file fit the service.

test_compose_file.py reads the compose file with docker compose.
"""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from support.directories import REPOSITORY
from tillsync_server.composition.settings import load_settings, secret_variables, variables
from tillsync_server.composition.settings.setting import file_variable

DEPLOY = REPOSITORY / "deploy"
INSTALL_PAGE = (REPOSITORY / "docs" / "operating" / "install.md").read_text(encoding="utf-8")
KNOWN = {*variables(), *map(file_variable, secret_variables())}
OF_COMMANDS = {"TILLSYNC_TOKEN"}
"""Read by the commands that run in a container (tillsync_cli/session.py)."""


def unit() -> ConfigParser:
    parsed = ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string((DEPLOY / "tillsync.service").read_text(encoding="utf-8"))
    return parsed


@pytest.mark.systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """The unit gets this environment's program, because systemd checks that it exists."""
    text = (DEPLOY / "tillsync.service").read_text(encoding="utf-8")
    copy = tmp_path / "tillsync.service"
    copy.write_text(text.replace("/opt/tillsync/bin/tillsync", str(Path(sys.executable).with_name("tillsync"))), encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_unit_runs_the_program_that_the_page_installs() -> None:
    service = unit()["Service"]
    assert service["ExecStart"] == "/opt/tillsync/bin/tillsync serve"
    assert "python3 -m venv /opt/tillsync" in INSTALL_PAGE
    assert f"useradd --system --home-dir /var/lib/{service['StateDirectory']} " in INSTALL_PAGE
    assert service["EnvironmentFile"].removeprefix("-") in INSTALL_PAGE
    assert service["Environment"] == f"TILLSYNC_DATA_DIR=/var/lib/{service['StateDirectory']}"


def test_unit_stop_timeout_covers_the_longest_stop() -> None:
    settings = load_settings({})
    service = unit()["Service"]
    assert int(service["TimeoutStopSec"]) >= settings.drain_delay + 3 * settings.drain_seconds
    assert service["KillMode"] == "mixed", "the service stops its PostgreSQL itself, last"


def test_unit_settings_are_valid() -> None:
    lines = [line for line in (DEPLOY / "tillsync.env").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    assert set(given) - KNOWN == set()
    problems = load_settings(given).problems()
    assert [problem for problem in problems if "cannot be read" not in problem] == [], "but for the certificate, which is not here"


@pytest.mark.parametrize("name", ["Containerfile", "compose.yaml"])
def test_container_settings_exist(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:TILLSYNC_[A-Z_]+|DATABASE_URL(?:_FILE)?)\b", text))
    assert named
    assert named - KNOWN - OF_COMMANDS == set()


def test_container_settings_are_valid_behind_a_proxy() -> None:
    container = dict(re.findall(r"\b(TILLSYNC_[A-Z_]+)=(\S+)", (DEPLOY / "Containerfile").read_text(encoding="utf-8")))
    assert load_settings(container).problems() == [
        "TILLSYNC_GRPC_LISTEN or TILLSYNC_HTTP_LISTEN reaches beyond loopback without TLS: set TILLSYNC_TLS_CERT_FILE and "
        "TILLSYNC_TLS_KEY_FILE, or TILLSYNC_ALLOW_PLAINTEXT=true behind a proxy that ends TLS"
    ], "a container alone says what is missing"
    assert load_settings(container | {"TILLSYNC_ALLOW_PLAINTEXT": "true"}).problems() == []
    assert 'TILLSYNC_ALLOW_PLAINTEXT: "true"' in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")


def test_image_contains_no_secrets() -> None:
    assert "deploy/secrets" in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "deploy/secrets/" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_patroni_acknowledges_no_commit_that_one_machine_alone_has() -> None:
    text = (DEPLOY / "high-availability" / "patroni.yml").read_text(encoding="utf-8")
    settings = dict(re.findall(r"^ +([a-z_]+): +\"?([a-z0-9]+)\"?(?: +#.*)?$", text, re.MULTILINE))
    assert (settings["synchronous_mode"], settings["synchronous_mode_strict"], settings["synchronous_commit"]) == ("true", "true", "on")
    assert int(settings["loop_wait"]) + 2 * int(settings["retry_timeout"]) <= int(settings["ttl"])
