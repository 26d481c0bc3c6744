-- Lease ready lanes and run-out leases. $1 most lanes, $2 most lanes without live work, $3 owner, $4 lease seconds.
-- Indexes: lane_ready_live, lane_ready. Locks: the lanes taken, SKIP LOCKED. An idle system returns nothing and writes nothing.
WITH live AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_live_at) <= now()
  ORDER BY coalesce(lease_expires_at, next_live_at) LIMIT $1 FOR UPDATE SKIP LOCKED),
bulk AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_run_at) <= now()
    AND account_id <> ALL (ARRAY(SELECT account_id FROM live))
  ORDER BY coalesce(lease_expires_at, next_run_at)
  LIMIT (SELECT greatest(0, least($2::bigint, $1::bigint - count(*))) FROM live) FOR UPDATE SKIP LOCKED),
taken AS MATERIALIZED (SELECT account_id FROM live UNION ALL SELECT account_id FROM bulk)
UPDATE lane SET lease_owner = $3, lease_token = lease_token + 1, lease_expires_at = now() + make_interval(secs => $4),
  lapses = lapses + (lease_expires_at IS NOT NULL)::integer
WHERE /* invariant: lapsed-leases-are-taken-over */ account_id = ANY (ARRAY(SELECT account_id FROM taken))
  /* /invariant: lapsed-leases-are-taken-over */
RETURNING account_id, lease_token, lapses, problem_side, pause_count
