-- A page of links by ascending till customer. $1 account, $2 till and $3 shop customer (NULL: any), $4 only broken ones, $5 after this
-- till customer, $6 limit, $7 only those by an email that nobody has confirmed. Custom plans fold the unused filters away.
-- Indexes: link primary key, link_account_id_woo_customer_id_key, link_broken, link_unconfirmed.
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link
WHERE account_id = $1 AND epos_customer_id > $5 AND ($2::bigint IS NULL OR epos_customer_id = $2)
  AND ($3::bigint IS NULL OR woo_customer_id = $3)
  AND (NOT $4::boolean OR epos_gone_at IS NOT NULL OR woo_gone_at IS NOT NULL)
  AND (NOT $7::boolean OR (ground IN (1, 3) AND origin <> 3))
ORDER BY epos_customer_id LIMIT $6
