-- $1 account, $2 shop customers: their marks of being unlinked by hand go. Under the lane's lock. Index: link_mark primary key.
DELETE FROM link_mark WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[]) RETURNING woo_customer_id
