-- New order entries. $1 account, $2 entry ids, $3 order ids, $4 order numbers, $5 labels, $6 account and $7 billing emails (normalised),
-- $8 shop customers, $9 facts, $10 retried_from, $11 notes, $12 the database's time. Under the lane's lock. Index: entry_live.
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, order_number, subject_label, account_email,
  billing_email, woo_customer_id, facts, retried_from, notes, create_time, update_time)
SELECT $1, entry_id, 2, 3, order_id, 1, $12, order_number, label, account_email, billing_email, woo_customer_id, facts, retried_from,
  notes, $12, $12
FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::jsonb[], $10::uuid[], $11::text[])
  AS t(entry_id, order_id, order_number, label, account_email, billing_email, woo_customer_id, facts, retried_from, notes)
