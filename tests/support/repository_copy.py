"""A copy of this repository with one commit, in which a test runs `make` and git as a person does in a clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.directories import REPOSITORY

_TIME = "2026-05-04T03:02:01+00:00"
_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_NAME": "Test" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "test@example.test" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_DATE": _TIME for role in ("AUTHOR", "COMMITTER")},
}


@dataclass(frozen=True)
class RepositoryCopy:
    root: Path

    def run(self, *command: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.root.parent), **_GIT, **(variables or {})}
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False, timeout=100)

    def git(self, *arguments: str) -> str:
        run = self.run("git", *arguments)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def commit(self) -> str:
        """Commits every change. Returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD").strip()

    def replace(self, file: str, before: str, after: str) -> None:
        text = (self.root / file).read_text(encoding="utf-8")
        assert before in text
        (self.root / file).write_text(text.replace(before, after, 1), encoding="utf-8")


def copy_repository(root: Path) -> RepositoryCopy:
    """Copies the files that git knows or would add. ``.venv`` runs the interpreter of the tests, so `make` installs nothing."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60).stdout.split("\0")
    for name in filter(None, names):
        if (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, root / name)
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (root / ".venv" / ".installed").touch()
    copied = RepositoryCopy(root)
    copied.git("init", "--quiet", "--initial-branch=main")
    copied.commit()
    return copied
