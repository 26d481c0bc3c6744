-- The next held orders run again, in order of arrival, with fresh attempts; their answers are open again. $1 account, $2 after this entry
-- (NULL: from the first), $3 most rows, $4 the database's time. Under the lane's lock. Indexes: entry_by_state, entry and order_match
-- primary keys.
WITH held AS MATERIALIZED (
  SELECT entry_id FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4 AND ($2::uuid IS NULL OR entry_id > $2)
  ORDER BY entry_id LIMIT $3),
freed AS (
  UPDATE entry e SET state = 1, due_at = greatest($4, e.not_before), entry_revision = e.entry_revision + 1, attempt_count = 0,
    update_time = $4
  FROM held WHERE e.account_id = $1 AND e.entry_id = held.entry_id
  RETURNING e.entry_id, e.subject_id, e.due_at),
answers AS (
  UPDATE order_match m SET state = 1, update_time = $4
  FROM freed WHERE m.account_id = $1 AND m.order_id = freed.subject_id AND m.entry_id = freed.entry_id)
SELECT entry_id, due_at FROM freed
