"""The order of the migrations by number, which a server reads without Alembic, equals Alembic's own chain."""

from __future__ import annotations

from tillsync_server.adapters.postgres.migrations import revision_names, revisions


def test_migration_numbers_equal_the_alembic_chain() -> None:
    chain = revisions()
    assert [revision.name for revision in chain] == revision_names()
    assert all(revision.sql.strip() for revision in chain)
