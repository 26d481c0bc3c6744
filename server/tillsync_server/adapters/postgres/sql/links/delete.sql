-- Delete links. $1 account, $2 their till customers. Under the lane's lock. Index: link primary key.
DELETE FROM link WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[])
