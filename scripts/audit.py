#!/usr/bin/env python3
"""Asks the advisory services of PyPI and OSV for known weaknesses of the locked packages. pip-audit sends the requests.

    python scripts/audit.py    exits with 0: no known weakness; 1: a package has one; 2: a lock file could not be audited

pip-audit has its own environment, ``.tillsync/audit``, which is installed from ``requirements/audit.txt`` with hashes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".tillsync" / "audit"
LOCK = ROOT / "requirements" / "audit.txt"
SERVICES = {"pypi": "PyPI (pypi.org)", "osv": "OSV (api.osv.dev)"}
"""The services by pip-audit's names, in the order of the requests."""
NO_WEAKNESS, WEAK, NOT_AUDITED = 0, 1, 2


@dataclass(frozen=True)
class Answer:
    """The answer of one service for one lock file.

    ``weaknesses``: one line each. ``unknown``: packages that the service does not know. ``failure``: why there is no answer. The other
    fields are then empty.
    """

    packages: int = 0
    weaknesses: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    failure: str = ""


def answer_of(printed: str, errors: str) -> Answer:
    """Reads the JSON that pip-audit printed. Without JSON the failure is the last line of ``errors``."""
    try:
        packages = json.loads(printed)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = errors.strip().splitlines()
        return Answer(failure=lines[-1][:90] if lines else "pip-audit printed nothing")
    weaknesses = tuple(
        f"{package['name']} {package['version']}: {found['id']}, {_fixed(found['fix_versions'])}"
        for package in packages
        for found in package.get("vulns", ())
    )
    return Answer(len(packages), weaknesses, tuple(package["name"] for package in packages if "skip_reason" in package))


def _fixed(versions: Sequence[str]) -> str:
    return f"fixed in {', '.join(versions)}" if versions else "no fixed version"


def report(file: str, answers: dict[str, Answer]) -> Iterator[tuple[int, str]]:
    """Yields the lines about one lock file, each with its exit code. ``answers``: by service. A service that knows all packages decides.
    Without such a service the file is not audited, but the lines still have the known weaknesses."""
    complete = next((service for service, answer in answers.items() if answer.packages and not answer.unknown), None)
    for service, answer in answers.items():
        for weakness in answer.weaknesses:
            yield WEAK, f"{file}: {weakness} (says {SERVICES[service]})"
    if complete is None:
        reasons = "; ".join(f"{SERVICES[service]}: {_reason(answer)}" for service, answer in answers.items())
        yield NOT_AUDITED, f"{file}: NOT AUDITED. {reasons}"
    elif not answers[complete].weaknesses:
        yield NO_WEAKNESS, f"{file}: no known weakness in {answers[complete].packages} packages (says {SERVICES[complete]})"


def _reason(answer: Answer) -> str:
    if answer.failure:
        return f"no answer ({answer.failure})"
    return f"does not know {len(answer.unknown)} of {answer.packages} packages" if answer.packages else "no packages"


def pip_audit() -> Path:
    """Returns the path of pip-audit, and installs it if the lock has changed. Raises CalledProcessError."""
    stamp = ENVIRONMENT / "installed.txt"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
        stamp.write_bytes(LOCK.read_bytes())
    return ENVIRONMENT / "bin" / "pip-audit"


def ask(program: Path, file: str, service: str) -> Answer:
    form = ["--format", "json", "--progress-spinner", "off", "--require-hashes", "--disable-pip"]
    run = subprocess.run(
        [program, "--vulnerability-service", service, *form, "--requirement", ROOT / file], capture_output=True, text=True, check=False
    )
    return answer_of(run.stdout, run.stderr)


def audit(program: Path, file: str) -> Iterator[tuple[int, str]]:
    """Returns the lines about one lock file. It asks a service only if the previous one did not know all packages."""
    answers: dict[str, Answer] = {}
    for service in SERVICES:
        answers[service] = ask(program, file, service)
        if answers[service].packages and not answers[service].unknown:
            break
    return report(file, answers)


def main() -> int:
    files = sorted(path.relative_to(ROOT).as_posix() for path in LOCK.parent.glob("*.txt"))
    try:
        program = pip_audit()
    except subprocess.CalledProcessError:
        sys.stdout.write("NOT AUDITED: pip-audit could not be installed\n")
        return NOT_AUDITED
    codes = set[int]()
    for file in files:
        for code, line in audit(program, file):
            codes.add(code)
            sys.stdout.write(f"{line}\n")
    return WEAK if WEAK in codes else max(codes, default=NOT_AUDITED)


if __name__ == "__main__":
    sys.exit(main())
