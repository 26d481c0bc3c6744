"""The documents: links and named files exist, and their lists match the repository."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from mutants.catalogue import MUTANTS
from mutants.markers import marked
from support.directories import REPOSITORY
from tillsync_sandbox.till.switches import TillSwitches
from tillsync_server.domain.account import EposSettings

INVARIANTS, EPOS_NOW = REPOSITORY / "docs" / "invariants.md", REPOSITORY / "docs" / "epos-now.md"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "tests" / "README.md",
    REPOSITORY / "tests" / "wordpress" / "README.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)|\b(?:src|href)=\"([^\"]+)\"")
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"[\w.*{},-]+(?:/[\w.*{},-]+)*\.(?:css|js|md|php|png|proto|py|sh|sql|toml|txt)")
_PLACES = ("", "server/tillsync_server", "clients/python", "wp-bridge", "tests", "tests/wordpress")
"""Where a path of a document may begin, beside its own folder (docs/architecture.md says so of the layers)."""
_OF_WORDPRESS = {"wp-config.php", "wp-cron.php"}
_OF_OPERATORS = {"rings.toml", "public-keys.txt"}
_LAYERS = ("adapters/", "application/", "cli/", "composition/", "domain/", "ports/")
_ROW = re.compile(r"^\| [^|]+ \| `([a-z0-9-]+)` \| `([^`|]+)` \| `([^`|]+)` \|$", re.MULTILINE)


def words_of(page: Path) -> str:
    """The text of the page without code blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that GitHub makes of the headings. Links and code in a heading count by their words."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", words_of(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)


@cache
def files() -> frozenset[str]:
    """The files of the repository, without generated ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if listed.returncode == 0:
        return frozenset(listed.stdout.split("\n"))
    skipped = {".git", ".venv", ".tillsync"}
    return frozenset(
        str(each.relative_to(REPOSITORY)) for each in REPOSITORY.rglob("*") if not skipped.intersection(each.parts) and each.is_file()
    )


def is_there(name: str, page: Path) -> bool:
    """Whether the named file exists. A name without a folder matches a file in any folder, and ``*`` matches any text."""
    if "/" not in name:
        return any(fnmatch.fnmatchcase(each, f"*/{name}") for each in (f"/{file}" for file in files()))
    bases = [page.parent, *(REPOSITORY / place for place in _PLACES)]
    return any(any(base.glob(name)) for base in bases)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_have_targets(page: Path) -> None:
    dead: list[str] = []
    for found in _LINK.finditer(words_of(page)):
        link = found.group(1) or found.group(2)
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_named_files_exist(page: Path) -> None:
    named = {name for name in _CODE.findall(words_of(page)) if _FILE.fullmatch(name)} - _OF_WORDPRESS - _OF_OPERATORS
    assert sorted(name for name in named if not is_there(name, page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_diagrams_have_no_semicolon(page: Path) -> None:
    """Mermaid ends a message at a semicolon and draws nothing of the diagram."""
    diagrams = re.findall(r"^```mermaid\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [line for diagram in diagrams for line in diagram.splitlines() if ";" in line] == []


def test_readme_has_at_most_200_lines() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def rows_of_mechanisms() -> list[tuple[str, str, str]]:
    """(marker, file, test) of each row in the tables of docs/invariants.md."""
    return _ROW.findall(INVARIANTS.read_text(encoding="utf-8"))


def under_root(name: str) -> Path:
    return REPOSITORY / "server" / "tillsync_server" / name if name.startswith(_LAYERS) else REPOSITORY / name


@pytest.mark.parametrize(("marker", "file", "test"), rows_of_mechanisms(), ids=lambda value: Path(value).name)
def test_each_mechanism_is_in_the_file_that_the_page_names(marker: str, file: str, test: str) -> None:
    assert [REPOSITORY / source.path for source in marked().get(marker, [])] == [under_root(file)]
    assert f'catches("{marker}")' in (text := (REPOSITORY / test).read_text(encoding="utf-8")) or f"catches:{marker} " in text


def test_each_invariant_names_mechanisms() -> None:
    text = INVARIANTS.read_text(encoding="utf-8")
    headings = [*(f"## Invariant {number}" for number in range(1, 9)), "## Never a twin"]
    for heading in headings:
        section = re.split(r"^##", text.partition(f"{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
        assert _ROW.search(section), heading
    assert {marker for marker, _, _ in rows_of_mechanisms()} <= {mutant.name for mutant in MUTANTS}


_SOURCES = (".js", ".php", ".proto", ".py", ".sh", ".sql", ".toml")
_ELSEWHERE = re.compile(r"\bdesign section|\bdesign, \*|eposnow-api|\b(?:engine|field|platform|wordpress)[- ]notes\b", re.IGNORECASE)
"""Citations of texts outside the repository."""
_PAGE = re.compile(r"\bdocs/[\w/-]+\.(?:md|png)(?:#[\w-]+)?")


def test_code_cites_only_texts_of_the_repository() -> None:
    wrong: list[str] = []
    for name in sorted(each for each in files() if each.endswith(_SOURCES) and each != "tests/unit/repository/test_docs.py"):
        if not (REPOSITORY / name).is_file():
            continue
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        wrong += [f"{name}: {found}" for found in _ELSEWHERE.findall(text)]
        wrong += [
            f"{name}: invariant {number}" for number in re.findall(r"\binvariants? (\d+)", text, re.IGNORECASE) if not 1 <= int(number) <= 8
        ]
        if re.search(r"\bgrade [A-Z?]\b", text) and EPOS_NOW.name not in text:
            wrong.append(f"{name}: a grade, without the page that has the grades")
        for cited in _PAGE.findall(text):
            path, _, anchor = cited.partition("#")
            if not (REPOSITORY / path).is_file() or (anchor and anchor not in anchors(REPOSITORY / path)):
                wrong.append(f"{name}: {cited}")
    assert wrong == []


def test_every_till_switch_and_setting_is_documented() -> None:
    documented = set(_CODE.findall(EPOS_NOW.read_text(encoding="utf-8")))
    assert {field.name for field in dataclasses.fields(TillSwitches)} - documented == set()
    credentials = {"api_key", "api_secret", "webhook_key", "webhook_secret"}
    settings = {field.name for field in dataclasses.fields(EposSettings)} - credentials
    assert {f"epos.{name}" for name in settings} - documented == set()
