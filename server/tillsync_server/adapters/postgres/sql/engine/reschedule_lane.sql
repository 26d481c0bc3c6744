-- When a lane next has work, after its sides have changed. $1 account. A leased lane is looked at again by its release.
-- Runs after lock_lane.sql in its transaction. Index: entry_due_by_queue (lane_times, migration 0012).
UPDATE lane SET next_live_at = coalesce(times.live_at, 'infinity'), next_run_at = coalesce(times.run_at, 'infinity'),
  next_probe_at = coalesce(times.probe_at, 'infinity')
FROM lane AS stands CROSS JOIN LATERAL lane_times(stands.account_id, stands.till_probe_at, stands.shop_probe_at) AS times
WHERE lane.account_id = $1 AND stands.account_id = lane.account_id AND lane.lease_expires_at IS NULL
