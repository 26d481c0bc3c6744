"""Each mutant applies, and its marker and tests exist. `make mutants` shows whether the tests catch it."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from mutants import php, python, sql
from mutants.catalogue import MUTANTS
from mutants.markers import Source, marked, mutated, names_in
from mutants.mutant import (
    Change,
    DoesNotApply,
    Mutant,
    becomes,
    begins_with,
    catches,
    condition,
    drop,
    value,
)
from mutants.runs import Fate, names_in_tests, verdict

PHP = Path("/usr/bin/php8.2")
NAMES = {mutant.name for mutant in MUTANTS}
MARKED = marked()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_applies_and_compiles(mutant: Mutant) -> None:
    source = mutated(mutant, MARKED)
    if source.path.suffix == ".py":
        ast.parse(source.text)
    elif source.path.suffix == ".php" and PHP.exists():
        run = subprocess.run([PHP, "-l"], input=source.text, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stdout


def test_markers_mutants_and_tests_name_the_same_invariants() -> None:
    assert [name for name, count in Counter(mutant.name for mutant in MUTANTS).items() if count > 1] == []
    assert set(MARKED) - NAMES == set(), "markers without a mutant"
    assert {name for name, places in MARKED.items() if len(places) > 1} == set(), "markers that stand twice"
    assert NAMES - set(MARKED) == set(), "mutants without a marker"
    assert NAMES - names_in_tests() == set(), "mutants that no test catches"
    assert names_in_tests() - NAMES == set(), "tests that catch what is no mutant"


# dependencies of a change

PYTHON = """
async def send(answer, *, permit=None):
    # invariant: marked
    if answer and permit:
        return await answer(first=answer, permit=permit)
    return None
"""


def in_python(body: str, change: Change) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    text = python.mutated(f"async def made():\n{lines}\n", "# invariant: marked", change)
    return "\n".join(line[4:] for line in text.splitlines()[1:])


@pytest.mark.parametrize(
    ("body", "change", "expected"),
    [
        ("# invariant: marked\nsay(1)", drop(), "pass"),
        ("# invariant: marked\n# and why\n\nsay(1)", drop(), "pass"),
        ("# invariant: marked\nwhile a(\n    b\n):\n    say(1)", condition("False"), "while False:\n    say(1)"),
        ("if a:\n    say(1)\n# invariant: marked\nelif b:\n    say(2)", condition("True"), "if a:\n    say(1)\nelif True:\n    say(2)"),
        ("# invariant: marked\nreturn a if b else c", condition("True"), "return a if True else c"),
        ("# invariant: marked\nreturn a < b", value("False"), "return False"),
        ("# invariant: marked\nx: int = (\n    1\n)", value("2"), "x: int = 2"),
        ("# invariant: marked\nyield a, b", value("'c'"), "yield 'c'"),
        ("say(\n    a,\n    # invariant: marked\n    b=b,\n)", value("None"), "say(a, b=None)"),
        ("say(\n    a,\n    # invariant: marked\n    b,\n)", drop(), "say(a)"),
        ("x = {\n    a,\n    # invariant: marked\n    *b,\n}", drop(), "x = {a}"),
        ("x = (\n    a\n    # invariant: marked\n    and b(c)\n)", drop(), "x = a"),
        (
            "x = [\n    a\n    for a in b\n    # invariant: marked\n    if a\n    == c\n]",
            becomes("LEFT is d"),
            "x = [a for a in b if a is d]",
        ),
        (
            "match a:\n    # invariant: marked\n    case 1 if b:\n        pass",
            condition("False"),
            "match a:\n    case 1 if False:\n        pass",
        ),
        ("try:\n    a()\n# invariant: marked\nexcept B:\n    pass", catches("C"), "try:\n    a()\nexcept C:\n    pass"),
        ("# invariant: marked\nwith a as b:\n    c()", begins_with("BOUND.d()"), "with a as b:\n    b.d()\n    c()"),
        ("# invariant: marked\nx = a()", becomes("if NAME_BOUND not in locals():\n    IT"), "if 'x' not in locals():\n    x = a()"),
        ("# invariant: marked\nfor a in b:\n    c()", becomes("d(ITERATED)\nIT"), "d(b)\nfor a in b:\n    c()"),
    ],
)
def test_python_change_is_applied(body: str, change: Change, expected: str) -> None:
    assert in_python(body, change) == expected


def test_renaming_reflowing_and_moving_keep_the_mutant() -> None:
    renamed = PYTHON.replace("answer", "reply").replace("send", "hand_over")
    reflowed = PYTHON.replace("if answer and permit:", "if (\n        answer\n        and permit\n    ):")
    moved = f"class Sender:\n{PYTHON}".replace("\n", "\n    ")
    for text in (PYTHON, renamed, reflowed, moved):
        assert "if False:" in python.mutated(text, "# invariant: marked", condition("False"))


@pytest.mark.parametrize(
    ("body", "change", "why"),
    [
        ("# invariant: marked\nreturn a", condition("True"), "has no test"),
        ("# invariant: marked\npass", value("1"), "has no value"),
        ("if a:\n    b()\n    # invariant: marked\nc()", drop(), "same depth"),
        ("b()\n# invariant: marked", drop(), "nothing begins"),
        ("# invariant: marked\na()", begins_with("b()"), "has no body"),
        ("# invariant: marked\nwith a:\n    b()", begins_with("BOUND.c()"), "binds 0 names"),
    ],
)
def test_marker_without_its_code_does_not_apply(body: str, change: Change, why: str) -> None:
    with pytest.raises(DoesNotApply, match=why):
        in_python(body, change)


@pytest.mark.parametrize("space", [" ", "\n    "], ids=["in a line", "reflowed"])
@pytest.mark.parametrize(
    ("region", "change", "expected"),
    [
        ("AND a = b", drop(), ""),
        ("AND a = $2::bigint[] AND b = $10::text", drop(), "AND num_nulls($2::bigint[], $10::text) >= 0"),
        ("a = b", becomes("c AND IT"), "c AND a = b"),
    ],
)
def test_sql_change_is_applied(region: str, change: Change, expected: str, space: str) -> None:
    text = f"SELECT 1 WHERE x /* invariant: marked */ {region} /* /invariant: marked */ LIMIT 1".replace(" ", space)
    assert names_in(Source(Path("a.sql"), text)) == ["marked"]
    found = sql.mutated(text, "marked", change)
    assert found.split() == f"SELECT 1 WHERE x /* invariant: marked */ {expected} /* /invariant: marked */ LIMIT 1".split()


@pytest.mark.parametrize(
    ("text", "change", "why"),
    [
        ("/* invariant: marked */ AND a", drop(), "must end"),
        ("/* invariant: marked */ AND a = $1 /* /invariant: marked */", drop(), "says their types"),
        ("/* invariant: marked */ AND a /* /invariant: marked */", value("1"), "whole region"),
    ],
)
def test_unchangeable_sql_region_does_not_apply(text: str, change: Change, why: str) -> None:
    with pytest.raises(DoesNotApply, match=why):
        sql.mutated(text, "marked", change)


@pytest.mark.parametrize(
    ("body", "change", "expected"),
    [
        ("say( ';)' ); // ;\nmore();", drop(), "// ;\nmore();"),
        ("// and why;\nsay();\nmore();", drop(), "// and why;\n\nmore();"),
        ("if ( a( ')' ) ) {\n\tb();\n} else {\n\tc();\n}\nmore();", drop(), "more();"),
        ("foreach ( $a as $b ) {\n\t$c = fn() => 1;\n}\nmore();", drop(), "more();"),
        ("$a = static function () { return 1; };\nmore();", drop(), "more();"),
        ("try { a(); } catch ( B $c ) { d(); }\nmore();", drop(), "more();"),
        ("if ( a()\n\t&& b() ) { c(); }", condition("true"), "if ( true ) { c(); }"),
        ("return $a <= ( $b ?? 0 ) ? $c : null;", condition("true"), "return true ? $c : null;"),
        ("return $a ?? 1;", value("2"), "return 2 ;"),
        ("$a   = array( 'x' => 1 );", value("2"), "$a   = 2 ;"),
        ("say( 1 );", becomes("IT IT"), "say( 1 ); say( 1 );"),
    ],
)
def test_php_change_is_applied(body: str, change: Change, expected: str) -> None:
    text = php.mutated(f"// invariant: marked\n{body}\n", "// invariant: marked\n", change)
    assert text.removeprefix("// invariant: marked\n").strip() == expected


@pytest.mark.parametrize(
    ("body", "change", "why"),
    [
        ("}", drop(), "no statement"),
        ("say();", value("1"), "assigns nothing"),
        ("return $a;", condition("true"), "no condition"),
        ("$a = <<<TEXT\nx;\nTEXT;", drop(), "heredoc"),
    ],
)
def test_unchangeable_php_statement_does_not_apply(body: str, change: Change, why: str) -> None:
    with pytest.raises(DoesNotApply, match=why):
        php.mutated(f"// invariant: marked\n{body}\n", "// invariant: marked\n", change)


def test_malformed_marker_does_not_apply() -> None:
    for path, text in (("a.py", "#invariant: some-name"), ("a.py", "# invariant: Some name"), ("b.php", "/* invariant: some-name */")):
        with pytest.raises(DoesNotApply, match="is no marker"):
            names_in(Source(Path(path), text))


@pytest.mark.parametrize(
    ("code", "output", "fate"),
    [
        (1, "1 failed in 0.1s", Fate.CAUGHT),
        (0, "1 passed in 0.1s", Fate.NOT_CAUGHT),
        (0, "1 skipped in 0.1s", Fate.NOT_CAUGHT),
        (1, "1 error in 0.1s", Fate.NOT_CAUGHT),
        (2, "interrupted", Fate.NOT_CAUGHT),
        (1, "asyncpg.exceptions.PostgresSyntaxError: at or near\n1 failed", Fate.NOT_CAUGHT),
        (1, "NameError: name 'x' is not defined\n1 failed", Fate.NOT_CAUGHT),
    ],
)
def test_only_test_failures_count_as_caught(code: int, output: str, fate: Fate) -> None:
    assert verdict(code, output, "")[0] is fate
