-- Values that are still to be removed from the shop. $1 account, $2 till and $3 shop customers, $4 after this shop customer, $5 most rows.
-- Takes no lock. Indexes: shop_removal primary key, shop_removal_by_epos.
SELECT woo_customer_id, epos_customer_id, create_time FROM shop_removal
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[])) AND woo_customer_id > $4
ORDER BY woo_customer_id LIMIT $5
