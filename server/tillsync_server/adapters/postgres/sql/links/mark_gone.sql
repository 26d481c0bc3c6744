-- Links of customers that are proven gone become unusable. $1 account, $2 till and $3 shop customers, $4 the database's time.
-- Returns the links that were usable until now. Under the lane's lock. Indexes: link primary key, link_account_id_woo_customer_id_key.
WITH before AS MATERIALIZED (
  SELECT epos_customer_id FROM link
  WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
    AND epos_gone_at IS NULL AND woo_gone_at IS NULL),
marked AS (
  UPDATE link SET
    epos_gone_at = CASE WHEN epos_customer_id = ANY ($2::bigint[]) THEN coalesce(epos_gone_at, $4::timestamptz) ELSE epos_gone_at END,
    woo_gone_at = CASE WHEN woo_customer_id = ANY ($3::bigint[]) THEN coalesce(woo_gone_at, $4::timestamptz) ELSE woo_gone_at END
  WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
  RETURNING account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at,
    woo_gone_at, woo_registered_at, epos_read_at, ground)
SELECT marked.* FROM marked JOIN before USING (epos_customer_id) ORDER BY epos_customer_id
