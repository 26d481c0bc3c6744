-- The oldest transaction in this database that is none of tillsync's and keeps dead rows: of a session that holds a snapshot or has written,
-- or a prepared one. Always one row; kind is NULL where there is none. sees_all: whether this role sees what sessions of other roles do.
-- tillsync's own sessions have the application name of the one that asks. Parameters: none. Reads the views of sessions; no locks.
WITH foreign_transaction AS (
  SELECT 'session' AS kind, pid, application_name AS name, usename::text AS role, state, xact_start AS began
  FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL
    AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND application_name <> current_setting('application_name')
  UNION ALL
  SELECT 'prepared', NULL, gid, owner::text, NULL, prepared FROM pg_prepared_xacts WHERE database = current_database())
SELECT oldest.*, extract(epoch FROM clock_timestamp() - oldest.began)::float8 AS seconds, seen.sees_all
FROM (SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all) AS seen
LEFT JOIN (SELECT * FROM foreign_transaction ORDER BY began LIMIT 1) AS oldest ON true
