-- Close live entries: from the hot table to the history, the answers of orders with them. $1 account, $2 entry ids, $3 reason (first note),
-- $4 the database's time. Under the lane's lock. Indexes: entry and order_match primary keys.
WITH gone AS (
  DELETE FROM entry e WHERE e.account_id = $1 AND e.entry_id = ANY ($2::uuid[]) RETURNING e.*),
answers AS (
  UPDATE order_match m SET state = 6, notes = CASE WHEN m.notes = '' THEN $3 ELSE $3 || E'\n' || m.notes END, update_time = $4
  FROM gone WHERE gone.kind = 3 AND m.account_id = $1 AND m.order_id = gone.subject_id AND m.entry_id = gone.entry_id)
INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
  coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
  billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
SELECT g.account_id, g.entry_id, g.queue, g.kind, g.subject_id, 6, g.priority, g.force, g.entry_revision, g.attempt_count,
  g.coalesced_count, g.outcome, g.cause, g.comment, CASE WHEN g.notes = '' THEN $3 ELSE $3 || E'\n' || g.notes END, g.epos_customer_id, g.woo_customer_id, g.order_number,
  g.subject_label, g.account_email, g.billing_email, g.candidate_ids, g.facts, g.attempts, g.retried_from, g.create_time, $4, $4, 2
FROM gone g
