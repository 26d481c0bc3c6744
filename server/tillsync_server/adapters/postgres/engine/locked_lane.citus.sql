-- name: lock_lane
-- As in locked_lane.sql, without the newest token.
SELECT account_id, next_run_at, next_live_at, lease_expires_at, till_probe_at, shop_probe_at, config_version, now() AS at
FROM lane WHERE account_id = $1 FOR NO KEY UPDATE

-- name: wake_lane
-- As in locked_lane.sql, without the newest token.
UPDATE lane SET next_run_at = least(next_run_at, $2), next_live_at = CASE WHEN $3::boolean THEN least(next_live_at, $2) ELSE next_live_at END,
  due_from = least(due_from, $2)
WHERE account_id = $1 AND (lease_expires_at IS NULL OR due_from > $2)

-- name: reschedule_lane
-- As in locked_lane.sql, with the view of migration 0020.
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE lane SET
  next_live_at = CASE WHEN n.live_at IS NULL THEN 'infinity' ELSE greatest(n.live_at, clock.at) END,
  next_run_at = CASE WHEN n.run_at IS NULL THEN 'infinity' ELSE greatest(n.run_at, clock.at) END,
  next_probe_at = CASE WHEN n.probe_at IS NULL THEN 'infinity' ELSE greatest(n.probe_at, clock.at) END
FROM clock CROSS JOIN lane_next n
WHERE lane.account_id = $1 AND n.account_id = lane.account_id AND lane.lease_expires_at IS NULL
