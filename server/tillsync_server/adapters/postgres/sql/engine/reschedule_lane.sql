-- When a lane next has work, after its sides have changed. $1 account. A leased lane is looked at again by its release. A lane that is ready
-- has been so since now: it goes to the back of the line, and lease.sql finds it behind its bound.
-- Runs after lock_lane.sql in its transaction. Index: entry_due_by_queue (lane_times, migration 0014).
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE lane SET
  next_live_at = CASE WHEN times.live_at IS NULL THEN 'infinity' ELSE greatest(times.live_at, clock.at) END,
  next_run_at = CASE WHEN times.run_at IS NULL THEN 'infinity' ELSE greatest(times.run_at, clock.at) END,
  next_probe_at = CASE WHEN times.probe_at IS NULL THEN 'infinity' ELSE greatest(times.probe_at, clock.at) END
FROM clock CROSS JOIN lane AS stands
CROSS JOIN LATERAL lane_times(stands.account_id, stands.till_probe_at, stands.shop_probe_at, stands.due_from) AS times
WHERE lane.account_id = $1 AND stands.account_id = lane.account_id AND lane.lease_expires_at IS NULL
