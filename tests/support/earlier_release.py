"""An earlier state of this repository, for tests of today's parts with installed older ones."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

from support.directories import REPOSITORY

COMMIT = "417c0188c4ede90636e0400d72596f26a5738e3b"
"""The last commit that speaks only version 1 of the bridge's wire, and refuses unknown fields in both directions."""
FIRST_RELEASE = "1b848a5fa762c0e43a99537fcfb496906dc27e8a"
"""The commit of release 0.1.0 (releases.txt)."""
THING = f"the history back to commit {COMMIT[:7]}"
"""Name of the missing thing in the closing lines if the repository is a shallow clone or no repository."""


def newest_release() -> str:
    """The commit of the newest release, which is the last word of ``releases.txt``."""
    return (REPOSITORY / "releases.txt").read_text(encoding="utf-8").split()[-1]


@cache
def at_hand() -> bool:
    try:
        found = subprocess.run(["git", "-C", str(REPOSITORY), "cat-file", "-e", f"{COMMIT}^{{commit}}"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return found.returncode == 0


def unpack(directory: Path, commit: str = COMMIT) -> Path:
    """Unpacks the commit's ``server``, ``clients`` and, from the plugin's zip, ``tillsync-bridge`` into ``directory``."""
    packed, target = directory / "earlier.tar", directory / "earlier"
    parts = ("wp-bridge", "scripts", "server", "clients")
    subprocess.run(["git", "-C", str(REPOSITORY), "archive", f"--output={packed}", commit, *parts], check=True, capture_output=True)
    target.mkdir()
    subprocess.run(["tar", "-xf", str(packed), "-C", str(target)], check=True)
    subprocess.run([sys.executable, str(target / "scripts/bridge_zip.py"), str(target / "bridge.zip")], check=True, capture_output=True)
    with zipfile.ZipFile(target / "bridge.zip") as plugin:
        plugin.extractall(target)
    return target


def python_path(earlier: Path) -> str:
    """PYTHONPATH that puts the earlier packages before the installed ones of the same name."""
    return os.pathsep.join((str(earlier / "server"), str(earlier / "clients/python")))
