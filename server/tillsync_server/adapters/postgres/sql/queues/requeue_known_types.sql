-- The next known customer types. $1 account, $2 after this one, $3 most rows. Index: customer_type primary key. Under the lane's lock.
SELECT epos_customer_type_id AS subject_id FROM customer_type
WHERE account_id = $1 AND epos_customer_type_id > $2 ORDER BY epos_customer_type_id LIMIT $3
