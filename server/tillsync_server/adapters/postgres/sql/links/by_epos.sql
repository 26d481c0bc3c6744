-- Links of till customers. $1 account, $2 till customers. Index: link primary key.
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[])
