-- name: try_lock
-- Takes the lock of migrations, if no other session has it. $1 its key. The session holds it until its end.
SELECT pg_try_advisory_lock($1)

-- name: lock_holder
-- Returns the session that holds the lock of migrations. $1 its key. No row: it ended meanwhile. The state of another role's session is
-- empty and its age 0 without pg_read_all_stats. Reads the views of sessions; no locks.
SELECT a.pid, a.application_name AS name, coalesce(a.usename, '') AS role, coalesce(a.state, '') AS state,
  coalesce(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::float8 AS seconds
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = $1
LIMIT 1

-- name: oldest_lock_on_tables
-- Returns the oldest transaction of another session that holds a lock on a table of the schema. Reads the views of sessions; no locks.
SELECT a.pid, a.application_name AS name, coalesce(a.usename, '') AS role, coalesce(a.state, '') AS state,
  extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
  AND l.relation IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)
ORDER BY a.xact_start LIMIT 1

-- name: schema_exists
-- Tells whether the schema $1 exists.
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)

-- name: create_schema_command
-- Returns the command that creates the schema $1. CREATE SCHEMA takes no parameters, and %I quotes the name.
SELECT format('CREATE SCHEMA %I', $1::text)

-- name: create_revision_table
-- Creates the table of the applied revision. Releases before 0.2 used Alembic, and its name stayed.
CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) PRIMARY KEY)

-- name: table_exists
-- Tells whether the schema has the table $1.
SELECT to_regclass($1) IS NOT NULL

-- name: applied_revision
-- Returns the newest applied revision. No row before the first.
SELECT version_num FROM alembic_version

-- name: forget_revision
-- Does the first half of recording a revision: alembic_version has one row.
DELETE FROM alembic_version

-- name: record_revision
-- Does the second half. $1 the number of the revision.
INSERT INTO alembic_version VALUES ($1)

-- name: schema_release
-- Returns the oldest release that may use the schema, and the one that migrated it last.
SELECT least_release, migrated_by FROM schema_release

-- name: record_release
-- Records $1, the oldest release that may use the schema, and $2, the release that migrates it now.
INSERT INTO schema_release (least_release, migrated_by) VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET least_release = excluded.least_release, migrated_by = excluded.migrated_by

-- name: kept_position
-- Returns the position of the revision $1, as JSON. No row before its first chunk.
SELECT position FROM migration_position WHERE revision = $1

-- name: keep_position
-- Keeps $2, the position of revision $1, as JSON.
INSERT INTO migration_position (revision, position) VALUES ($1, $2)
ON CONFLICT (revision) DO UPDATE SET position = excluded.position

-- name: index_is_valid
-- Tells whether the index $1 of the schema is valid. No row: there is none.
SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace

-- name: is_partitioned
-- Tells whether the table $1 is partitioned. NULL: there is no such table.
SELECT (SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1))

-- name: partitions
-- Returns the partitions right below the table $1.
SELECT c.relname FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhparent = to_regclass($1) ORDER BY c.relname

-- name: is_attached
-- Tells whether the index $1 is attached to the index $2 of the parent.
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass($1) AND inhparent = to_regclass($2))

-- name: index_progress
-- Tells how far the index build of the session $1 is. No row: it builds none. blocks_total is 0 in phases without blocks. The locker is the
-- session whose transaction the build waits for.
SELECT p.phase, p.blocks_done, p.blocks_total, p.current_locker_pid AS pid, coalesce(a.application_name, '') AS name,
  coalesce(a.usename, '') AS role, coalesce(a.state, '') AS state,
  coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8 AS seconds
FROM pg_stat_progress_create_index p LEFT JOIN pg_stat_activity a ON a.pid = p.current_locker_pid AND p.current_locker_pid <> 0
WHERE p.pid = $1

-- name: partition_bounds
-- Returns the condition that the partition $1 puts on its rows. NULL: it is no partition.
SELECT pg_get_partition_constraintdef(to_regclass($1))

-- name: constraint_is_valid
-- Tells whether the constraint $2 of the table $1 is validated. No row: there is none.
SELECT convalidated FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2
