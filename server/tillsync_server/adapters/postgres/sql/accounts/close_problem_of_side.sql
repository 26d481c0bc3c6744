-- Close the problem of one side, which was tested and works. $1 account, $2 side. No row: none is open on that side.
-- Runs after lock_lane.sql in its transaction; reschedule_lane.sql follows. Indexes: primary keys of account_side and lane.
WITH closed AS (
  UPDATE account_side SET failures = 0, problem_reason = NULL, problem_text = NULL, problem_since = NULL, problem_entry_id = NULL
  WHERE account_id = $1 AND side = $2 AND problem_reason IS NOT NULL
  RETURNING account_id)
UPDATE lane SET till_probe_at = CASE WHEN $2::smallint = 1 THEN NULL ELSE till_probe_at END,
  shop_probe_at = CASE WHEN $2::smallint = 2 THEN NULL ELSE shop_probe_at END
FROM closed WHERE lane.account_id = closed.account_id
RETURNING lane.account_id
