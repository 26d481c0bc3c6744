-- The person's links. $1 account, $2 till and $3 shop customers. Under the lane's lock. Indexes: link primary key,
-- link_account_id_woo_customer_id_key.
DELETE FROM link WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
RETURNING epos_customer_id, woo_customer_id, woo_gone_at
