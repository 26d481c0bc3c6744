-- The person's links. $1 account, $2 till and $3 shop customers, $4 after this till customer, $5 most rows. Takes no lock.
-- Indexes: link primary key, link_account_id_woo_customer_id_key.
SELECT epos_customer_id, woo_customer_id, origin, create_time, as_of, epos_read_at, woo_registered_at, epos_gone_at,
  woo_gone_at FROM link
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[])) AND epos_customer_id > $4
ORDER BY epos_customer_id LIMIT $5
