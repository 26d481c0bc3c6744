"""The files of revisions: their order, their kinds, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tillsync_server.adapters.postgres.migrations.index_builds import IndexBuild
from tillsync_server.adapters.postgres.migrations.revisions import VERSIONS, revision_numbers, revisions


def write(directory: Path, name: str, text: str) -> Path:
    (directory / name).write_text(text)
    return directory


def test_each_revision_has_a_number_of_its_own_without_a_gap() -> None:
    numbers = revision_numbers()
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
    assert [revision.number for revision in revisions()] == numbers
    assert all(
        (bool(revision.sql.strip()), bool(revision.indexes), revision.upgrade is not None).count(True) == 1 for revision in revisions()
    )


def test_no_revision_since_0015_builds_an_index_on_a_filled_table_in_a_transaction() -> None:
    for path in VERSIONS.glob("[0-9]*.sql"):
        if path.name[:4] >= "0015" and "-- tillsync: concurrently" not in path.read_text():
            made = [line.split()[2] for line in path.read_text().splitlines() if line.startswith("CREATE TABLE")]
            for line in path.read_text().splitlines():
                if line.startswith(("CREATE INDEX", "CREATE UNIQUE INDEX")):
                    assert line.split(" ON ")[1].split()[0] in made, f"{path.name}: {line}"


def test_concurrent_revision_names_its_indexes(tmp_path: Path) -> None:
    text = """-- tillsync: concurrently
-- why
CREATE UNIQUE INDEX CONCURRENTLY a_b ON a (b, c DESC)
  WHERE b > 1;
CREATE INDEX CONCURRENTLY a_c ON a (c);"""
    (read,) = revisions(write(tmp_path, "0002_a.sql", text))
    assert read.indexes == (IndexBuild("a_b", "a", "(b, c DESC)\n  WHERE b > 1", unique=True), IndexBuild("a_c", "a", "(c)"))
    assert read.sql == ""


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("-- tillsync: concurrently\nUPDATE a SET b = 1;", "may hold `CREATE INDEX CONCURRENTLY name ON table …` alone, not: UPDATE a"),
        ("-- tillsync: concurrently\nCREATE INDEX a_b ON a (b);", "alone, not: CREATE INDEX a_b"),
        ("-- tillsync: concurrently\n", "holds no CREATE INDEX CONCURRENTLY"),
        ("-- tillsync: concurrent\nSELECT 1;", "unknown directive: concurrent"),
    ],
)
def test_file_that_breaks_the_rules_is_refused_by_its_name(tmp_path: Path, text: str, refused: str) -> None:
    with pytest.raises(ValueError, match=rf"0007_wrong\.sql .*{refused}"):
        revisions(write(tmp_path, "0007_wrong.sql", text))


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "0007_one.sql", "SELECT 1;")
    with pytest.raises(ValueError, match=r"have one number: 0007_one\.sql, 0007_two\.sql"):
        revisions(write(tmp_path, "0007_two.sql", "SELECT 1;"))


def test_least_release_is_read_from_sql_and_python(tmp_path: Path) -> None:
    write(tmp_path, "0001_a.sql", "-- tillsync: least-release 0.3.0\nSELECT 1;")
    write(tmp_path, "r0002_b.py", "LEAST_RELEASE = '0.4.0'\nasync def upgrade(step): pass\n")
    assert [revision.least_release for revision in revisions(tmp_path)] == ["0.3.0", "0.4.0"]
