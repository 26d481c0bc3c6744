"""The Makefile. `make help` lists every target, another interpreter remakes the environment, and `make unit` needs no system packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.directories import REPOSITORY

MAKEFILE = REPOSITORY / "Makefile"
NEEDED = ("clients/python/pyproject.toml", "server/pyproject.toml", "requirements/development.txt", "requirements/protoc.txt")
"""What the environment is made from."""


def make(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make in a folder with only the Makefile, without the variables of a `make` that runs this test."""
    shutil.copy(MAKEFILE, directory)
    for needed in NEEDED:
        if not (directory / needed).exists():
            (directory / needed).parent.mkdir(parents=True, exist_ok=True)
            (directory / needed).touch()
    return subprocess.run(
        ["make", *arguments], cwd=directory, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A folder that looks to the Makefile like an environment made by this interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True, timeout=60)
    for name in (*NEEDED, ".venv/.installed"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_help_names_every_target(tmp_path: Path) -> None:
    declared = re.search(r"^\.PHONY: (.*)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert declared
    helped = make(tmp_path, "help")
    assert (helped.returncode, helped.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in helped.stdout.splitlines()]
    assert {name for _, name, _ in lines} == set(declared.group(1).split()) - {"other-python"}
    assert make(tmp_path).stdout == helped.stdout


def test_make_unit_installs_no_system_packages(environment: Path) -> None:
    unit = make(environment, "-n", "unit").stdout
    assert "install_system_packages.sh" not in unit
    assert unit.split()[-1] == "tests/unit"
    assert "install_system_packages.sh" in make(environment, "-n", "test").stdout


def test_environment_is_remade_only_for_another_requested_python(environment: Path) -> None:
    other = environment / "other-python"
    other.write_text('#!/bin/sh\ncase "$2" in *base_prefix*) echo /opt/other 3 14;; *) exit "${TOO_OLD:-0}";; esac\n')
    other.chmod(0o755)
    assert "made again" not in make(environment, "-n", "unit").stdout
    assert "made again" not in make(environment, "-n", "unit", f"PYTHON={sys.executable}").stdout
    assert "made again" in make(environment, "-n", "unit", f"PYTHON={other}").stdout
    for arguments, reason in (
        (["PYTHON=/nonexistent/python"], "/nonexistent/python is missing: install Python 3.11 or newer"),
        ([f"PYTHON={other}", "TOO_OLD=1"], "Python 3.11 or newer is needed"),
    ):
        refused = make(environment, "unit", *arguments)
        assert refused.returncode != 0
        assert reason in refused.stdout
        assert (environment / ".venv" / ".installed").exists(), "an unusable interpreter keeps the environment"
