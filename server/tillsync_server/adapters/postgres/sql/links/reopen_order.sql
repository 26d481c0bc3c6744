-- A failed order gets a successor with the same facts, due now, named by its order_match. $1 account, $2 the failed entry, $3 the new
-- entry, $4 the till customer a person chose (or NULL), $5 the database's time. No row: not failed, or no longer the order's current
-- entry. Under the lane's lock. Indexes: entry_history_by_id, order_match primary key, entry_live.
WITH failed AS MATERIALIZED (
  SELECT h.subject_id, h.order_number, h.subject_label, h.account_email, h.billing_email, h.facts, h.entry_id, h.candidate_ids
  FROM entry_history h WHERE h.account_id = $1 AND h.queue = 2 AND h.state = 5 AND h.entry_id = $2 AND h.facts IS NOT NULL),
named AS (
  UPDATE order_match m SET entry_id = $3, state = 1, update_time = $5 FROM failed
  WHERE m.account_id = $1 AND m.order_id = failed.subject_id AND m.entry_id = failed.entry_id
  RETURNING m.order_id)
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, order_number, subject_label, account_email,
  billing_email, woo_customer_id, candidate_ids, chosen_epos_customer_id, facts, retried_from, create_time, update_time)
SELECT $1, $3, 2, 3, f.subject_id, 1, $5, f.order_number, f.subject_label, f.account_email, f.billing_email,
  (f.facts ->> 'woo_customer_id')::bigint, f.candidate_ids, $4::bigint, f.facts, f.entry_id, $5, $5
FROM failed f JOIN named ON named.order_id = f.subject_id
RETURNING entry_id
