-- Wake one lane whose lock is held and that got due work. $1 account, $2 when it is due, $3 whether it is live work.
-- Decides on the value of the row as it is under the lock. A leased lane is looked at again by its release; an entry that is due before the
-- lane's bound lowers the bound of a leased lane too. Whether the work waits for an ill side is not asked: then the lane is leased for
-- nothing once, and its release tells when to probe. Index: lane_pkey.
UPDATE lane SET next_run_at = least(next_run_at, $2), next_live_at = CASE WHEN $3::boolean THEN least(next_live_at, $2) ELSE next_live_at END,
  due_from = least(due_from, $2)
WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1))
  AND (lease_expires_at IS NULL OR due_from > $2)
