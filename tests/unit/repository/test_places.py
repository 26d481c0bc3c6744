"""The table "You look for / Open" of docs/architecture.md: one search for its words finds the file, and no other file."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from support.directories import REPOSITORY

ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
SERVER = "server/tillsync_server"
ROOTS = (SERVER, "wp-bridge/src")
_ROW = re.compile(r'^\| (where [^|]+) \| `([^`]+)`([^|]*) \| "([^"|]+)" \|$', re.MULTILINE)
PLACES: list[tuple[str, str, str, str]] = _ROW.findall(ARCHITECTURE.read_text(encoding="utf-8"))
EXPECTED = {
    "where a webhook comes in",
    "where an entry's state is decided",
    "where comments live",
    "where a lease is taken",
    "where held orders are requeued",
    "where a twin is prevented",
    "where a shop batch is formed",
    "where the till's limit is recognised",
    "where a site token's rights stand",
    "where retention drops rows",
    "where the plugin hands over an order",
}


def path_of(name: str) -> str:
    return name if name.startswith("wp-bridge/") else f"{SERVER}/{name}"


@cache
def sources() -> dict[str, str]:
    """The text of each source file of service and plugin, by its path."""
    return {
        path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
        for root in ROOTS
        for suffix in ("py", "sql", "php")
        for path in sorted((REPOSITORY / root).rglob(f"*.{suffix}"))
    }


def beginning(path: str, statement: str) -> str:
    """The first sentences of a Python module's docstring, of a SQL statement's header, or of a PHP file's docblock."""
    text = sources()[path]
    if path.endswith(".py"):
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0]
    if path.endswith(".sql"):
        return re.split(r"\n(?!--)", text.partition(f"-- name: {statement}\n")[2], maxsplit=1)[0]
    return text.partition("/**")[2].partition("*/")[0]


def test_the_table_has_every_place() -> None:
    assert {place for place, *_ in PLACES} >= EXPECTED
    rows = re.search(r"^\| You look for \|.*?\n\n", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert rows
    assert len(PLACES) == rows[0].count("\n| where "), "every row has the form that this test reads"


@pytest.mark.parametrize(("place", "name", "more", "words"), PLACES, ids=[place for place, *_ in PLACES])
def test_one_search_finds_the_place(place: str, name: str, more: str, words: str) -> None:
    path = path_of(name)
    statement = re.search(r"statement `(\w+)`", more)
    assert words in beginning(path, statement[1] if statement else "")
    assert [each for each, text in sources().items() if words in text] == [path]
