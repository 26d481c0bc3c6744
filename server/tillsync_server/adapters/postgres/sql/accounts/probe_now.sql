-- Ill sides are probed at once; a problem stays open until its side has proven to work. $1 account, $2 the database's time.
-- Runs after lock_lane.sql in its transaction; reschedule_lane.sql follows. Indexes: primary keys of account_side and lane.
WITH tried_anew AS (UPDATE account_side SET failures = 0 WHERE account_id = $1)
UPDATE lane SET till_probe_at = CASE WHEN till_probe_at IS NOT NULL THEN $2::timestamptz END,
  shop_probe_at = CASE WHEN shop_probe_at IS NOT NULL THEN $2::timestamptz END
WHERE account_id = $1
