"""`make mutants`: each mutant is applied to a copy of the server; the named tests must fail there, and by a failure, not an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
_TESTS_FAILED = 1  # pytest's exit code; 2 to 5 are errors of the run itself, which prove nothing


def verdict(mutant: Mutant) -> str | None:
    """None when the tests caught it, else what is wrong."""
    with tempfile.TemporaryDirectory(prefix="tillsync-mutant-") as directory:
        server = Path(directory) / "server"
        shutil.copytree(ROOT / "server", server, ignore=shutil.ignore_patterns("__pycache__"))
        target = server / mutant.file
        text = target.read_text(encoding="utf-8")
        if text.count(mutant.old) != 1:
            return f"does not apply: its text stands {text.count(mutant.old)} times in {mutant.file}"
        target.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        tests, _, expression = mutant.tests.partition(" ")
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:rerunfailures", tests),
                *(["-k", f"({expression}) and not postgresql15"] if expression else []),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(server), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    if run.returncode == _TESTS_FAILED and " failed" in run.stdout:
        return None
    if run.returncode == 0:
        return "survived: the tests stayed green"
    return f"pytest ended with {run.returncode}: {run.stdout[-500:]}{run.stderr[-500:]}"


def main() -> int:
    with ThreadPoolExecutor(max_workers=2) as pool:
        verdicts = list(pool.map(verdict, MUTANTS))
    for mutant, wrong in zip(MUTANTS, verdicts, strict=True):
        fate, reason = ("caught  ", "") if wrong is None else ("SURVIVED", f" ({wrong})")
        print(f"{fate} {mutant.promise}: {mutant.what}{reason}")
    survived = sum(wrong is not None for wrong in verdicts)
    print(f"mutants: {len(MUTANTS) - survived} caught, {survived} not")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
