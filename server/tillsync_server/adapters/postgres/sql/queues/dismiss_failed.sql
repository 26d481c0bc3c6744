-- Close FAILED entries where they are, the answers of orders with them. $1 account, $2 entry ids, $3 reason (first note), $4 the database's
-- time, $5 filed at or after (leaves out partitions). Under the lane's lock. Indexes: entry_history_by_id, order_match primary key.
WITH closed AS (
  UPDATE entry_history h SET state = 6, notes = CASE WHEN h.notes = '' THEN $3 ELSE $3 || E'\n' || h.notes END, update_time = $4
  WHERE h.account_id = $1 AND h.entry_id = ANY ($2::uuid[]) AND h.state = 5 AND h.retention = 2 AND h.finish_time >= $5
  RETURNING h.entry_id, h.kind, h.subject_id)
UPDATE order_match m SET state = 6, notes = CASE WHEN m.notes = '' THEN $3 ELSE $3 || E'\n' || m.notes END, update_time = $4
FROM closed WHERE closed.kind = 3 AND m.account_id = $1 AND m.order_id = closed.subject_id AND m.entry_id = closed.entry_id
