-- Seconds until the next lane is ready or a lease runs out (negative: it is). No row but infinity: NULL. Index: lane_ready.
SELECT CASE WHEN due < 'infinity' THEN extract(epoch FROM due - clock_timestamp())::float8 END
FROM (SELECT coalesce(lease_expires_at, next_run_at) AS due FROM lane
      WHERE coalesce(lease_expires_at, next_run_at) < 'infinity'
      ORDER BY coalesce(lease_expires_at, next_run_at) LIMIT 1) AS first
