-- Name the current entry of orders and the hash of their facts. $1 account, $2 order ids, $3 order keys, $4 facts hashes, $5 entry ids,
-- $6 account and $7 billing emails, $8 shop customers, $9 the database's time. Under the lane's lock. Index: order_match primary key.
INSERT INTO order_match AS m (account_id, order_id, order_key, facts_hash, entry_id, account_email, billing_email, woo_customer_id,
  create_time, update_time)
SELECT $1, order_id, order_key, facts_hash, entry_id, account_email, billing_email, woo_customer_id, $9, $9
FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::uuid[], $6::text[], $7::text[], $8::bigint[])
  AS t(order_id, order_key, facts_hash, entry_id, account_email, billing_email, woo_customer_id)
ON CONFLICT (account_id, order_id) DO UPDATE SET order_key = excluded.order_key, facts_hash = excluded.facts_hash,
  entry_id = excluded.entry_id, account_email = excluded.account_email, billing_email = excluded.billing_email,
  woo_customer_id = excluded.woo_customer_id, state = 1, update_time = excluded.update_time,
  -- another order under this id: the answer of the former one is not its answer
  outcome = CASE WHEN m.order_key = excluded.order_key THEN m.outcome END,
  cause = CASE WHEN m.order_key = excluded.order_key THEN m.cause END,
  comment = CASE WHEN m.order_key = excluded.order_key THEN m.comment ELSE '' END,
  notes = CASE WHEN m.order_key = excluded.order_key THEN m.notes ELSE '' END,
  epos_customer_id = CASE WHEN m.order_key = excluded.order_key THEN m.epos_customer_id END,
  candidate_ids = CASE WHEN m.order_key = excluded.order_key THEN m.candidate_ids END
