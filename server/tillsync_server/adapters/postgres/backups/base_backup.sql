-- name: hold_wal
-- Keeps the WAL from now on, until the end of the session. $1 name of a slot. Locks: none on tables.
SELECT pg_create_physical_replication_slot($1, true, true)

-- name: begin
-- Begins a base backup in this session, with an immediate checkpoint. $1 label. It waits for the checkpoint. Locks: none on tables.
SELECT pg_backup_start($1, true)

-- name: finish
-- Ends the base backup of this session. Returns the text of backup_label and the name of the last WAL file that the backup needs.
-- The WAL is on disk. Parameters: none. Locks: none on tables.
SELECT labelfile, pg_walfile_name(lsn) AS last_wal FROM pg_backup_stop(false)
