"""docs/privacy.md names every column of the service and of the plugin, and every option, meta key and transient of the plugin."""

from __future__ import annotations

import re

import pytest
from support.directories import REPOSITORY
from support.engine import EngineWorld

PAGE = (REPOSITORY / "docs" / "privacy.md").read_text(encoding="utf-8")
PLUGIN = REPOSITORY / "wp-bridge" / "src"
_HEADING = re.compile(r"^### `([a-z_]+)`$", re.MULTILINE)
_REMEDY = (
    "say in docs/privacy.md what of a person it holds, how long, and how it is exported and erased, or list it under 'Nothing of a person'"
)


def documented_columns() -> dict[str, set[str]]:
    """The columns that the page lists for each table: in the first cells of a section's rows and after "Nothing of a person"."""
    parts = _HEADING.split(PAGE)[1:]
    found: dict[str, set[str]] = {}
    for name, section in zip(parts[::2], parts[1::2], strict=True):
        own = re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0]
        cells = [line.split("|")[1] for line in own.splitlines() if line.startswith("| `")]
        nothing = [part.split("\n\n")[0] for part in own.split("Nothing of a person:")[1:]]
        found[name] = set(re.findall(r"`([a-z0-9_]+)`", " ".join([*cells, *nothing])))
    return found


def plugin_tables() -> dict[str, set[str]]:
    """The columns of each table in the CREATE TABLE statements for dbDelta, which have one column a line."""
    source = (PLUGIN / "Schema" / "Tables.php").read_text(encoding="utf-8")
    tables = re.findall(r"CREATE TABLE \{\$this->([a-z_]+)\(\)\} \((.*?)\n\) \{\$collate\}", source, re.DOTALL)
    assert len(tables) == source.count("CREATE TABLE {")
    return {f"tillsync_{name}": set(re.findall(r"^  ([a-z_]+) ", columns, re.MULTILINE)) for name, columns in tables}


def differences(actual: dict[str, set[str]], page: dict[str, set[str]]) -> list[str]:
    missing = [f"{table}.{column}: {_REMEDY}" for table in sorted(actual) for column in sorted(actual[table] - page.get(table, set()))]
    gone = [
        f"{table}.{column} does not exist any more" for table in sorted(actual) for column in sorted(page.get(table, set()) - actual[table])
    ]
    return missing + gone


@pytest.mark.integration
async def test_page_names_every_column_of_the_service(world: EngineWorld) -> None:
    rows = await world.fetch(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN pg_class t ON t.relname = c.table_name "
        "AND t.relnamespace = current_schema()::regnamespace "
        "WHERE c.table_schema = current_schema() AND t.relkind IN ('r', 'p') AND NOT t.relispartition"
    )
    actual: dict[str, set[str]] = {}
    for row in rows:
        actual.setdefault(row["table_name"], set()).add(row["column_name"])
    page = documented_columns()
    assert len(actual) > 15
    assert differences(actual, page) == []
    assert {name for name in page if not name.startswith("tillsync_")} == set(actual)


def test_page_names_every_column_of_the_plugin() -> None:
    actual, page = plugin_tables(), documented_columns()
    assert len(actual) >= 5
    assert differences(actual, page) == []
    assert {name for name in page if name.startswith("tillsync_")} == set(actual)


def test_page_names_every_option_meta_key_and_transient_of_the_plugin() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PLUGIN.rglob("*.php")))
    names = set(re.findall(r"'(tillsync_bridge_[a-z_]+|_tillsync_[a-z_]+)'", sources))
    assert len(names) > 20
    assert [name for name in sorted(names) if f"`{name}" not in PAGE] == []


def test_differences_report_new_and_removed_columns() -> None:
    page = documented_columns()
    assert differences({"link": page["link"] | {"shoe_size"}}, page) == [f"link.shoe_size: {_REMEDY}"]
    assert differences({"link": page["link"] - {"origin"}}, page) == ["link.origin does not exist any more"]
