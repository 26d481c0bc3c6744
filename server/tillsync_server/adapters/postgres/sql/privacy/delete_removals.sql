-- The shop erases its own records. $1 account, $2 till and $3 shop customers. Under the lane's lock. Indexes: shop_removal primary key,
-- shop_removal_by_epos.
DELETE FROM shop_removal
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[])) RETURNING woo_customer_id
