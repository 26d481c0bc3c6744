"""The places of the sources that hold the version of tillsync.

    python scripts/version_places.py VERSION    writes VERSION into all of them (`make version VERSION=…`)

The first place is the version itself; the others repeat it. Changelogs keep the sections of released versions: then the new version gets a
section above them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from releases import order, read

ROOT = Path(__file__).resolve().parent.parent
FORM = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Place:
    file: str
    pattern: str
    """Its first match, with ^ and $ at each line, has the version as group 1."""
    section: str = ""
    """For a heading of a changelog: the heading of the next version, which is written above a released version's."""

    def find(self, text: str) -> re.Match[str]:
        """Raises LookupError if the text has no version at this place."""
        found = re.search(self.pattern, text, re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.file} has no version at {self.pattern}")
        return found


PLACES = (
    Place("clients/python/pyproject.toml", r'^version = "(.+)"$'),
    Place("server/pyproject.toml", r'^version = "(.+)"$'),
    Place("server/pyproject.toml", r'^    "tillsync==(.+?)",'),
    Place("CHANGELOG.md", r"^## (\S+)", "## {version} (unreleased)\n\n"),
    Place("wp-bridge/tillsync-bridge.php", r"^ \* Version: +(\S+)$"),
    Place("wp-bridge/tillsync-bridge.php", r"^const VERSION += '(.+)';$"),
    Place("wp-bridge/readme.txt", r"^Stable tag: (.+)$"),
    Place("wp-bridge/readme.txt", r"(?<=^== Changelog ==\n\n)= (.+) =$", "= {version} =\n\n"),
    Place("wp-bridge/blocks/points/editor.asset.php", r"^\t'version' +=> '(.+)',$"),
)


def versions(root: Path) -> dict[Place, str]:
    """The version at each place. Raises LookupError."""
    return {place: place.find((root / place.file).read_text(encoding="utf-8"))[1] for place in PLACES}


def write(root: Path, version: str) -> None:
    """Writes ``version`` into each place. Raises LookupError, and ReleasesError of ``releases.txt``."""
    released = {release.version for release in read(root)}
    for place, before in versions(root).items():
        path = root / place.file
        text = path.read_text(encoding="utf-8")
        found = place.find(text)
        if before == version:
            continue
        if place.section and before in released:
            text = text[: found.start()] + place.section.format(version=version) + text[found.start() :]
        else:
            text = text[: found.start(1)] + version + text[found.end(1) :]
        path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or not FORM.fullmatch(arguments[0]):
        sys.stderr.write("Give a version of three numbers: make version VERSION=1.2.3\n")
        return 2
    version, released = arguments[0], read(ROOT)
    if released and order(version) <= order(released[-1].version):
        sys.stderr.write(f"Version {version} is not newer than release {released[-1].version}: give a higher one.\n")
        return 2
    write(ROOT, version)
    files = sorted({place.file for place in PLACES})
    sys.stdout.write(
        f"{version} is in {', '.join(files)}\nWrite the new sections of both changelogs. The next make check installs that version.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
