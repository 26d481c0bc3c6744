"""House rules of the ``.sql`` files, checked by machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tillsync_server
from tillsync_server.adapters.postgres.statements import CITUS_STATEMENTS, STATEMENTS, load, read_statements

SERVER = Path(tillsync_server.__file__).parent
FILES = sorted(path for path in SERVER.rglob("*.sql") if path.parent.name != "versions")
"""All but the migrations."""
NAMES = sorted(STATEMENTS)
WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b")
VOLATILE = re.compile(r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|random|gen_random_uuid|nextval)\s*\(", re.I)


def bodies_of(statement: str, keyword: str) -> list[str]:
    """The text inside each ``keyword( … )``, or for CASE up to its END."""
    found = []
    for match in re.finditer(rf"\b{keyword}\b", statement, re.IGNORECASE):
        depth, start = 0, match.end()
        if keyword == "CASE":
            for token in re.finditer(r"\b(CASE|END)\b", statement[match.start() :], re.IGNORECASE):
                depth += 1 if token[0].upper() == "CASE" else -1
                if depth == 0:
                    found.append(statement[match.start() : match.start() + token.end()])
                    break
            continue
        for position in range(start, len(statement)):
            depth += {"(": 1, ")": -1}.get(statement[position], 0)
            if depth == 0:
                found.append(statement[start : position + 1])
                break
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_volatile_time_inside_case_coalesce_or_greatest_of_writes(name: str) -> None:
    """A distributed PostgreSQL (Citus) refuses non-immutable functions there. Statements take the database time once and pass it."""
    statement = load(name)
    if not WRITES.search(statement):
        return
    for keyword in ("CASE", "COALESCE", "GREATEST", "LEAST"):
        for body in bodies_of(statement, keyword):
            assert not VOLATILE.search(body), f"{name}: {keyword}{body}"


def test_volatile_time_check_finds_violations() -> None:
    assert VOLATILE.search(bodies_of("UPDATE t SET a = greatest(b, now())", "GREATEST")[0])
    assert VOLATILE.search(bodies_of("UPDATE t SET a = CASE WHEN x THEN CASE WHEN y THEN 1 END ELSE now() END", "CASE")[0])
    assert not VOLATILE.search(bodies_of("UPDATE t SET a = greatest(b, $1), c = now()", "GREATEST")[0])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_named_part_of_a_file_is_one_statement_with_a_header(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("-- name: "), f"{path.name}: a file begins with a statement"
    assert text.count("\n") <= 400, f"{path.name}: a file of more than 400 lines is two topics"
    for part in text.removeprefix("-- name: ").split("\n-- name: "):
        name, text_of_statement = part.split("\n", 1)
        assert text_of_statement.startswith("-- "), f"{name}: a header comment says purpose, parameters, index and locks"
        statements = CITUS_STATEMENTS if path.name.endswith(".citus.sql") else STATEMENTS
        assert ";" not in statements[f"{path.parent.name}/{name}"], f"{name}: one statement, no semicolon"


def test_every_named_statement_is_loaded() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    assert sum(len(re.findall(r"^-- name: ", text, re.MULTILINE)) for text in texts) == len(NAMES) + len(CITUS_STATEMENTS)


@pytest.mark.parametrize("name", sorted(CITUS_STATEMENTS))
def test_statement_of_citus_replaces_one_with_the_same_parameters(name: str) -> None:
    parameter = re.compile(r"\$(\d+)")
    assert set(parameter.findall(CITUS_STATEMENTS[name])) == set(parameter.findall(load(name)))
    assert list(STATEMENTS.values()).count(load(name)) == 1, "the text names the statement"


def room(root: Path, **topics: str) -> Path:
    (root / "room").mkdir()
    for topic, text in topics.items():
        (root / "room" / f"{topic}.sql").write_text(text, encoding="utf-8")
    return root


def test_statements_are_read_by_room_and_name(tmp_path: Path) -> None:
    first = "-- name: one\n-- Why. $1 id.\nSELECT 1\n  -- of us\n\nFROM t\n\n-- name: two\n-- Why.\nSELECT 2\n"
    found = read_statements(room(tmp_path, first=first, second="-- name: three\nSELECT 3"))
    assert found == {"room/one": "SELECT 1\n\nFROM t", "room/two": "SELECT 2", "room/three": "SELECT 3"}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("-- name: one\nSELECT 1\n-- name: one\nSELECT 2", "", "two statements with the name one"),
        ("-- name: one\nSELECT 1", "-- name: one\nSELECT 2", "second.sql: the room room has two statements with the name one"),
        ("SELECT 1", "", "first.sql: the first line must be"),
        ("-- Why.\n-- name: one\nSELECT 1", "", "first.sql: the first line must be"),
        ("-- name:\nSELECT 1", "", "must name one statement"),
        ("-- name: One!\nSELECT 1", "", "must name one statement"),
        ("--name : one two\nSELECT 1", "", "must name one statement"),
        ("-- name: one\n-- Why.\n-- name: two\nSELECT 1", "", "-- name: one` must name one statement"),
    ],
)
def test_malformed_sql_file_is_refused(tmp_path: Path, first: str, second: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_statements(room(tmp_path, first=first, second=second))


def test_missing_statement_error_names_it() -> None:
    with pytest.raises(LookupError, match=r"no topic file has the statement engine/leese \(`-- name: leese` in room engine\)"):
        load("engine/leese")


def test_no_sql_is_built_by_f_string() -> None:
    pattern = re.compile(r"f\"{1,3}[^\"]*\b(SELECT|INSERT|UPDATE|DELETE)\b[^\"]*\{")
    assert [path.name for path in SERVER.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))] == []


def test_every_statement_is_used() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SERVER.rglob("*.py"))
    assert [name for name in NAMES if f'load("{name}")' not in sources] == []
