"""Builds the container image of a release, where podman, docker or buildah works. Its base image is fetched, so two builds may differ."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

BUILDERS = ("podman", "docker", "buildah")
"""In the order in which they are tried."""
_INFO_SECONDS = 20


class ImageError(Exception):
    """The builder failed. The message has its last line."""


def builder() -> str | None:
    """The first builder that is installed and works. docker without its daemon does not work."""
    return next((name for name in BUILDERS if shutil.which(name) and _works(name)), None)


def _works(name: str) -> bool:
    try:
        return subprocess.run([name, "info"], capture_output=True, check=False, timeout=_INFO_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def build_image(name: str, context: Path, tag: str, target: Path) -> None:
    """Builds ``context`` with the builder ``name`` as ``tag`` and writes the image to ``target``, for ``load``. Raises ImageError."""
    _run([name, "build", "--file", "deploy/Containerfile", "--tag", tag, "."], context)
    save = [name, "push", tag, f"docker-archive:{target}:{tag}"] if name == "buildah" else [name, "save", "--output", str(target), tag]
    _run(save, context)


def _run(command: list[str], directory: Path) -> None:
    run = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise ImageError(f"{command[0]} {command[1]} failed ({reason})")
