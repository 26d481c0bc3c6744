"""Loads SQL statements by name from the topic files of the rooms: ``engine/lease`` is a statement of a file ``engine/….sql``.

A statement begins with the line ``-- name: lease`` (the form of aiosql). Comment lines follow: purpose, parameters, the index relied on,
the locks taken. A name is unique in its room. The files are read once, when this module is imported. A statement is part of the program and
never contains text of a request, hence LiteralString.

A file ``engine/….citus.sql`` holds statements that replace those of the same name on a server with Citus. They take the same parameters and
return the same columns. The pool looks for Citus once, when it opens (``connections.pool``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import LiteralString

_NAME_LINE = re.compile(r"^\s*--\s*name\s*:(.*)$", re.MULTILINE)
_CITUS = ".citus.sql"


def read_statements(root: Path, *, of_citus: bool = False) -> dict[str, LiteralString]:
    """Returns the statements of ``root/<room>/<topic>.sql`` by ``room/name``. Raises ValueError for a file of another form."""
    found: dict[str, LiteralString] = {}
    for path in sorted(root.glob("*/*.sql")):
        if path.name.endswith(_CITUS) != of_citus:
            continue
        preamble, *parts = _NAME_LINE.split(path.read_text(encoding="utf-8"))
        if preamble.strip():
            raise ValueError(f"{path}: the first line must be `-- name: …`")
        for name, body in zip((part.strip() for part in parts[::2]), parts[1::2], strict=True):
            statement = "\n".join(line for line in body.splitlines() if not line.lstrip().startswith("--")).strip()
            if not re.fullmatch(r"[a-z_]+", name) or not statement:
                raise ValueError(f"{path}: `-- name: {name}` must name one statement, in small letters and underscores")
            if f"{path.parent.name}/{name}" in found:
                raise ValueError(f"{path}: the room {path.parent.name} has two statements with the name {name}")
            found[f"{path.parent.name}/{name}"] = statement
    return found


STATEMENTS: Mapping[str, LiteralString] = MappingProxyType(read_statements(Path(__file__).parent))
CITUS_STATEMENTS: Mapping[str, LiteralString] = MappingProxyType(read_statements(Path(__file__).parent, of_citus=True))
"""Those that differ on a server with Citus, by the same names."""


def load(name: str) -> LiteralString:
    """Returns the statement ``name``, such as ``engine/lease``. Raises LookupError for an unknown name, at import of the caller."""
    if name not in STATEMENTS:
        raise LookupError(f"no topic file has the statement {name} (`-- name: {name.rpartition('/')[2]}` in room {name.partition('/')[0]})")
    return STATEMENTS[name]


def replaced_on_citus() -> dict[str, LiteralString]:
    """Returns the statement of Citus for each text of ``load`` that differs there."""
    return {STATEMENTS[name]: text for name, text in CITUS_STATEMENTS.items()}
