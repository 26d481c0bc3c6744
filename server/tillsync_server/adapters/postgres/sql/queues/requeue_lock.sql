-- Where one requeueing stands; no row when another process has ended it. $1 account, $2 what. Runs after lock_lane.sql in its transaction.
-- Index: requeue primary key.
SELECT after_id, after_entry_id FROM requeue WHERE account_id = $1 AND what = $2 FOR UPDATE
