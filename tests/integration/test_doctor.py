"""`tillsync doctor` on plain PostgreSQL. test_cell.py has its lines for a cell on Citus."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.postgres import TestDatabase
from support.service import environment, run_command

pytestmark = pytest.mark.integration


async def doctor(dsn: str | None, **changes: str) -> tuple[int, list[str], str]:
    """Returns its exit code, its lines, and what it wrote to stderr."""
    ran = await asyncio.to_thread(run_command, ["doctor"], environment(dsn, **changes))
    return ran.returncode, ran.stdout.splitlines(), ran.stderr


async def test_migrated_database_needs_nothing(database: TestDatabase) -> None:
    code, [server, can_start], _ = await doctor(database.dsn)
    assert (code, can_start) == (0, "the service can start on this database")
    assert server.startswith("server: PostgreSQL 1")
    assert "Citus" not in server


async def test_missing_schema_is_a_problem_with_its_command(database: TestDatabase) -> None:
    code, [_, problem], _ = await doctor(database.dsn, TILLSYNC_DB_SCHEMA="of_another_cell")
    assert code == 1
    assert problem.startswith("problem: the database schema stands at revision none")
    assert "run `tillsync migrate`" in problem


async def test_unusable_address_is_one_line(tmp_path: Path) -> None:
    code, lines, errors = await doctor("postgresql://u@127.0.0.1:1/x?sslmode=disable")
    assert (code, lines) == (1, [])
    assert "the database cannot be used: no connection" in errors
    code, lines, errors = await doctor(None, TILLSYNC_DATA_DIR=str(tmp_path))
    assert (code, lines) == (1, [])
    assert "start `tillsync serve`, or set DATABASE_URL" in errors
