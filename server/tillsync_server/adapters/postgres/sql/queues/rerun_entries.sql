-- Live entries run again now, not before a Retry-After, with fresh attempts; the answers of orders are open again. $1 account, $2 entry ids,
-- $3 the database's time. Under the lane's lock. Indexes: entry and order_match primary keys.
WITH again AS (
  UPDATE entry e SET state = 1, due_at = greatest($3, e.not_before), entry_revision = e.entry_revision + 1, attempt_count = 0,
    update_time = $3
  WHERE e.account_id = $1 AND e.entry_id = ANY ($2::uuid[])
  RETURNING e.entry_id, e.kind, e.subject_id, e.priority, e.due_at),
answers AS (
  UPDATE order_match m SET state = 1, update_time = $3
  FROM again WHERE again.kind = 3 AND m.account_id = $1 AND m.order_id = again.subject_id AND m.entry_id = again.entry_id)
SELECT entry_id, priority, due_at FROM again
