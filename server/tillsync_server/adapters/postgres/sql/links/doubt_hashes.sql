-- What the shop holds for these shop customers is not known until their next write is confirmed. $1 account, $2 shop customers.
-- Under the lane's lock. Index: link_account_id_woo_customer_id_key.
UPDATE link SET content_hash = NULL WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[])
RETURNING epos_customer_id
