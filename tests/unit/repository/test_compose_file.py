"""docker compose reads deploy/compose.yaml, and the file keeps the rules of a small server: what is reached, kept, limited and in order."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.directories import REPOSITORY
from support.programs import program, version
from support.service import command_environment
from tillsync_server.adapters.postgres.embedded.wheel import wheel_bin_dir
from tillsync_server.composition.settings import load_settings, variables

pytestmark = pytest.mark.program("compose")
DEPLOY = REPOSITORY / "deploy"
LONG_RUNNING, ONCE, TOOLS = {"postgres", "tillsync", "caddy"}, {"migrate"}, {"backup", "restore"}


def compose(*arguments: str, env_file: Path = DEPLOY / "example.env") -> subprocess.CompletedProcess[str]:
    command = [str(program("compose")), "--file", str(DEPLOY / "compose.yaml"), "--env-file", str(env_file), *arguments]
    return subprocess.run(command, env=command_environment(), capture_output=True, text=True, check=False, timeout=60)


@cache
def composed() -> dict[str, Any]:
    """The file as docker compose understands it, with all profiles."""
    ran = compose("--profile", "*", "config", "--format", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    read: dict[str, Any] = json.loads(ran.stdout)
    return read


def services() -> dict[str, dict[str, Any]]:
    return dict(composed()["services"])


def seconds(duration: str) -> int:
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found, duration
    return int(found[1] or 0) * 60 + int(found[2] or 0)


def test_up_starts_the_long_running_services_and_migrate() -> None:
    assert set(services()) == LONG_RUNNING | ONCE | TOOLS
    assert {name for name, each in services().items() if not each.get("profiles")} == LONG_RUNNING | ONCE
    restarts = {name: each["restart"] for name, each in services().items()}
    assert restarts == {name: "unless-stopped" if name in LONG_RUNNING else "no" for name in services()}


def test_images_have_the_tested_versions() -> None:
    programs = wheel_bin_dir()
    assert programs is not None
    postgres = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    of_postgres = f"docker.io/library/postgres:{postgres}"
    own = "tillsync:here"
    assert {name: each["image"] for name, each in services().items()} == {
        "postgres": of_postgres,
        "backup": of_postgres,
        "restore": of_postgres,
        "caddy": f"docker.io/library/caddy:{version('caddy')}",
        "migrate": own,
        "tillsync": own,
    }
    builds = [services()[name]["build"] for name in ("migrate", "tillsync")]
    assert builds == [{"context": str(REPOSITORY), "dockerfile": "deploy/Containerfile"}] * 2


def test_only_caddy_is_reached_from_outside() -> None:
    ports = {name: [port["published"] for port in each["ports"]] for name, each in services().items() if "ports" in each}
    assert ports == {"caddy": ["80", "443"]}
    networks = {name: set(each["networks"]) for name, each in services().items()}
    assert networks == {
        **{name: {"database"} for name in ("postgres", "migrate", "backup", "restore")},
        "tillsync": {"database", "web"},
        "caddy": {"web"},
    }
    assert composed()["networks"]["database"]["internal"] is True
    assert not composed()["networks"]["web"].get("internal"), "the service calls tills and shops"


def test_each_service_has_limits_and_no_needless_rights() -> None:
    for name, each in services().items():
        assert 128 * 2**20 <= int(each["mem_limit"]) <= 1024 * 2**20, name
        assert each["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
        if name != "postgres":  # its image begins as root and changes the owner of its volume
            assert (each["cap_drop"], each["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
    assert {name: each["cap_add"] for name, each in services().items() if "cap_add" in each} == {"caddy": ["NET_BIND_SERVICE"]}
    assert sum(int(services()[name]["mem_limit"]) for name in LONG_RUNNING) < 1536 * 2**20, "docs/operating/install.md says 2 GB"


def test_the_order_of_start_and_stop() -> None:
    """docker compose stops each service before those that it depends on: Caddy, then tillsync, then PostgreSQL."""
    waits = {
        name: {needed: condition["condition"] for needed, condition in each.get("depends_on", {}).items()}
        for name, each in services().items()
    }
    healthy, done = "service_healthy", "service_completed_successfully"
    assert waits == {
        "postgres": {},
        **{name: {"postgres": healthy} for name in ("migrate", "backup", "restore")},
        "tillsync": {"postgres": healthy, "migrate": done},
        "caddy": {"tillsync": healthy},
    }
    assert set(LONG_RUNNING) == {name for name, each in services().items() if "healthcheck" in each}
    settings = load_settings({})
    assert seconds(services()["tillsync"]["stop_grace_period"]) >= settings.drain_delay + 3 * settings.drain_seconds
    assert [services()["migrate"]["command"], services()["tillsync"]["command"]] == [["migrate"], ["serve"]]


def test_secrets_are_files_and_settings_exist() -> None:
    for name in ("migrate", "tillsync"):
        given = services()[name]["environment"]
        files = {key: value for key, value in given.items() if key.endswith("_FILE")}
        secrets = {secret["target"] for secret in services()[name]["secrets"]}
        assert set(files.values()) == secrets, name
        assert {key.removesuffix("_FILE") for key in files} == {"DATABASE_URL", "TILLSYNC_SECRET_KEY", "TILLSYNC_ADMIN_TOKEN"}
        others = {key: value for key, value in given.items() if key not in files and key != "TILLSYNC_TOKEN"}
        assert set(others) <= set(variables()), name
        assert load_settings(others).public_url == "https://sync.example.test"
        assert given["TILLSYNC_TOKEN"].removeprefix("@") in secrets
    named = {"postgres-password", "database-url", "secret-key", "admin-token"}
    assert {name: Path(each["file"]).relative_to(DEPLOY).as_posix() for name, each in composed()["secrets"].items()} == {
        name: f"secrets/{name}" for name in named
    }
    assert {key for each in services().values() for key in each.get("environment", {}) if key.endswith("PASSWORD")} == set()


def test_each_mounted_file_is_in_the_repository_and_data_is_kept_out_of_the_image() -> None:
    binds = {mount["source"] for each in services().values() for mount in each.get("volumes", []) if mount["type"] == "bind"}
    kept_out = {"backups", "certificates"}
    for source in (Path(bind).relative_to(DEPLOY).as_posix() for bind in binds):
        assert source in kept_out or (DEPLOY / source).is_file(), source
    for name in (".dockerignore", ".gitignore"):
        ignored = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
        of_deploy = {line.removeprefix("deploy/").rstrip("/") for line in ignored if line.startswith("deploy/")}
        assert of_deploy == kept_out | {"secrets", ".env"}, name
    volumes = {(name, mount["source"], mount["target"]) for name, each in services().items() for mount in each.get("volumes", [])}
    assert {each for each in volumes if not each[1].startswith("/")} == {
        ("postgres", "postgres", "/var/lib/postgresql"),
        ("caddy", "caddy", "/data"),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("CERTIFICATE=operator@example.test\n", "name the host in deploy/.env"),
        ("SITE_ADDRESS=sync.example.test\n", "give an email address or two paths in deploy/.env"),
    ],
)
def test_a_missing_line_of_env_is_named(tmp_path: Path, given: str, said: str) -> None:
    (tmp_path / "env").write_text(given, encoding="utf-8")
    ran = compose("config", env_file=tmp_path / "env")
    assert ran.returncode != 0
    assert said in ran.stderr
