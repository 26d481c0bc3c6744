"""Finds the markers in the source and applies mutants there.

A marker is ``# invariant: NAME`` in Python, ``// invariant: NAME`` in PHP, and a pair of block comments in SQL. Any file below ``server/``
and ``wp-bridge/`` may have markers.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mutants import php, python, sql
from mutants.mutant import DoesNotApply, Mutant

ROOT = Path(__file__).resolve().parents[2]
TREES = ("server", "wp-bridge")
_NAME = r"([a-z0-9]+(?:-[a-z0-9]+)*)"
_WELL_FORMED = {
    ".py": re.compile(rf"^[ ]*# invariant: {_NAME}$", re.MULTILINE),
    ".php": re.compile(rf"^\t*// invariant: {_NAME}$", re.MULTILINE),
    ".sql": re.compile(rf"/\*\s*invariant:\s*{_NAME}\s*\*/"),
}
_ANY = re.compile(r"(?<!/)invariant:", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """``path`` is relative to the root of the repository."""

    path: Path
    text: str


def sources(root: Path = ROOT) -> list[Source]:
    """Returns all files with markers."""
    found = []
    for tree in TREES:
        for path in sorted((root / tree).rglob("*")):
            if path.suffix in _WELL_FORMED and path.is_file():
                text = path.read_text(encoding="utf-8")
                if _ANY.search(text):
                    found.append(Source(path.relative_to(root), text))
    return found


def names_in(source: Source) -> list[str]:
    """Returns the names of the markers. Raises DoesNotApply for a malformed marker."""
    names = _WELL_FORMED[source.path.suffix].findall(source.text)
    if len(names) != len(_ANY.findall(source.text)):
        raise DoesNotApply(f"{source.path}: a comment says `invariant:` and is no marker (tests/mutants/markers.py says what one is)")
    return names


def marked(root: Path = ROOT) -> Mapping[str, list[Source]]:
    """Returns the files of each marker, by its name."""
    found: defaultdict[str, list[Source]] = defaultdict(list)
    for source in sources(root):
        for name in names_in(source):
            found[name].append(source)
    return found


def mutated(mutant: Mutant, found: Mapping[str, list[Source]]) -> Source:
    """Returns the file with the mutant's change. Raises DoesNotApply."""
    places = found.get(mutant.name, [])
    if len(places) != 1:
        where = ", ".join(str(place.path) for place in places) or "nowhere"
        raise DoesNotApply(f"its marker must appear once, but appears {len(places)} times: {where}")
    (source,) = places
    match source.path.suffix:
        case ".py":
            text = python.mutated(source.text, f"# invariant: {mutant.name}", mutant.change)
            same = text == ast.unparse(ast.parse(source.text))
        case ".php":
            text = php.mutated(source.text, f"// invariant: {mutant.name}\n", mutant.change)
            same = text == source.text
        case _:
            text = sql.mutated(source.text, mutant.name, mutant.change)
            same = text == source.text
    if same:
        raise DoesNotApply("it changes nothing")
    return Source(source.path, text)
