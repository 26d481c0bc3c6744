"""SQL statements by name, from the ``.sql`` files beside this module.

One statement a file, with a header comment: purpose, parameters, the index relied on, the locks taken. ``load("engine/lease")`` reads
``sql/engine/lease.sql``. The text is part of the program, hence LiteralString: nothing of a request ever gets into it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import LiteralString

SQL_DIRECTORY = Path(__file__).parent / "sql"


@cache
def load(name: str) -> LiteralString:
    """The statement ``name``; FileNotFoundError at import time when there is none."""
    text = (SQL_DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
    statement = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return statement.strip()
