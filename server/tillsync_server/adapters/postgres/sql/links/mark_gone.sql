-- Links of customers that are proven gone become unusable. $1 account, $2 till and $3 shop customers, $4 the database's time.
-- After fence.sql in its transaction. Indexes: link primary key, link_account_id_woo_customer_id_key.
UPDATE link SET
  epos_gone_at = CASE WHEN epos_customer_id = ANY ($2::bigint[]) THEN coalesce(epos_gone_at, $4::timestamptz) ELSE epos_gone_at END,
  woo_gone_at = CASE WHEN woo_customer_id = ANY ($3::bigint[]) THEN coalesce(woo_gone_at, $4::timestamptz) ELSE woo_gone_at END
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
