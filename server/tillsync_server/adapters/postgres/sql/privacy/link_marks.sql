-- Unlinked by hand. $1 account, $2 shop customers, $3 after this one, $4 most rows. Takes no lock. Index: link_mark primary key.
SELECT woo_customer_id, create_time FROM link_mark
WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[]) AND woo_customer_id > $3 ORDER BY woo_customer_id LIMIT $4
