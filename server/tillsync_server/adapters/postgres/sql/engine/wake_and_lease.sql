-- Wake one lane whose lock is held and that got due live work, and lease it in the same commit. $1 account, $2 when it is due, $3 owner,
-- $4 lease seconds. Only a lane that sleeps, with nothing else due and no ill side: whoever waits for a slot for it goes first, and an ill
-- side waits for its probe. No row: wake_lane.sql. Decides on the value of the row as it is under the lock. Index: lane_pkey.
UPDATE lane SET next_run_at = $2, next_live_at = $2, due_from = least(due_from, $2), lease_token = lease_token + 1, lease_owner = $3,
  lease_expires_at = $2::timestamptz + make_interval(secs => $4)
WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1))
  /* invariant: orders-lease-no-leased-lane */ AND lease_expires_at IS NULL /* /invariant: orders-lease-no-leased-lane */
  AND next_run_at > $2 AND till_probe_at IS NULL AND shop_probe_at IS NULL
RETURNING lease_token, lapses
