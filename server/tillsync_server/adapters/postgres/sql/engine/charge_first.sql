-- Charge an attempt before the run, for an entry that may kill the process. $1 account, $2 owner, $3 token, $4 entry, $5 revision,
-- $6 seconds until it may run again if this run is never heard of. Locks: the lane, then the entry.
WITH mine AS MATERIALIZED (
  SELECT account_id, now() + make_interval(secs => $6) AS again FROM lane
  WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
UPDATE entry e SET attempt_count = attempt_count + 1, due_at = mine.again, update_time = now()
FROM mine WHERE e.account_id = mine.account_id AND e.entry_id = $4 AND e.entry_revision = $5 AND e.state = 1
RETURNING true
