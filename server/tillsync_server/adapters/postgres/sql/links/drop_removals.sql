-- Nothing is to be removed any more. $1 account, $2 shop customers. Under the lane's lock. Index: shop_removal primary key.
DELETE FROM shop_removal WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[])
