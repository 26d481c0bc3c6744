-- The links of any of these customers. $1 account, $2 till and $3 shop customers. Takes no lock. Indexes: link primary key,
-- link_account_id_woo_customer_id_key.
SELECT epos_customer_id, woo_customer_id, woo_gone_at IS NULL AS is_crossed, woo_registered_at, create_time FROM link
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
ORDER BY epos_customer_id
