-- Our values of these shop customers are to be removed by the next entry of the till customer they were linked to. $1 account, $2 shop and
-- $3 till customers, $4 the database's time. Under the lane's lock. Index: shop_removal primary key.
INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id, create_time)
SELECT $1, woo_customer_id, epos_customer_id, $4 FROM unnest($2::bigint[], $3::bigint[]) AS t(woo_customer_id, epos_customer_id)
ON CONFLICT (account_id, woo_customer_id) DO UPDATE SET epos_customer_id = excluded.epos_customer_id, create_time = excluded.create_time
