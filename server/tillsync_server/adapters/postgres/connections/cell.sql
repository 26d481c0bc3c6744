-- name: has_citus
-- Tells whether the database has the extension Citus. Parameters: none; no locks.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')

-- name: distribute_new_schemas
-- Makes each schema that this session creates a cell on one node. Parameters: none; no locks.
SET citus.enable_schema_based_sharding TO on

-- name: cell
-- Returns what a cell needs: whether Citus distributes the connection's schema, to which programs it shows the tables of the cells, and the
-- cell's functions that it does not run on the cell's node. Parameters: none; no locks.
SELECT EXISTS (SELECT FROM pg_dist_schema WHERE schemaid = current_schema()::regnamespace) AS is_distributed,
  current_setting('citus.show_shards_for_app_name_prefixes', true) AS shown_to,
  ARRAY(SELECT p.oid::regprocedure::text FROM pg_proc p
    LEFT JOIN pg_catalog.pg_dist_object o ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid AND o.colocationid > 0
    WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE '%\_stepwise' AND o.objid IS NULL ORDER BY 1) AS undelegated

-- name: lock_timeout_of_node
-- Returns the lock_timeout of a session on the cell's node: the statement reads a table of the cell. Parameters: none. Takes no lock.
SELECT current_setting('lock_timeout') FROM alembic_version

-- name: node
-- Returns host and port of the node that has the cell. Parameters: none; no locks.
SELECT n.nodename || ':' || n.nodeport FROM pg_dist_shard s
JOIN pg_dist_placement p ON p.shardid = s.shardid JOIN pg_dist_node n ON n.groupid = p.groupid AND n.noderole = 'primary'
WHERE s.logicalrelid = to_regclass('lane')

-- name: delegate
-- Makes Citus run the function $1 on the cell's node. $1: name and types, as regprocedure writes them.
SELECT create_distributed_function($1::text::regprocedure, colocate_with => 'lane')

-- name: versions
-- Returns the versions of PostgreSQL and of Citus, NULL without it. Parameters: none; no locks.
SELECT current_setting('server_version') AS postgresql, (SELECT extversion FROM pg_extension WHERE extname = 'citus') AS citus

-- name: coordinator_settings
-- Returns settings of the coordinator that moves of cells and dead nodes need, in the unit of pg_settings. Parameters: none; no locks.
SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'max_prepared_transactions', 'citus.recover_2pc_interval')
