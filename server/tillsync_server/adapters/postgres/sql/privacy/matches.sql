-- The answers of the person's orders. $1 account, $2 emails, $3 shop and $4 till customers, $5 after this order, $6 most rows.
-- What went to the default customer (outcome 14) is not the till customer's own. Takes no lock. Indexes: order_match_by_account_email,
-- order_match_by_billing_email, order_match_by_woo_customer, order_match_by_epos_customer, primary key.
SELECT m.order_id, m.entry_id, m.state, m.outcome, m.comment, m.notes, m.epos_customer_id, m.woo_customer_id, m.account_email,
  m.billing_email, m.candidate_ids, m.create_time
FROM order_match m
WHERE m.account_id = $1 AND m.order_id > $5 AND (m.account_email = ANY ($2::text[]) OR m.billing_email = ANY ($2::text[]) OR m.woo_customer_id = ANY ($3::bigint[])
  OR (m.epos_customer_id = ANY ($4::bigint[]) AND m.outcome IS DISTINCT FROM 14))
ORDER BY m.order_id LIMIT $6
