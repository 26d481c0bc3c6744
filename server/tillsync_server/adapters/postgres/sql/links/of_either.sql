-- The links of either customer: at most one each. $1 account, $2 till and $3 shop customer (or NULL).
-- Indexes: link primary key, link_account_id_woo_customer_id_key.
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link WHERE account_id = $1 AND epos_customer_id = $2
UNION
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link WHERE account_id = $1 AND woo_customer_id = $3
