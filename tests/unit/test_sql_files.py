"""House rules of the `.sql` files that a reader cannot be trusted to keep in mind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tillsync_server.adapters.postgres.sql_files import SQL_DIRECTORY, load

FILES = sorted(SQL_DIRECTORY.rglob("*.sql"))
NAMES = [str(path.relative_to(SQL_DIRECTORY).with_suffix("")) for path in FILES]
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
    """A distributed PostgreSQL (Citus) refuses non-immutable functions there: the database's time is taken once and passed."""
    statement = load(name)
    if not WRITES.search(statement):
        return
    for keyword in ("CASE", "COALESCE", "GREATEST", "LEAST"):
        for body in bodies_of(statement, keyword):
            assert not VOLATILE.search(body), f"{name}: {keyword}{body}"


def test_the_check_above_sees_what_it_looks_for() -> None:
    assert VOLATILE.search(bodies_of("UPDATE t SET a = greatest(b, now())", "GREATEST")[0])
    assert VOLATILE.search(bodies_of("UPDATE t SET a = CASE WHEN x THEN CASE WHEN y THEN 1 END ELSE now() END", "CASE")[0])
    assert not VOLATILE.search(bodies_of("UPDATE t SET a = greatest(b, $1), c = now()", "GREATEST")[0])


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_one_statement_with_a_header(name: str) -> None:
    text = (SQL_DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
    assert text.startswith("-- "), f"{name}: a header comment says purpose, parameters, index and locks"
    assert ";" not in load(name), f"{name}: one statement, no semicolon"


def test_no_sql_is_made_by_f_string() -> None:
    pattern = re.compile(r"f\"{1,3}[^\"]*\b(SELECT|INSERT|UPDATE|DELETE)\b[^\"]*\{")
    sources = (SQL_DIRECTORY.parents[2]).rglob("*.py")
    assert [path.name for path in sources if pattern.search(path.read_text(encoding="utf-8"))] == []


def test_every_statement_is_used() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in Path(SQL_DIRECTORY.parents[2]).rglob("*.py"))
    assert [name for name in NAMES if f'load("{name}")' not in sources] == []
