"""The numbers of the migrations are their order: what a server reads without Alembic is Alembic's own chain."""

from __future__ import annotations

from tillsync_server.adapters.postgres.migrations import revision_names, revisions


def test_the_numbers_are_alembics_chain() -> None:
    chain = revisions()
    assert [revision.name for revision in chain] == revision_names()
    assert all(revision.sql.strip() for revision in chain)
