-- Links of customers that are proven gone become unusable. $1 account, $2 till and $3 shop customers, $4 the database's time, $5 the till
-- customers that the shop customers were found linked to (empty: whoever). Returns the links that were usable until now.
-- Under the lane's lock. Indexes: link primary key, link_account_id_woo_customer_id_key.
WITH found AS MATERIALIZED (
  SELECT epos_customer_id, epos_gone_at IS NULL AND woo_gone_at IS NULL AS was_usable,
    epos_customer_id = ANY ($2::bigint[]) AS is_epos_gone,
    woo_customer_id = ANY ($3::bigint[]) AND ($5::bigint[] = '{}' OR epos_customer_id = ANY ($5::bigint[])) AS is_woo_gone
  FROM link WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))),
marked AS (
  UPDATE link SET
    epos_gone_at = CASE WHEN f.is_epos_gone THEN coalesce(epos_gone_at, $4::timestamptz) ELSE epos_gone_at END,
    woo_gone_at = CASE WHEN f.is_woo_gone THEN coalesce(woo_gone_at, $4::timestamptz) ELSE woo_gone_at END
  FROM found f
  WHERE link.account_id = $1 AND link.epos_customer_id = f.epos_customer_id AND (f.is_epos_gone OR f.is_woo_gone)
  RETURNING link.*, f.was_usable)
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM marked WHERE was_usable ORDER BY epos_customer_id
