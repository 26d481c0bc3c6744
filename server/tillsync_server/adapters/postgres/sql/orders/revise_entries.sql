-- Live order entries get new facts and run (again) with fresh attempts. $1 account, $2 the database's time; columns: $3 order ids, $4 order
-- numbers, $5 labels, $6 account and $7 billing emails (normalised), $8 shop customers, $9 facts, $10 notes. What stood there of a different
-- order ($10 says so) is not this one's. Under the lane's lock. Index: entry_live.
UPDATE entry e SET state = 1, due_at = greatest($2, e.not_before), priority = 1, entry_revision = e.entry_revision + 1,
  coalesced_count = e.coalesced_count + 1, attempt_count = 0, order_number = t.order_number, subject_label = t.label,
  account_email = t.account_email, billing_email = t.billing_email, woo_customer_id = t.woo_customer_id, facts = t.facts,
  chosen_epos_customer_id = NULL,
  notes = CASE WHEN t.notes = '' THEN e.notes ELSE t.notes END, outcome = CASE WHEN t.notes = '' THEN e.outcome END,
  cause = CASE WHEN t.notes = '' THEN e.cause END, comment = CASE WHEN t.notes = '' THEN e.comment ELSE '' END,
  epos_customer_id = CASE WHEN t.notes = '' THEN e.epos_customer_id END,
  candidate_ids = CASE WHEN t.notes = '' THEN e.candidate_ids END, update_time = $2
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::jsonb[], $10::text[])
  AS t(order_id, order_number, label, account_email, billing_email, woo_customer_id, facts, notes)
WHERE e.account_id = $1 AND e.kind = 3 AND e.subject_id = t.order_id
