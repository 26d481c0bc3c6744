"""Migrations of the database: numbered revisions, run in their order by ``tillsync migrate``.

Revisions expand before they contract, so that the previous release's code runs on the new schema. CONTRIBUTING.md says how to write one.
"""

from tillsync_server.adapters.postgres.migrations.lock_tries import MigrationBlockedError
from tillsync_server.adapters.postgres.migrations.migrator import migrate
from tillsync_server.adapters.postgres.migrations.schema_state import SchemaError, release_order, require_current, this_release

__all__ = ["MigrationBlockedError", "SchemaError", "migrate", "release_order", "require_current", "this_release"]
