-- The person's links, with the versions last written. $1 account, $2 till and $3 shop customers. Under the lane's lock.
-- Indexes: link primary key, link_account_id_woo_customer_id_key, shop_version primary key.
WITH gone AS (
  DELETE FROM link WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
  RETURNING woo_customer_id),
versions AS (
  DELETE FROM shop_version WHERE account_id = $1 AND subject_kind = 1 AND subject_id = ANY ($3::bigint[]))
SELECT count(*) FROM gone
