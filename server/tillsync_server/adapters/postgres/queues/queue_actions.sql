-- name: action_entries
-- Returns the columns that requeue and dismissal decide on. $1 account, $2 entry ids, $3 and $4 bounds of filed_at (they leave out
-- partitions). Indexes: entry_pkey, entry_history_pkey. Under the lane's lock; a dry run takes none.
WITH wanted AS NOT MATERIALIZED (
  SELECT entry_id, kind, subject_id, state, priority, force, facts, retention FROM queue_entry
  WHERE account_id = $1 AND entry_id = ANY ($2::uuid[]) AND filed_at >= $3 AND filed_at < $4)
SELECT entry_id, kind, subject_id, state, priority, force, facts FROM wanted WHERE retention = 0
UNION ALL SELECT entry_id, kind, subject_id, state, priority, force, facts FROM wanted WHERE retention = 1
UNION ALL SELECT entry_id, kind, subject_id, state, priority, force, facts FROM wanted WHERE retention = 2

-- name: live_of_subjects
-- Returns the live entries of subjects. $1 account, $2 kinds, $3 subjects, by position. Index: entry_live. Takes no lock.
SELECT e.kind, e.subject_id, e.entry_id
FROM unnest($2::smallint[], $3::bigint[]) AS t(kind, subject_id)
JOIN entry e ON e.account_id = $1 AND e.kind = t.kind AND e.subject_id = t.subject_id

-- name: requeue_entries
-- Requeues live entries: due now, but not before a Retry-After, with fresh attempts. The answers of orders are PENDING again. $1 account,
-- $2 entry ids, $3 the database's time. Under the lane's lock. Indexes: entry and order_match primary keys.
WITH requeued AS (
  UPDATE entry e SET state = 1, due_at = greatest($3, e.not_before), entry_revision = e.entry_revision + 1, attempt_count = 0,
    update_time = $3
  WHERE e.account_id = $1 AND e.entry_id = ANY ($2::uuid[])
  RETURNING e.entry_id, e.kind, e.subject_id, e.priority, e.due_at),
answers AS (
  UPDATE order_match m SET state = 1, update_time = $3
  FROM requeued WHERE requeued.kind = 3 AND m.account_id = $1 AND m.order_id = requeued.subject_id AND m.entry_id = requeued.entry_id)
SELECT entry_id, priority, due_at FROM requeued

-- name: set_retried_from
-- Stores the finished entry that each new entry is the successor of. $1 account, $2 new entry ids, $3 finished entry ids, by position.
-- Under the lane's lock. Index: entry primary key.
UPDATE entry e SET retried_from = t.retried_from
FROM unnest($2::uuid[], $3::uuid[]) AS t(entry_id, retried_from)
WHERE e.account_id = $1 AND e.entry_id = t.entry_id

-- name: dismiss_live
-- Dismisses live entries: moves them to the history and updates the answers of orders. $1 account, $2 entry ids, $3 reason (becomes the
-- first note), $4 the database's time. Under the lane's lock. Indexes: entry and order_match primary keys.
WITH dismissed AS (
  DELETE FROM entry e WHERE e.account_id = $1 AND e.entry_id = ANY ($2::uuid[]) RETURNING e.*),
answers AS (
  UPDATE order_match m SET state = 6, notes = CASE WHEN m.notes = '' THEN $3 ELSE $3 || E'\n' || m.notes END, update_time = $4
  FROM dismissed WHERE dismissed.kind = 3 AND m.account_id = $1 AND m.order_id = dismissed.subject_id AND m.entry_id = dismissed.entry_id)
INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
  coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
  billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
SELECT g.account_id, g.entry_id, g.queue, g.kind, g.subject_id, 6, g.priority, g.force, g.entry_revision, g.attempt_count,
  g.coalesced_count, g.outcome, g.cause, g.comment, CASE WHEN g.notes = '' THEN $3 ELSE $3 || E'\n' || g.notes END, g.epos_customer_id, g.woo_customer_id, g.order_number,
  g.subject_label, g.account_email, g.billing_email, g.candidate_ids, g.facts, g.attempts, g.retried_from, g.create_time, $4, $4, 2
FROM dismissed g

-- name: dismiss_failed
-- Dismisses FAILED entries in the history and updates the answers of orders. $1 account, $2 entry ids, $3 reason (becomes the first note),
-- $4 the database's time, $5 filed at or after (leaves out partitions). Under the lane's lock. Indexes: entry_history_pkey, order_match
-- primary key.
WITH dismissed AS (
  UPDATE entry_history h SET state = 6, notes = CASE WHEN h.notes = '' THEN $3 ELSE $3 || E'\n' || h.notes END, update_time = $4
  WHERE h.account_id = $1 AND h.entry_id = ANY ($2::uuid[]) AND h.state = 5 AND h.retention = 2 AND h.finish_time >= $5
  RETURNING h.entry_id, h.kind, h.subject_id)
UPDATE order_match m SET state = 6, notes = CASE WHEN m.notes = '' THEN $3 ELSE $3 || E'\n' || m.notes END, update_time = $4
FROM dismissed WHERE dismissed.kind = 3 AND m.account_id = $1 AND m.order_id = dismissed.subject_id AND m.entry_id = dismissed.entry_id
